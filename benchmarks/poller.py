"""The poller by itself: how late its polls begin, which it misses, and when its loop stands still.

The feed is another process, which sends the same packed answer each time. Answers are thrown away unread: what it takes
to store them is measured by `corridor`. `--rounds` is in seconds here: the mark is meant for 600 of them.
"""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

from django.conf import settings
from msgspec import Struct
from structlog.testing import capture_logs

from benchmarks.corridor import start_feed
from benchmarks.figures import Figure, percentile
from moneyflow import answers
from moneyflow.polling import stalls
from moneyflow.polling.budget import seconds_late
from moneyflow.polling.leader import Leader
from moneyflow.polling.outbox import Outbox
from moneyflow.polling.plan import LiveRace, Turn, next_turn
from raceday import clock, valkey
from raceday.feed.client import FeedAnswer, FeedClient, FeedError
from raceday.processes import freeze_imports
from raceday.queue.broker import StreamBroker
from raceday.run.process import ProcessTree
from races.cadence import CadenceSeconds

SECONDS = 60
WARM_UP_SECONDS = 12.0  # races that come at once are spread over so much
EACH_SECOND = dict.fromkeys(("far", "near", "soon", "closing", "settling"), 1)


class Scenario(Struct, frozen=True):
    """So many live races; each second, or on their cadences over a whole day."""

    name: str
    races: int
    cadences: dict[str, int]
    apart: timedelta  # between two starts

    def live(self, now: datetime) -> list[LiveRace]:
        first = now + timedelta(hours=1) if not self.apart else now - timedelta(minutes=10)
        return [LiveRace(f"r{number}", first + number * self.apart, "Open") for number in range(self.races)]


SCENARIOS = (
    Scenario("100_races_each_second", 100, EACH_SECOND, timedelta(0)),
    Scenario("500_live_races", 500, settings.CADENCE_SECONDS, timedelta(seconds=170)),
)


class Begun(Struct, frozen=True):
    """A poll that began: its race, when it was due, and how late it was in milliseconds."""

    race_id: str
    due: datetime
    late_ms: float


class TimedLeader(Leader):
    """A leader that notes how late polls are as they go to the feed, and how many of a race are there at once."""

    def __init__(self, feed: "TimedFeed", *rest: Any) -> None:
        super().__init__(feed, *rest)
        self._timed = feed

    async def _poll(self, race_id: str, due: datetime) -> None:
        self._timed.dues[race_id] = due
        await super()._poll(race_id, due)


class TimedFeed(FeedClient):
    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.dues: dict[str, datetime] = {}
        self.begun: list[Begun] = []
        self.most_at_once = 0
        self._at_once: Counter[str] = Counter()

    async def fetch_event(self, race_id: str, *, urgency: float | None = None) -> FeedAnswer | FeedError:
        due = self.dues[race_id]
        self._at_once[race_id] += 1
        self.most_at_once = max(self.most_at_once, self._at_once[race_id])
        found = await super().fetch_event(race_id, urgency=urgency)
        self._at_once[race_id] -= 1
        self.begun.append(Begun(race_id, due, 1000 * seconds_late(due, found)))
        return found


class Run(Struct, frozen=True):
    """What one scenario came to; `cpu` is the share of a core that this process took."""

    begun: list[Begun]
    missed: int
    most_at_once: int
    stalled: list[dict[str, Any]]
    cpu: float


def measure(rounds: int | None) -> list[Figure]:
    """Let the poller follow races for so many seconds, in each scenario."""
    seconds = rounds or SECONDS
    found: list[Figure] = []
    freeze_imports()  # as a worker of `control` does
    with ProcessTree() as tree:
        start_feed(tree, name="benchmarks.still_feed")
        for scenario in SCENARIOS:
            settings.CADENCE_SECONDS = scenario.cadences
            with capture_logs() as logged:
                run = asyncio.run(_run(scenario, seconds, logged))
            for stall in run.stalled:
                sys.stderr.write(
                    f"{scenario.name}: stood still {stall['seconds']} s, {stall['cpu_seconds']} s of them"
                    f" at work: {stall['ran']}\n"
                )
            found += _figures(scenario, run, seconds)
    return found


async def _run(scenario: Scenario, seconds: int, logged: Sequence[Any]) -> Run:
    races = scenario.live(clock.now())
    async with TimedFeed.from_settings() as feed:
        duties = asyncio.create_task(_lead(feed, races))
        await asyncio.sleep(WARM_UP_SECONDS)
        warm, cpu, began = len(feed.begun), time.process_time(), time.monotonic()
        logged_before = len(logged)
        await asyncio.sleep(seconds)
        share = (time.process_time() - cpu) / (time.monotonic() - began)
        begun = feed.begun[warm:]
        duties.cancel()
        with suppress(asyncio.CancelledError):
            await duties
    stalled = [entry for entry in logged[logged_before:] if entry["event"] == "poller_stalled"]
    return Run(begun, missed(begun, races), feed.most_at_once, stalled, share)


async def _lead(feed: TimedFeed, races: Sequence[LiveRace]) -> None:
    outbox = Outbox()
    async with asyncio.TaskGroup() as group:
        leader = TimedLeader(feed, group, outbox, StreamBroker(list_key="default"))
        group.create_task(outbox.hand_over())
        group.create_task(stalls.watch())
        group.create_task(_throw_away())
        while True:
            leader.update(races)
            await asyncio.sleep(0.5)


async def _throw_away() -> None:
    shards = [answers.stream(number) for number in range(answers.SHARDS)]
    while True:
        await asyncio.to_thread(valkey.client().delete, *shards)
        await asyncio.sleep(0.5)


def missed(begun: Sequence[Begun], races: Sequence[LiveRace]) -> int:
    """Count the polls between those that began for which there was no time."""
    seconds = CadenceSeconds(**settings.CADENCE_SECONDS)
    dues: dict[str, list[datetime]] = {}
    for poll in begun:
        dues.setdefault(poll.race_id, []).append(poll.due)
    return sum(
        sum(next_due(race, due, seconds) < after for due, after in pairwise(dues.get(race.race_id, [])))
        for race in races
    )


def next_due(race: LiveRace, due: datetime, seconds: CadenceSeconds) -> datetime:
    turn = next_turn(Turn(due, due), due, race, None, seconds)
    assert turn
    return turn.due


def _figures(scenario: Scenario, run: Run, seconds: int) -> Iterator[Figure]:
    late = [poll.late_ms for poll in run.begun] or [0.0]
    name = f"poller.{scenario.name}"
    what = f"due → asked, {len(run.begun)} polls in {seconds} s"
    marks = {"p99": 25.0, "max": 250.0} if scenario.cadences is EACH_SECOND else {}
    yield Figure(name=f"{name}.late_p50", what=what, figure=median(late), unit="ms")
    yield Figure(
        name=f"{name}.late_p99", what="the same", figure=percentile(late, 0.99), unit="ms", at_most=marks.get("p99")
    )
    yield Figure(name=f"{name}.late_max", what="the same", figure=max(late), unit="ms", at_most=marks.get("max"))
    yield Figure(name=f"{name}.missed", what="due and left out", figure=run.missed, unit="polls", at_most=0.0)
    yield Figure(name=f"{name}.at_once", what="of one race at most", figure=run.most_at_once, unit="polls", at_most=1.0)
    told = "times the loop stood still for more than 0.1 s (what ran is on stderr)"
    yield Figure(name=f"{name}.stalls", what=told, figure=len(run.stalled), unit="stalls")
    yield Figure(name=f"{name}.cpu", what="of one core, this process", figure=100 * run.cpu, unit="%")
