"""A whole simulated racing day at the product's door: its clock put forward, its races polled, a client beside it."""

import asyncio
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlencode
from wsgiref.types import WSGIApplication

from django.test import RequestFactory

from moneyflow.pipeline import process_answer
from moneyflow.publishing import publish
from raceday.feed.client import FeedAnswer, FeedClient
from raceday.published.lane import Lane
from raceday.simulator.day import Race, Simulation, card_of
from raceday.simulator.market import market_of, shown_at, state_at
from tests.support.client import Answer, Ask, Client
from tests.support.day_truth import ENDED, Followed, Json, Poll, instant_of, neighbour

TODAY = date(2026, 11, 22)
# Of this seed: three races abandoned, seventeen runners scratched late, some with their prices left standing.
SIMULATION = Simulation(seed="whole day 9", first_start=datetime(2026, 11, 21, 1, 2, 3, tzinfo=UTC))


def through(application: WSGIApplication) -> Ask:
    """Be the client's way to a WSGI application."""

    def ask(method: str, path: str, *, params: Mapping[str, str], headers: Mapping[str, str], content: bytes) -> Answer:
        query = urlencode(params)
        kind = headers.get("Content-Type", "")
        request = RequestFactory().generic(method, path, content, kind, headers=dict(headers), QUERY_STRING=query)
        told: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, named: list[tuple[str, str]], *_: Any) -> Any:
            told.append((status, named))

        parts = application(request.environ, start)
        received = b"".join(parts)
        getattr(parts, "close", lambda: None)()
        status, named = told[0]
        lower = {name.lower(): value for name, value in named}
        return Answer(status=int(status.split()[0]), headers=lower, content=received)

    return ask


class Machine:
    """The machine's clock, set to the day and put forward by as much as nobody wants to wait."""

    def __init__(self, at: float) -> None:
        self.true_time, self.ahead = time.time, at - time.time()

    def time(self) -> float:
        return self.true_time() + self.ahead

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.time(), UTC)

    def go(self, at: float) -> None:
        """Make it `at` (Unix seconds), unless it is later."""
        self.ahead = max(self.ahead, at - self.true_time())


def polls_of(race: Race) -> list[float]:
    """Choose when a race is polled; of every second race two polls lie between two refreshes."""
    plan = race.plan
    if plan.abandoned_at is not None:
        return [plan.abandoned_at - 400, plan.abandoned_at + 20]
    refreshed_at = shown_at(plan, SIMULATION.world, plan.advertised_at - 50)
    before = [plan.advertised_at - seconds for seconds in (600, 20)]
    alike = [refreshed_at + 1, refreshed_at + 8][: 1 + race.number % 2]
    scratched = [each.at + 20 for each in plan.scratchings if each.is_late]
    after = [at + 20 for at in (plan.closes_at, plan.interim_at, plan.final_at)]
    return sorted([*before, *alike, *scratched, *after])


@dataclass
class Day:
    """The day as it goes on: the clock, the feed's reader, the races as their polls showed them, and the client."""

    machine: Machine
    lane: Lane
    runner: asyncio.Runner
    feed: FeedClient
    races: dict[str, Followed]
    client: Client

    def go(self, at: float) -> None:
        """Let the day go on until `at` (Unix seconds)."""
        self.machine.go(at)
        self.lane.kept.clear()

    def poll(self, followed: Followed) -> None:
        race_id = followed.race.race_id
        answer = self.runner.run(self.feed.fetch_event(race_id))
        assert isinstance(answer, FeedAnswer)
        generated_at = instant_of(json.loads(answer.content())["header"]["generated_time"])
        shown = shown_at(followed.race.plan, SIMULATION.world, generated_at.timestamp())
        state = state_at(followed.market, shown)
        is_new = followed.add(Poll(generated_at=generated_at, polled_at=answer.polled_at, state=state))
        walked = process_answer(race_id, answer)
        assert walked.outcome == ("changed" if is_new else "unchanged")
        for topic in walked.outdated:
            publish(topic)
        self.lane.kept.clear()  # a quarter of a second later

    def card(self, of: Followed) -> list[Followed]:
        return [each for each in self.races.values() if each.meeting is of.meeting]

    def in_order(self) -> list[Followed]:
        return sorted(self.races.values(), key=lambda each: (each.start, each.race.race_id))

    def next_scheduled(self) -> Followed | None:
        now = self.machine.now()
        return next((each for each in self.in_order() if each.status not in ENDED and each.start > now), None)

    def navigation(self, followed: Followed) -> Json:
        order = self.in_order()
        place = order.index(followed)
        return {
            "previousRace": neighbour(order[place - 1] if place else None),
            "nextRace": neighbour(order[place + 1] if place + 1 < len(order) else None),
            "nextScheduledRace": neighbour(self.next_scheduled()),
        }


def races_of_the_day() -> dict[str, Followed]:
    """Open a page for every race of the card."""
    return {
        race.race_id: Followed(meeting=meeting, race=race, market=market_of(race.plan, SIMULATION.world))
        for meeting in card_of(SIMULATION, TODAY)
        for race in meeting.races
    }


@contextmanager
def opened_day(machine: Machine, lane: Lane) -> Iterator[Day]:
    """Keep one connection to the feed open while the day lasts."""
    with asyncio.Runner() as runner:
        door = FeedClient.from_settings()
        feed = runner.run(door.__aenter__())
        try:
            yield Day(machine, lane, runner, feed, races_of_the_day(), Client(through(lane)))
        finally:
            runner.run(door.__aexit__(None, None, None))
