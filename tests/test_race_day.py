"""A race from its last minutes to its dividends: the simulator's feed in, the client API out, every room between."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from pytest_django import Settings

from moneyflow.models import MoneyFlowHistory
from moneyflow.pipeline import process_answer
from raceday.feed.client import FeedClient
from raceday.racing_day import racing_day
from raceday.simulator.day import Race, Simulation, card_of
from raceday.simulator.market import MarketState, market_of, shown_at, state_at
from races.day_card import fetch_day_card, store_day_card
from tests.support.tab import tab_at_the_door

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unmeasured")]
STARTED = datetime(2026, 11, 21, 1, 2, 3, tzinfo=UTC)
FROM_SECONDS, TO_SECONDS, STEP_SECONDS = -120, 420, 5


@dataclass
class Day:
    """A simulated day whose clock the test turns."""

    simulation: Simulation
    now: datetime

    def race(self) -> Race:
        """The first race is never abandoned, and has no scratching of note."""
        races = [race for meeting in card_of(self.simulation, racing_day(self.now)) for race in meeting.races]
        return min(races, key=lambda race: race.plan.closes_at)

    def truth(self, race: Race) -> MarketState:
        world = self.simulation.world
        return state_at(market_of(race.plan, world), shown_at(race.plan, world, self.now.timestamp()))


@pytest.fixture
def day(settings: Settings, make_partitions: Callable[..., None]) -> Iterator[Day]:
    make_partitions(*(racing_day(STARTED) + timedelta(days=offset) for offset in (-1, 0, 1)))
    day = Day(Simulation(seed="whole race", first_start=STARTED), STARTED)
    with tab_at_the_door(day.simulation, lambda: day.now, settings):
        yield day


async def poll_through(day: Day, race: Race, seen: list[dict[str, Any]]) -> None:
    async with FeedClient.from_settings() as feed:
        run = asyncio.get_running_loop().run_in_executor
        with ThreadPoolExecutor(max_workers=1) as writer:  # a thread is a connection
            await run(writer, store_day_card, await fetch_day_card(feed, racing_day(day.now)))
            for seconds in range(FROM_SECONDS, TO_SECONDS, STEP_SECONDS):
                day.now = datetime.fromtimestamp(race.plan.closes_at + seconds, UTC)
                await run(writer, process_answer, race.race_id, await feed.fetch_event(race.race_id))
                seen.append(await run(writer, look, race, day.truth(race)))
            await run(writer, connections.close_all)


def look(race: Race, truth: MarketState) -> dict[str, Any]:
    """What a client reads after a poll, and what was so."""
    client = Client()
    entrants = client.get("/api/entrants", {"raceId": race.race_id, "history": "2000"}).json()
    return {
        "truth": truth,
        "race": client.get(f"/api/races/{race.race_id}").json(),
        "entrants": {entrant["runner_number"]: entrant for entrant in entrants},
        "pools": client.get("/api/race-pools", {"race_id": race.race_id}).json(),
        "results": client.get("/api/race-results", {"race_id": race.race_id}),
    }


@pytest.fixture
def seen(day: Day) -> list[dict[str, Any]]:
    looks: list[dict[str, Any]] = []
    asyncio.run(poll_through(day, day.race(), looks))
    return looks


def test_a_whole_race_shows_in_the_client_api_as_it_happened(day: Day, seen: list[dict[str, Any]]) -> None:
    statuses = [status for status, _ in groupby(look["race"]["status"] for look in seen)]
    assert statuses == ["Open", "Closed", "Interim", "Final"]
    for look in seen:
        truth: MarketState = look["truth"]
        assert look["race"]["status"] == truth.status
        assert look["pools"]["win_pool_total"] == truth.pools["Win"]
        assert (look["race"]["actual_start"] is None) == (truth.status == "Open")
        assert look["results"].status_code == (200 if truth.status in {"Interim", "Final"} else 404)
        assert_money_is_near_the_truth(look)
    lengths = [len(look["entrants"][1]["money_flow_history"]) for look in seen]
    assert lengths == sorted(lengths)
    # The source refreshes every 15 s: two polls in three are unchanged and leave no reading.
    assert 3 < lengths[-1] <= len(seen) / 3 + 2

    final = seen[-1]["results"].json()
    market = market_of(day.race().plan, day.simulation.world)
    assert [row["runner_number"] - 1 for row in final["results_data"][:3]] == list(market.finish[:3])
    assert final["result_status"] == "final"
    assert {row["status"] for row in final["dividends_data"]} == {"Interim", "Final"}

    for runner_number, entrant in seen[-1]["entrants"].items():
        rows = list(MoneyFlowHistory.objects.filter(entrant_id=entrant["entrant_id"]).order_by("event_timestamp"))
        amounts = [row.win_pool_amount or 0 for row in rows]
        increments = [row.incremental_win_amount for row in rows]
        assert increments == [None, *(after - before for before, after in pairwise(amounts))]
        assert [point["win_pool_amount"] for point in entrant["money_flow_history"]] == amounts[::-1], runner_number


def assert_money_is_near_the_truth(look: dict[str, Any]) -> None:
    truth: MarketState = look["truth"]
    total = truth.pools["Win"]
    derived = {number: entrant["money_flow_history"][0] for number, entrant in look["entrants"].items()}
    assert sum(point["win_pool_amount"] for point in derived.values()) == pytest.approx(total, abs=len(derived))
    for number, point in derived.items():
        # A dividend cut down to 10 c leaves a favourite's share known to a few per cent of itself.
        assert point["win_pool_amount"] == pytest.approx(truth.win_cents[number - 1], abs=0.02 * total + 1)
        assert datetime.fromisoformat(point["timestamp"]).utcoffset() in {timedelta(hours=12), timedelta(hours=13)}
