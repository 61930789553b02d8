"""A race's admin page with the money on it, and the dashboard: what needs every floor comes together here."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db.models import Count, Max, Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django_q.models import Failure, Success
from unfold.admin import ModelAdmin
from unfold.decorators import display

from meetings.models import Meeting
from moneyflow.race_page import next_races_table, race_page
from raceday.clock import now
from raceday.models import FeedPayload, PollRun
from raceday.staff import ReadOnly, enqueue, link, nz_time
from raceday.staff_api import VIEW
from races.admin import EntrantInline, RaceDayFilter
from races.models import PollMark, Race

# A page of no model is named by its URL.
PAGES: dict[str, tuple[tuple[str, str, type[Model] | str], ...]] = {
    "Racing": (("Meetings", "stadium", Meeting), ("Races", "sports_score", Race)),
    "Feed": (("Poll runs", "sync", PollRun), ("Kept answers", "draft", FeedPayload)),
    "Tasks": (
        ("Queues", "stacks", "queues"),
        ("Failures", "error", Failure),
        ("Successes", "task_alt", Success),
    ),
    "Serving": (("Kept bodies", "bolt", "cache"),),
    "Staff": (("Users", "person", User), ("Groups", "group", Group)),
}

admin.site.index_template = "moneyflow/dashboard.html"


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
    change_form_outer_before_template = "moneyflow/race_chart.html"
    change_form_outer_after_template = "moneyflow/race_tables.html"

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


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """This function will add to the admin's first page the next races, the feed's age, what polls came to, failures."""
    at = now()
    newest = PollMark.objects.aggregate(polled_at=Max("polled_at"), generated_at=Max("generated_at"))
    coming = Race.objects.live().filter(start_time__gte=at - timedelta(minutes=5)).select_related("meeting", "mark")
    recent = PollRun.objects.filter(polled_at__gte=at - timedelta(minutes=15)).order_by()
    return context | {
        "next_races": next_races_table(coming[:10]),
        "seconds_since_poll": newest["polled_at"] and (at - newest["polled_at"]).total_seconds(),
        "feed_age_seconds": newest["generated_at"] and (at - newest["generated_at"]).total_seconds(),
        "outcomes": recent.values_list("outcome").annotate(number=Count("pk")).order_by("-number"),
        "failures": Failure.objects.count(),
        "clock": nz_time(at),
    }


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """This function will list the admin's pages that the user may see, as unfold's sidebar wants them."""
    return [
        {"title": group, "items": [_entry(*page) for page in pages if _is_seen(request, page[2])]}
        for group, pages in PAGES.items()
    ]


def _is_seen(request: HttpRequest, page: type[Model] | str) -> bool:
    if isinstance(page, str):
        return page != "cache" or request.user.has_perm(VIEW)
    return admin.site.get_model_admin(page).has_view_permission(request)


def _entry(title: str, icon: str, page: type[Model] | str) -> dict[str, str]:
    name = page if isinstance(page, str) else f"{page._meta.app_label}_{page._meta.model_name}_changelist"
    return {"title": title, "icon": icon, "link": reverse(f"admin:{name}")}
