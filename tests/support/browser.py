"""What tests in a browser ask for: addresses of pages, races to open, and programs to stop."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]
from hypothesis import HealthCheck, settings

from faults.deeds import send
from faults.tree import Tree
from tests.support.streams import eventually

# Generated cases for one page, which all of them share.
in_one_page = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
SPEED = 20  # of Raceday's clock: a second of the machine is as many seconds of the races
PAGES = ("today", "race", "late-money", "record", "status")


def ask(base_url: str, address: str, **query: Any) -> Any:
    """Return a body of the API."""
    return httpx.get(f"{base_url}{address}", params=query, trust_env=False).raise_for_status().json()


def open_race(base_url: str, *, after_seconds: float = 12) -> str:
    """Return the next race that starts in so many seconds of the machine's time or later; wait at a card's end."""
    races: list[str] = []

    def is_found() -> bool:
        found = ask(base_url, "/api/races/upcoming", limit=100)
        since = instant(found["timestamp"]) + after_seconds * SPEED
        is_open = [race for race in found["races"] if race["status"] == "Open"]
        races.extend(race["race_id"] for race in is_open if instant(race["start_time"]) > since)
        return bool(races)

    eventually(is_found)
    return races[0]


def address_of(name: str, base_url: str) -> str:
    """Return where a page is; that of a race is an open one's."""
    if name == "race":
        return f"/races/{open_race(base_url)}"
    return "/" if name == "today" else f"/{name}"


def instant(text: str) -> float:
    """Return Unix seconds."""
    return datetime.fromisoformat(text).timestamp()


def parts(tree: Tree, part: str, cluster: str | None = None) -> list[psutil.Process]:
    """Return the tree's programs of a kind with all below them."""
    programs = tree.programs(part)
    if cluster is not None:
        programs = [each for each in programs if each.environ().get("Q_CLUSTER_NAME") == cluster]
    found = [process for program in programs for process in [program, *program.children(recursive=True)]]
    assert found
    return found


@contextmanager
def stopped(processes: list[psutil.Process]) -> Iterator[None]:
    send(signal.SIGSTOP, processes)
    try:
        yield
    finally:
        send(signal.SIGCONT, processes)
