"""Races of the simulator in their last five minutes at once, polled by the real poller and stored by real writers."""

import asyncio
import json
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import psycopg
from django.conf import settings

from benchmarks.corridor import cluster, start_feed
from benchmarks.figures import BenchmarkError
from benchmarks.fresh_feed import WORLD, refreshes, second_race, simulations
from benchmarks.fresh_plan import Followed
from moneyflow.pipeline import process_answer
from moneyflow.polling import election
from raceday import clock
from raceday.feed.client import FeedClient
from raceday.models import PollRun
from raceday.queue.broker import StreamBroker
from raceday.run.process import ProcessTree
from raceday.simulator.day import Race
from races.cadence import SOON

LONGEST_AFTER_START_SECONDS = 60.0  # that a race is followed
READ = ("changed", "unchanged")


def poll() -> list[Followed]:
    """Follow the races until they close, and return what became of them."""
    first_start = clock.now()
    races = list(map(second_race, simulations(first_start)))
    with TemporaryDirectory(prefix="raceday-bench-") as folder, ProcessTree() as tree:
        start_feed(tree, "--first-start", first_start.isoformat(), name="benchmarks.fresh_feed")
        with cluster(tree, Path(folder)) as log:
            asyncio.run(_follow(races))
            stored = _stored_at(log.read().splitlines())
    return [_followed(race, stored.get(race.race_id, [])) for race in races]


async def _follow(races: Sequence[Race]) -> None:
    async with FeedClient.from_settings() as feed:
        for race in races:
            found = await feed.fetch_event(race.race_id)
            await asyncio.to_thread(process_answer, race.race_id, found)
    last = max(map(_ends_at, races))
    with psycopg.connect(settings.DATABASE_URL, autocommit=True) as connection, suppress(TimeoutError):
        async with asyncio.timeout(last - time.time()):
            await election.lead(connection, StreamBroker(list_key="default"))


def _stored_at(lines: Iterable[bytes]) -> dict[str, list[float]]:
    """Return when the answers about each race were stored, by the writers' log."""
    found: dict[str, list[float]] = {}
    for line in lines:
        if line.startswith(b"{") and (said := json.loads(line))["event"] == "poll" and said["outcome"] in READ:
            found.setdefault(said["race_id"], []).append(datetime.fromisoformat(said["timestamp"]).timestamp())
    return found


def _followed(race: Race, stored: Sequence[float]) -> Followed:
    """Tell what became of a race, in seconds since its last five minutes began."""
    began = race.plan.advertised_at - SOON.total_seconds()
    came = np.array(refreshes(race, began - 2 * WORLD.refresh_seconds, _ends_at(race)))
    polls = PollRun.objects.filter(race_id=race.race_id, outcome__in=READ).order_by("polled_at")
    told = polls.values_list("polled_at", "fetch_ms")
    asked = [at.timestamp() - (fetch_ms or 0.0) / 1000 for at, fetch_ms in told][1:]  # the first is this process's own
    if not stored or abs(len(asked) - len(stored)) > 2:
        raise BenchmarkError(f"{len(asked)} polls of a race were stored, and {len(stored)} logged.")
    readings = [
        (at - began, float(came[max(int(np.searchsorted(came, since, "right")) - 1, 0)]) - began)
        for at, since in zip(stored, asked, strict=False)
    ]
    is_counted = [began <= since < _ends_at(race) for since in asked]
    return Followed(sum(is_counted), readings, came - began, _ends_at(race) - began)


def _ends_at(race: Race) -> float:
    return min(race.plan.closes_at, race.plan.advertised_at + LONGEST_AFTER_START_SECONDS)
