"""Polls each race when it is due, in a coroutine of its own. Answers are not read here: what they stored is."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from typing import Any

import psycopg
import structlog
from django.conf import settings
from redis.exceptions import RedisError

from moneyflow import answers
from moneyflow.polling.budget import Stretched, seconds_late, urgency
from moneyflow.polling.live_races import read_live
from moneyflow.polling.outbox import Outbox
from moneyflow.polling.plan import LiveRace, Turn, next_turn
from moneyflow.polling.refresh import Beat, like_host
from raceday import clock, metrics
from raceday.feed.client import FeedClient
from raceday.queue import cluster
from raceday.queue.broker import StreamBroker
from raceday.racing_day import nz_instant, racing_day
from races.cadence import CadenceSeconds, cadence
from races.day_card import forget_import, is_imported

DAILY = "moneyflow.tasks.daily"
DAILY_AT = (clock_time(0), clock_time(6))  # the new day's card as it begins, and what the feed has added by morning
DAILY_AGAIN_SECONDS = 60.0  # of the machine
CARD_AGAIN = timedelta(minutes=5)  # while no race is to be polled
SPREAD_SECONDS = 0.02  # between races that come at once; otherwise their grids would fall together for ever
SET_ASIDE_SECONDS = 300.0  # of Raceday; the others are the wall's
BACKLOG_LIMIT = 1000  # answers waiting to be written: 30 MB of Valkey, a minute of work
HOLD_SECONDS = 2.0

NONE: Mapping[str, Beat] = {}

log = structlog.get_logger(__name__)


def next_daily(now: datetime) -> datetime:
    """Return the first 00:00 or 06:00 of New Zealand after `now`."""
    days = (racing_day(now), racing_day(now) + timedelta(days=1))
    return min(at for day in days for at in (nz_instant(day, hour) for hour in DAILY_AT) if at > now)


class Leader:
    """Follows each live race with its own coroutine, so that the polls of a race never overlap."""

    def __init__(self, feed: FeedClient, group: asyncio.TaskGroup, outbox: Outbox, daily: StreamBroker) -> None:
        self._feed = feed
        self._group = group
        self._outbox = outbox
        self._daily = daily  # remembers its last task, and queues another once that is done
        self.stretched = Stretched()
        self._seconds = CadenceSeconds(**settings.CADENCE_SECONDS)
        self._races: dict[str, LiveRace] = {}
        self._beats: dict[str, Beat] = {}  # of races that close, where it is known
        self._changed: dict[str, asyncio.Event] = {}  # one a coroutine
        self._resume_at = 0.0  # the loop's seconds; no poll before
        self._daily_at: datetime | None = None
        self._card_at = clock.now() + CARD_AGAIN  # look for more races then, if there are none by that time
        self._look_at = 0.0  # whether the work that was queued then is done; monotonic seconds

    async def read(self, connection: psycopg.Connection[Any]) -> None:
        """Follow what the database calls live; psycopg.OperationalError when it does not answer."""
        self.update(*await asyncio.to_thread(read_live, connection, clock.now()))

    def update(self, races: Iterable[LiveRace], beats: Mapping[str, Beat] = NONE) -> None:
        """Follow these races and no others; a race that left is polled no more."""
        before, beats_before, now = self._races, self._beats, clock.now()
        self._beats = like_host(beats)
        self._races = {race.race_id: race for race in races if self._cadence(race, now) is not None}
        if self._races:
            self._card_at = now  # as soon as the last of them is over
        spread = timedelta(seconds=SPREAD_SECONDS / clock.real_seconds(1))
        for place, race_id in enumerate(self._races.keys() - self._changed.keys()):
            self._changed[race_id] = asyncio.Event()
            self._group.create_task(self._follow(race_id, now + place * spread))
        for race_id, changed in self._changed.items():
            is_same_beat = self._beats.get(race_id) == beats_before.get(race_id)
            if self._races.get(race_id) != before.get(race_id) or not is_same_beat:
                changed.set()

    def _cadence(self, race: LiveRace, now: datetime) -> timedelta | None:
        return cadence(race.status, race.start - now, self._seconds)

    async def _follow(self, race_id: str, first: datetime) -> None:
        last, failures = Turn(first, first), 0
        turn: Turn | None = last
        while turn is not None:
            if await self._reaches(turn.due, race_id):
                failures = await self._poll_or_set_aside(race_id, turn.due, failures)
                last = turn
            turn = self._next(race_id, last)
        del self._changed[race_id]

    async def _reaches(self, due: datetime, race_id: str) -> bool:
        """Sleep until `due`; False when the race or its beat changed before, and with it perhaps the due time."""
        changed = self._changed[race_id]
        changed.clear()
        try:
            async with asyncio.timeout(clock.real_seconds((due - clock.now()).total_seconds())):
                await changed.wait()
        except TimeoutError:
            return True
        return race_id in self._races and clock.now() >= due  # both at once: a poll must not be missed for that

    def _next(self, race_id: str, last: Turn) -> Turn | None:
        if (race := self._races.get(race_id)) is None:
            return None
        return next_turn(last, clock.now(), race, self._beats.get(race_id), self._seconds)

    async def _poll_or_set_aside(self, race_id: str, due: datetime, failures: int) -> int:
        """A race that raises twice is set aside for a while, never the whole round."""
        try:
            await self._poll(race_id, due)
        except Exception:
            log.exception("poll_raised", race_id=race_id)
            if failures == 0:
                return 1
            log.error("race_set_aside", race_id=race_id, seconds=SET_ASIDE_SECONDS)
            await asyncio.sleep(clock.real_seconds(SET_ASIDE_SECONDS))
        return 0

    async def _poll(self, race_id: str, due: datetime) -> None:
        while (wait := self._resume_at - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(wait)
        race, now = self._races.get(race_id), clock.now()
        if race is None or (interval := self._cadence(race, now)) is None:
            return  # it ended while its poll was held
        found = await self._feed.fetch_event(race_id, urgency=urgency(race.status, race.start, now))
        late_seconds = seconds_late(due, found)
        metrics.POLL_LATENESS_SECONDS.observe(late_seconds)
        log.debug("poll", race_id=race_id, late_ms=round(late_seconds * 1000, 1))
        self.stretched.note(interval.total_seconds(), late_seconds)
        self._outbox.put(race_id, found)

    def _hold(self, seconds: float, *, reason: str) -> None:
        log.warning("polls_held", seconds=seconds, reason=reason)
        self._resume_at = max(self._resume_at, asyncio.get_running_loop().time() + seconds)

    async def hold_when_behind(self) -> None:
        """Hold the polls while writing is behind, or more answers are in hand than there is room."""
        try:
            waiting = await asyncio.to_thread(answers.waiting)
        except RedisError:
            waiting = 0
        if waiting > BACKLOG_LIMIT or self._outbox.is_full:
            self._hold(HOLD_SECONDS, reason=f"{waiting} answers wait to be written")

    async def ask_for_daily(self) -> None:
        """Ask for the day's import and partitions: on taking over, at 00:00 and 06:00 NZ, and each minute until done.

        The feed may be away at midnight for longer than a task is tried. While there is no race to poll, ask every five
        minutes, because the feed may have added one.
        """
        now = clock.now()
        is_idle = not self._races and now >= self._card_at
        is_due = self._daily_at is None or now >= self._daily_at or is_idle
        if not is_due and time.monotonic() < self._look_at:
            return
        try:
            await asyncio.to_thread(_ask_for_daily, self._daily, racing_day(now), is_due=is_due)
            self._daily_at, self._look_at = next_daily(now), time.monotonic() + DAILY_AGAIN_SECONDS
            self._card_at = now + CARD_AGAIN
        except RedisError as fault:
            log.warning("poller_without_valkey", fault=str(fault))


def _ask_for_daily(daily: StreamBroker, day: date, *, is_due: bool) -> None:
    if is_due:
        forget_import(day)
    if not is_imported(day):
        cluster.enqueue_once(daily, DAILY)
