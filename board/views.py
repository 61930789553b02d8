"""SERVE: the pages as published bodies. Nothing personal is in them, so all people share one body."""

from datetime import timedelta
from typing import Any

import msgspec
from django.conf import settings
from django.db.models import Prefetch
from rest_framework.exceptions import NotFound

from board.money import amounts_of, share_lines, timeline_of
from meetings.models import Meeting
from moneyflow.alerts.record import by_severity
from moneyflow.alerts.serializers import RaceAlertSerializer
from moneyflow.alerts.store import find_alerts, read_record
from moneyflow.history.columns import PoolType, read_history
from moneyflow.live.views import live_body
from raceday import clock
from raceday.pages.look import render_page
from raceday.pages.page import PAGE, Page
from raceday.published.resources import Body, resource, shown_many
from raceday.racing_day import racing_day
from raceday.staff.chart import lay_out
from races.cadence import STALE
from races.models import Race

MOST_NEXT = 8
MINUTE_SECONDS = 60


def page(template: str, **facts: Any) -> bytes:
    """Render a page of the board as of now."""
    return render_page(f"board/{template}.html", **facts)


class TodayPage(Page):
    @resource("card", always=True, **PAGE)
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


class WelcomePage(Page):
    @resource("card", **PAGE)
    def retrieve(self) -> Body:
        """Say in the demo what is shown, what is invented, and where the rest is; elsewhere it does not exist."""
        if not settings.DEMO:
            raise NotFound("there is no page at this address")
        next_race = Race.objects.live().filter(start_time__gte=clock.now()).select_related("meeting").first()
        content = page("welcome", next_race=next_race, speed=clock.CLOCK.speed)
        return Body(data=content, keep_seconds=MINUTE_SECONDS)


class RacePage(Page):
    @resource("race:{race_id}", **PAGE)
    def retrieve(self, race_id: str) -> Body:
        """Show a race: its clock, how old the figures are, late money, runners, pools, timeline and result."""
        body = live_body(race_id)
        live: Any = body.data
        start = Race.objects.values_list("start_time", flat=True).get(pk=race_id)
        written = read_history(race_id, start, pool_type=PoolType.WIN)
        history = msgspec.json.decode(msgspec.json.encode(written))  # its columns are JSON already
        runners = amounts_of(live["entrants"], history, live["alerts"])
        content = page(
            "race",
            **{"live": live, "start": start, "runners": runners, "timeline": timeline_of(runners, history, start)},
            chart=lay_out(share_lines(runners, history), mark=start),
        )
        return Body(data=content, keep_seconds=body.keep_seconds, mark=body.mark, status=body.status)


class LateMoneyPage(Page):
    @resource("late-money", **PAGE)
    def list(self) -> Body:
        """Show the day's alerts, the newest first."""
        alerts = shown_many(RaceAlertSerializer, find_alerts(1, date=racing_day(clock.now())))
        return Body(data=page("late_money", alerts=alerts), keep_seconds=MINUTE_SECONDS)

    @resource("late-money", **PAGE)
    def record(self) -> Body:
        """Show how often alerts were right."""
        return Body(data=page("record", buckets=by_severity(read_record())), keep_seconds=MINUTE_SECONDS)
