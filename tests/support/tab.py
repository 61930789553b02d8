"""A simulated TAB at the feed's door, with faults to switch on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import httpx
from pytest_django import Settings

from raceday.feed.host import key_of
from raceday.queue.broker import valkey
from raceday.simulator.day import Simulation
from raceday.simulator.envelope import ROOT
from raceday.simulator.running import running
from raceday.simulator.server import simulated_app


@contextmanager
def tab_at_the_door(simulation: Simulation, now: Callable[[], datetime], settings: Settings) -> Iterator[str]:
    """Serve a simulation, make it the feed while the context lasts, and give its address."""
    with running(simulated_app(lambda _: [simulation], now)) as url:
        settings.NZTAB_API_URL = f"{url}{ROOT.removesuffix('/racing')}"
        valkey().delete(key_of(url))  # of another test's, which had the same port
        yield url


def control(tab: str, fault: str | None, **options: Any) -> None:
    """Switch a fault on, or with None off."""
    httpx.post(f"{tab}/_control", json={"fault": fault, **options}).raise_for_status()
