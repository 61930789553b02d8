"""SERVE: the pages as published bodies. Nothing personal is in them, so all people share one body."""

from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Max
from rest_framework.exceptions import NotFound

from board.alerts import shown_alerts
from board.days import DayQuery, day_of, rows_of, shortest_cadence
from board.race import race_facts
from board.record import own_record, simulated_record
from moneyflow.live.views import live_body
from raceday import clock
from raceday.feed.records import ENDED, RaceStatus
from raceday.pages.look import render_page
from raceday.pages.page import PAGE, Page
from raceday.published.resources import Body, resource
from races.cadence import FORGOTTEN
from races.models import PollMark, Race

MOST_NEXT = 24  # some of each code, for the filters
RUNS_NOW = timedelta(hours=1)  # before a start: nothing runs if no race is that near
MINUTE_SECONDS = 60


def page(template: str, **facts: Any) -> bytes:
    """Render a page of the board as of now; `refresh` says from how many seconds between polls it is to judge ages."""
    return render_page(f"board/{template}.html", feed_refresh=settings.FEED_REFRESH_SECONDS, **facts)


class TodayPage(Page):
    @resource("card", DayQuery, always=True, **PAGE)
    def retrieve(self, date: date) -> Body:
        """Show the races that are next to jump, a day's meetings with their races, and where late money was seen."""
        now = clock.now()
        races = list(Race.objects.filter(race_date_nz=date).select_related("meeting", "result"))
        coming = Race.objects.filter(status=RaceStatus.OPEN, start_time__gte=now - FORGOTTEN)
        next_races = list(coming.select_related("meeting")[:MOST_NEXT])
        alerts = shown_alerts(2, date)
        alerted = {alert["race_id"] for alert in alerts}
        facts = {
            "day": day_of(date, now),
            "rows": rows_of(races, now, alerted),
            "races": len(races),
            "to_come": sum(race.status == RaceStatus.OPEN for race in races),
            "next_races": next_races,
            "runs_now": bool(next_races) and next_races[0].start_time - now < RUNS_NOW,
            "alerts": alerts,
            "alerted": alerted,
            "countries": settings.COUNTRIES,
            "polled_at": PollMark.objects.filter(race__race_date_nz=date).aggregate(newest=Max("polled_at"))["newest"],
        }
        return Body(data=page("today", refresh=shortest_cadence(now), **facts), keep_seconds=MINUTE_SECONDS)


class WelcomePage(Page):
    @resource("card", **PAGE)
    def retrieve(self) -> Body:
        """Say in the demo what is shown, what is invented, and where the rest is."""
        next_race = Race.objects.live().filter(start_time__gte=clock.now()).select_related("meeting").first()
        content = page("welcome", next_race=next_race, speed=clock.CLOCK.speed)
        return Body(data=content, keep_seconds=MINUTE_SECONDS)


class RacePage(Page):
    @resource("race:{race_id}", **PAGE)
    def retrieve(self, race_id: str) -> Body:
        """Show a race: its clock, how old the figures are, late money, runners, pools, timeline and result."""
        body = live_body(race_id)
        live: Any = body.data
        content = page("race", refresh=live["freshness"]["refresh_seconds"], **race_facts(race_id, live))
        return Body(data=content, keep_seconds=body.keep_seconds, mark=body.mark, status=body.status)

    @resource("race:{race_id}", **PAGE)
    def replay(self, race_id: str) -> Body:
        """Show a race that has ended once more, second by second."""
        body = live_body(race_id)
        live: Any = body.data
        if live["race"]["status"] not in ENDED:
            raise NotFound("this race has not ended")
        content = page("replay", **race_facts(race_id, live, is_replay=True))
        return Body(data=content, keep_seconds=body.keep_seconds, mark=body.mark)


class LateMoneyPage(Page):
    @resource("late-money", DayQuery, **PAGE)
    def list(self, date: date) -> Body:
        """Show a day's alerts, the newest first, each with its evidence and what came of it."""
        now = clock.now()
        facts = {"day": day_of(date, now), "alerts": shown_alerts(1, date), "countries": settings.COUNTRIES}
        return Body(data=page("late_money", refresh=shortest_cadence(now), **facts), keep_seconds=MINUTE_SECONDS)

    @resource("late-money", **PAGE)
    def record(self) -> Body:
        """Show how often alerts were right."""
        return Body(data=page("record", own=own_record(), simulated=simulated_record()), keep_seconds=MINUTE_SECONDS)
