"""A simulated TAB behind real HTTP, with a clock the test sets."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from raceday.racing_day import racing_day
from raceday.simulator.day import Race, Simulation, card_of
from raceday.simulator.envelope import ROOT
from raceday.simulator.running import running
from raceday.simulator.server import simulated_app

STARTED = datetime(2026, 11, 21, 1, 2, 3, tzinfo=UTC)
ALL_FLAGS = {
    "with_money_tracker": "true",
    "with_tote_trends_data": "true",
    "with_big_bets": "true",
    "with_biggest_bet": "true",
    "with_live_bets": "true",
    "with_will_pays": "true",
}


@dataclass
class Tab:
    """The TAB under test. Each test may move `now`."""

    simulation: Simulation
    client: httpx.Client
    now: datetime = STARTED

    @property
    def races(self) -> list[Race]:
        return [race for meeting in card_of(self.simulation, racing_day(STARTED)) for race in meeting.races]

    def at(self, unix_seconds: float) -> "Tab":
        self.now = datetime.fromtimestamp(unix_seconds, UTC)
        return self

    def get(self, path: str, **params: str) -> httpx.Response:
        return self.client.get(f"{ROOT}{path}", params=params)

    def event(self, race: Race, **params: str) -> Any:
        answer = self.get(f"/events/{race.race_id}", **params)
        assert answer.status_code == 200
        return answer.json()["data"]

    def control(self, **fault: object) -> httpx.Response:
        return self.client.post("/_control", json=fault)


@pytest.fixture(scope="module")
def served() -> Iterator[Tab]:
    simulation = Simulation(seed="tests", first_start=STARTED)
    tab: Tab
    with (
        running(simulated_app(lambda _: [simulation], lambda: tab.now)) as url,
        httpx.Client(base_url=url, timeout=5) as client,
    ):
        tab = Tab(simulation, client)
        yield tab


@pytest.fixture
def tab(served: Tab) -> Iterator[Tab]:
    served.now = STARTED + timedelta(seconds=90)
    yield served
    served.control(fault=None)
