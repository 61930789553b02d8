"""Meetings and races as staff see them; the feed owns them, so nothing here is edited."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.decorators import display

from meetings.models import Meeting
from operations.admin.names import FoundByRace
from operations.admin.race_page import race_page, races_table
from raceday.staff.pieces import RacingDayFilter, ReadOnly, enqueue, link, nz_time, record
from races.models import Race

STATUS_COLOURS = {"Open": "success", "Closed": "warning", "Interim": "info", "Final": "primary", "Abandoned": "danger"}


class MeetingDayFilter(RacingDayFilter):
    title = "day at the track"
    field = "date"


@admin.register(Meeting)
class MeetingAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]  # unfold has no types
    list_display = ("meeting_name", "date", "country", "race_type", "shown_status", "track_condition", "weather")
    list_filter = (MeetingDayFilter, "race_type", "country", "status")
    search_fields = ("meeting_name", "meeting_id", "races__name")
    search_help_text = "a meeting or one of its races"
    actions = ("reimport_day",)
    fields = (
        ("meeting_name", "date"),
        ("race_type", "shown_status"),
        ("country", "state"),
        ("track_condition", "weather"),
        "meeting_id",
    )
    readonly_fields = ("shown_status",)
    change_form_outer_after_template = "operations/below.html"

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        races = kwargs["obj"].races.select_related("meeting", "mark")
        page = {**context, "tables": [races_table("Races", races)]}
        shown: HttpResponse = super().render_change_form(request, page, **kwargs)
        return shown

    @display(  # type: ignore[untyped-decorator]
        description="status", ordering="status", label={"active": "success", "abandoned": "danger"}
    )
    def shown_status(self, meeting: Meeting) -> str:
        return meeting.status

    @admin.action(description="Re-import the racing day", permissions=["act"])
    def reimport_day(self, request: HttpRequest, meetings: QuerySet[Meeting]) -> None:
        days = sorted({meeting.date.isoformat() for meeting in meetings})
        tasks = [("moneyflow.tasks.import_day", day) for day in days]
        if enqueue(request, tasks, said=f"Queued: import of {', '.join(days)}."):
            record(request, meetings, "Asked for the import of its racing day.")


class RaceDayFilter(RacingDayFilter):
    field = "race_date_nz"


@admin.register(Race)
class RaceAdmin(FoundByRace, ReadOnly, ModelAdmin):  # type: ignore[misc]  # unfold has no types
    list_display = ("called", "shown_start", "shown_status", "last_polled")
    list_filter = (RaceDayFilter, "status", "meeting__race_type", "meeting__country")
    search_fields = ("race_id",)
    search_help_text = "a race, a meeting, R5"
    list_select_related = ("meeting", "mark", "pool", "result")
    ordering = ("start_time", "race_id")
    race_field = "pk"
    fields = (
        ("name", "track"),
        ("race_number", "shown_status"),
        ("shown_start", "jumped"),
        ("distance", "track_condition"),
        ("weather", "last_polled"),
        "race_id",
    )
    readonly_fields = ("track", "shown_status", "shown_start", "jumped", "last_polled")
    actions = ("poll_now",)
    change_form_outer_before_template = "operations/race_chart.html"
    change_form_outer_after_template = "operations/below.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Race]:
        return Race.objects.select_related(*self.list_select_related)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        race_id = kwargs["obj"].pk
        page = {
            **context,
            **race_page(kwargs["obj"]),
            "chart_title": "Win-pool shares, the last hour of readings",
            "may_act": self.has_act_permission(request),
            "links": {"Page": reverse("race-page", args=[race_id]), "API": reverse("race-live", args=[race_id])},
        }
        shown: HttpResponse = super().render_change_form(request, page, **kwargs)
        return shown

    @admin.display(description="race", ordering="start_time")
    def called(self, race: Race) -> str:
        return str(race)

    @admin.display(description="start, NZ", ordering="start_time")
    def shown_start(self, race: Race) -> str | None:
        return nz_time(race.start_time)

    @admin.display(description="jumped")
    def jumped(self, race: Race) -> str | None:
        return nz_time(race.actual_start)

    @admin.display(description="meeting", ordering="meeting__meeting_name")
    def track(self, race: Race) -> str:
        return link(race.meeting.meeting_name, "meetings_meeting_change", race.meeting_id)

    @display(description="status", ordering="status", label=STATUS_COLOURS)  # type: ignore[untyped-decorator]
    def shown_status(self, race: Race) -> str:
        return race.status

    @admin.display(description="last polled", ordering="mark__polled_at")
    def last_polled(self, race: Race) -> str | None:
        return nz_time(race.mark.polled_at) if hasattr(race, "mark") else None

    @admin.action(description="Poll now", permissions=["act"])
    def poll_now(self, request: HttpRequest, races: QuerySet[Race]) -> HttpResponse | None:
        chosen = list(races)
        tasks = [("moneyflow.tasks.poll_now", race.pk) for race in chosen]
        if enqueue(request, tasks, said=f"Queued: {len(tasks)} poll{'s'[: len(tasks) != 1]}."):
            record(request, chosen, "Asked for a poll.")
        return redirect("admin:races_race_change", chosen[0].pk) if len(chosen) == 1 else None
