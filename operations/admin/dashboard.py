"""The admin's first page and its menu."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.db.models import Count, Max, Model
from django.http import HttpRequest
from django.urls import reverse
from django_q.models import Failure, Success

from accounts.models import AccessToken, User
from meetings.models import Meeting
from moneyflow.models import AlertDelivery, AlertTarget, LateMoneyAlert, LateMoneyCalibration, Reconciliation
from operations.admin.race_page import races_table
from operations.admin.redelivery import failures_in_words
from raceday.clock import now
from raceday.models import FeedPayload, PollRun
from raceday.staff.pieces import nz_time
from raceday.staff.routes import VIEW
from races.models import Entrant, PollMark, Race

# A page of no model is named by its URL.
PAGES: dict[str, tuple[tuple[str, str, type[Model] | str], ...]] = {
    "Racing": (("Meetings", "stadium", Meeting), ("Races", "sports_score", Race), ("Entrants", "pets", Entrant)),
    "Late money": (
        ("Alerts", "notifications", LateMoneyAlert),
        ("Where alerts go", "webhook", AlertTarget),
        ("Deliveries", "outgoing_mail", AlertDelivery),
        ("Calibrations", "tune", LateMoneyCalibration),
    ),
    "Feed": (
        ("Poll runs", "sync", PollRun),
        ("Unreadable answers", "draft", FeedPayload),
        ("Reconciliations", "fact_check", Reconciliation),
    ),
    "Tasks": (
        ("Tasks and queues", "stacks", "queues"),
        ("Failed tasks", "error", Failure),
        ("Finished tasks", "task_alt", Success),
    ),
    "Serving": (("Response cache", "bolt", "cache"),),
    "Staff": (
        ("Users", "person", User),
        ("Groups", "group", Group),
        ("Access tokens", "key", AccessToken),
        ("Staff actions", "history", LogEntry),
    ),
}


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add to the admin's first page the next races, the feed's age, what polls came to, failures."""
    at = now()
    newest = PollMark.objects.aggregate(polled_at=Max("polled_at"), generated_at=Max("generated_at"))
    coming = Race.objects.live().filter(start_time__gte=at - timedelta(minutes=5)).select_related("meeting", "mark")
    recent = PollRun.objects.filter(polled_at__gte=at - timedelta(minutes=15)).order_by()
    return context | {
        "next_races": races_table("Next races", coming[:10]),
        "seconds_since_poll": newest["polled_at"] and (at - newest["polled_at"]).total_seconds(),
        "feed_age_seconds": newest["generated_at"] and (at - newest["generated_at"]).total_seconds(),
        "outcomes": recent.values_list("outcome").annotate(number=Count("pk")).order_by("-number"),
        "failures": failures_in_words(),
        "clock": nz_time(at),
    }


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """List the admin's pages that the user may see, as unfold's sidebar wants them."""
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
