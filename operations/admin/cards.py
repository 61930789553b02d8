"""Meetings and races as staff see them; the feed owns them, so nothing here is edited."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from meetings.models import Meeting
from operations.admin.race_page import race_page
from raceday.staff.pieces import RacingDayFilter, ReadOnly, enqueue, link, nz_time, told
from races.models import Entrant, Race


class MeetingDayFilter(RacingDayFilter):
    title = "day at the track"
    field = "date"


@admin.register(Meeting)
class MeetingAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]  # unfold has no types
    list_display = (
        "meeting_name",
        "date",
        "country",
        "race_type",
        "shown_status",
        "track_condition",
        "weather",
        "card",
    )
    list_filter = (MeetingDayFilter, "race_type", "country", "status")
    search_fields = ("meeting_name", "meeting_id")
    actions = ("reimport_day",)
    readonly_fields = ("card",)

    @display(  # type: ignore[untyped-decorator]
        description="status", ordering="status", label={"active": "success", "abandoned": "danger"}
    )
    def shown_status(self, meeting: Meeting) -> str:
        return meeting.status

    @admin.display(description="races")
    def card(self, meeting: Meeting) -> str:
        address = f"{reverse('admin:races_race_changelist')}?day=any&meeting__exact={meeting.pk}"
        return format_html('<a class="text-primary-600 dark:text-primary-500" href="{}">its card</a>', address)

    @admin.action(description="Re-import the racing day", permissions=["act"])
    def reimport_day(self, request: HttpRequest, meetings: QuerySet[Meeting]) -> None:
        days = sorted({day.isoformat() for day in meetings.values_list("date", flat=True)})
        tasks = [("moneyflow.tasks.import_day", day) for day in days]
        enqueue(request, tasks, said=f"Queued: import of {', '.join(days)}.")


class RaceDayFilter(RacingDayFilter):
    field = "race_date_nz"


class EntrantInline(ReadOnly, TabularInline):  # type: ignore[misc]  # unfold has no types
    model = Entrant
    hide_title = True
    readonly_fields = ("number", "tote", "fixed", "hold", "scratched")
    fields = ("number", "name", "barrier", "jockey", "trainer_name", "weight", "tote", "fixed", "hold", "scratched")

    @admin.display(description="No.")
    def number(self, entrant: Entrant) -> int:
        return entrant.runner_number

    @admin.display(description="tote win, place")
    def tote(self, entrant: Entrant) -> str:
        return f"{told(entrant.pool_win_odds)}, {told(entrant.pool_place_odds)}"

    @admin.display(description="fixed win, place")
    def fixed(self, entrant: Entrant) -> str:
        return f"{told(entrant.fixed_win_odds)}, {told(entrant.fixed_place_odds)}"

    @admin.display(description="hold")
    def hold(self, entrant: Entrant) -> str:
        return told(entrant.hold_percentage, "%")

    @admin.display(description="state")
    def scratched(self, entrant: Entrant) -> str:
        return "gone" if entrant.gone_at else "scratched" if entrant.is_scratched else "runs"


@admin.register(Race)
class RaceAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]  # unfold has no types
    list_display = ("start", "track", "race_number", "name", "shown_status", "last_polled")
    list_display_links = ("start", "name")
    list_filter = (RaceDayFilter, "status", "meeting__race_type", "meeting__country")
    search_fields = ("name", "race_id", "meeting__meeting_name")
    list_select_related = ("meeting", "mark", "pool", "result")
    ordering = ("start_time", "race_id")
    fields = (
        ("name", "track"),
        ("race_number", "shown_status"),
        ("start", "jumped"),
        ("distance", "track_condition"),
        ("weather", "last_polled"),
        "race_id",
    )
    readonly_fields = ("track", "shown_status", "start", "jumped", "last_polled")
    inlines = (EntrantInline,)
    actions = ("poll_now",)
    change_form_outer_before_template = "operations/race_chart.html"
    change_form_outer_after_template = "operations/race_tables.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Race]:
        return Race.objects.select_related(*self.list_select_related)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        page = {**context, **race_page(kwargs["obj"]), "may_act": self.has_act_permission(request)}
        shown: HttpResponse = super().render_change_form(request, page, **kwargs)
        return shown

    @admin.display(description="start, NZ", ordering="start_time")
    def start(self, race: Race) -> str | None:
        return nz_time(race.start_time)

    @admin.display(description="jumped")
    def jumped(self, race: Race) -> str | None:
        return nz_time(race.actual_start)

    @admin.display(description="meeting", ordering="meeting__meeting_name")
    def track(self, race: Race) -> str:
        return link(race.meeting.meeting_name, "meetings_meeting_change", race.meeting_id)

    @display(  # type: ignore[untyped-decorator]
        description="status",
        ordering="status",
        label={"Open": "success", "Closed": "warning", "Interim": "info", "Final": "primary", "Abandoned": "danger"},
    )
    def shown_status(self, race: Race) -> str:
        return race.status

    @admin.display(description="last polled", ordering="mark__polled_at")
    def last_polled(self, race: Race) -> str | None:
        return nz_time(race.mark.polled_at) if hasattr(race, "mark") else None

    @admin.action(description="Poll now", permissions=["act"])
    def poll_now(self, request: HttpRequest, races: QuerySet[Race]) -> HttpResponse | None:
        race_ids = list(races.values_list("pk", flat=True))
        tasks = [("moneyflow.tasks.poll_now", race_id) for race_id in race_ids]
        enqueue(request, tasks, said=f"Queued: {len(tasks)} poll{'s'[: len(tasks) != 1]}.")
        return redirect("admin:races_race_change", race_ids[0]) if len(race_ids) == 1 else None
