"""SERVE: the pages as published bodies. Nothing personal is in them, so all people share one body."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Prefetch
from django.template.loader import render_to_string
from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from board.race import race_facts
from meetings.models import Meeting
from moneyflow.alerts.record import by_severity
from moneyflow.alerts.serializers import RaceAlertSerializer
from moneyflow.alerts.store import find_alerts, read_record
from moneyflow.live.views import live_body
from raceday import clock
from raceday.published.resources import Body, resource, shown_many
from raceday.racing_day import NZ, racing_day
from races.cadence import STALE
from races.models import Race

MOST_NEXT = 8
MINUTE_SECONDS = 60
OWN_ONLY = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' https: data:; base-uri 'none'"
PAGE = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": (
        f"{OWN_ONLY}; form-action 'none'; frame-ancestors 'none';"
        f" connect-src 'self' http://localhost:{settings.STREAM_PORT} http://127.0.0.1:{settings.STREAM_PORT}"
    ),
}


class Page(ViewSet):
    """A page; a browser that accepts HTML gets it, and so does everybody else."""

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        return super().perform_content_negotiation(request, force=True)


def page(template: str, **facts: Any) -> bytes:
    """Render a page as of now."""
    now = clock.now()
    facts |= {"now": now.astimezone(NZ), "stream_port": settings.STREAM_PORT}
    return render_to_string(f"board/{template}.html", facts).encode()


class TodayPage(Page):
    @resource("card", always=True, headers=PAGE)
    def retrieve(self) -> Body:
        """Show the races that come next, the day's meetings with their races, and where late money was seen."""
        now = clock.now()
        day = racing_day(now)
        races = Race.objects.filter(race_date_nz=day).order_by("race_number")
        meetings = Meeting.objects.filter(races__race_date_nz=day).distinct().order_by("meeting_name", "meeting_id")
        coming = Race.objects.live().filter(start_time__gte=now - STALE, start_time__lt=now + timedelta(days=1))
        alerts = shown_many(RaceAlertSerializer, find_alerts(2, date=day))
        facts = {
            "meetings": meetings.prefetch_related(Prefetch("races", races)),
            "next_races": coming.select_related("meeting")[:MOST_NEXT],
            "alerts": alerts,
            "alerted": {alert["race_id"] for alert in alerts},
        }
        return Body(data=page("today", **facts), keep_seconds=MINUTE_SECONDS)


class RacePage(Page):
    @resource("race:{race_id}", headers=PAGE)
    def retrieve(self, race_id: str) -> Body:
        """Show a race: its clock, how old the figures are, late money, runners, pools, timeline and result."""
        body = live_body(race_id)
        live: Any = body.data
        content = page("race", **race_facts(race_id, live))
        return Body(data=content, keep_seconds=body.keep_seconds, mark=body.mark, status=body.status)


class LateMoneyPage(Page):
    @resource("late-money", headers=PAGE)
    def list(self) -> Body:
        """Show the day's alerts, the newest first."""
        alerts = shown_many(RaceAlertSerializer, find_alerts(1, date=racing_day(clock.now())))
        return Body(data=page("late_money", alerts=alerts), keep_seconds=MINUTE_SECONDS)

    @resource("late-money", headers=PAGE)
    def record(self) -> Body:
        """Show how often alerts were right."""
        return Body(data=page("record", buckets=by_severity(read_record())), keep_seconds=MINUTE_SECONDS)
