"""The whole corridor: races polled at once, from the answer's arrival until it is committed and published.

This process replaces the poller; feed and cluster are separate processes, over the real broker. The worker's one log
line for each poll says when the poll was published, so only what always runs is measured.
"""

import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import httpx
from django.conf import settings
from django.db import connection
from msgspec import Struct
from psycopg.conninfo import make_conninfo

from benchmarks.feed import is_busy, open_races, past_racing
from benchmarks.figures import BenchmarkError, Figure, percentile
from benchmarks.load import free_port
from moneyflow import answers
from raceday import valkey
from raceday.feed.client import FeedClient, FeedError
from raceday.published import events
from raceday.run.process import ProcessTree, Program

CLUSTERS = ("write-0", "write-1", "publish")
WARM_UP = 5  # rounds: connections, plans, and the first rows of each race
PATIENCE_SECONDS = 30.0
LOOK_SECONDS = 0.004
PAUSE_SECONDS = 0.1
FIVE_RACES_MARK_MS = 40.0
FIVE_RACES_TARGET_SECONDS = 15.0
ALERT_MARKS_MS = {5: 150.0, 50: 300.0}


class Scenario(Struct, frozen=True):
    """So many races polled at once, so often, from a feed that takes so long."""

    races: int
    upstream_ms: int
    rounds: int

    @property
    def name(self) -> str:
        return f"{self.races}_races_{self.upstream_ms}_ms"


class Poll(Struct):
    """One poll: wall-clock Unix seconds of its steps, and what the worker logged.

    Published: committed, and no client gets an older body as current. Made: the new bodies are ready.
    """

    race_id: str
    asked: float
    in_hand: float
    published: float | None = None
    made: float | None = None
    publish_ms: float = 0.0
    outcome: str = ""


SCENARIOS = (Scenario(5, 0, 60), Scenario(5, 300, 40), Scenario(50, 0, 20), Scenario(50, 300, 20))


def measure(rounds: int | None) -> list[Figure]:
    """Poll 5 and 50 races at once, at 0 and 300 ms upstream, and measure how long each poll takes."""
    found: list[Figure] = []
    with TemporaryDirectory(prefix="raceday-bench-") as folder, ProcessTree() as tree:
        simulation = past_racing()
        races = iter(open_races(simulation))
        start_feed(tree, "--first-start", simulation.first_start.isoformat())
        with cluster(tree, Path(folder)) as log:
            for scenario in SCENARIOS:
                counted = rounds or scenario.rounds
                warm_up = min(WARM_UP, counted)
                busy = (race.race_id for race in races if is_busy(race, simulation.world, warm_up + counted))
                chosen = list(islice(busy, scenario.races))
                if len(chosen) < scenario.races:
                    raise BenchmarkError(f"the simulated races do not change {counted} times: take fewer --rounds.")
                polls = asyncio.run(poll_rounds(scenario, chosen, warm_up + counted, log))
                found += _figures(scenario, polls[warm_up:], lost_polls(list(chain(*polls))))
    return found


def _figures(scenario: Scenario, rounds: list[list[Poll]], lost: int) -> list[Figure]:
    polls = [poll for of_round in rounds for poll in of_round]
    published = [(poll, poll.published) for poll in polls if poll.published is not None]
    if not published:
        raise BenchmarkError("no poll was published: the cluster does not work.")
    to_publish = [(at - poll.in_hand) * 1000 for poll, at in published]
    to_commit = [(at - poll.in_hand) * 1000 - poll.publish_ms for poll, at in published]
    to_make = [(poll.made - poll.in_hand) * 1000 for poll in polls if poll.made is not None] or [0.0]
    to_tell, to_alert = (_until_told(polls, logged(kind)) for kind in (events.FLOW, events.Topic.ALERT))
    whole = [_seconds(of_round) for of_round in rounds]
    changed = sum(poll.outcome == "changed" for poll in polls)

    def told(name: str, what: str, figure: float, unit: str = "ms", **mark: float) -> Figure:
        return Figure(name=f"corridor.{scenario.name}.{name}", what=what, figure=figure, unit=unit, **mark)

    mark = {"at_most_paced": FIVE_RACES_MARK_MS} if scenario.races == 5 else {}
    alert = {"at_most": ALERT_MARKS_MS[scenario.races]}
    target = {"at_most": FIVE_RACES_TARGET_SECONDS} if scenario.races == 5 else {}
    return [
        told("committed_p50", f"answer in hand → committed: {changed} of {len(polls)} changed", median(to_commit)),
        told("committed_p99", "the same", percentile(to_commit, 0.99)),
        told("published_p50", "answer in hand → published", median(to_publish)),
        told("published_p99", "the same", percentile(to_publish, 0.99), "ms", **mark),
        told("told_p50", f"answer in hand → the streams know the reading, {len(to_tell)} readings", median(to_tell)),
        told("told_p99", "the same", percentile(to_tell, 0.99)),
        *(
            [
                told(
                    "alert_p99",
                    f"answer in hand → the streams know of alerts, {len(to_alert)} polls",
                    slowest,
                    "ms",
                    **alert,
                )
            ]
            if (slowest := percentile(to_alert or [0.0], 0.99))
            else []
        ),
        told("made_p50", f"answer in hand → new bodies ready, {len(to_make)} publications", median(to_make)),
        told("made_p99", "the same", percentile(to_make, 0.99)),
        told("round_p50", f"all {scenario.races} asked → all published, {len(rounds)} rounds", median(whole), "s"),
        told("round_max", "the same, slowest", max(whole), "s", **target),
        told("lost", "polls without a trace or readings, warm-up too", lost, "polls", at_most=0.0),
    ]


def logged(kind: str) -> dict[str, list[float]]:
    """Return when events of a kind were told to the streams, by race: Unix milliseconds of Valkey, ascending."""
    found: dict[str, list[float]] = {}
    entries: Any = valkey.client().xrange(valkey.key(events.LOG))
    for entry_id, fields in entries:
        if fields[b"kind"] == kind.encode():
            found.setdefault(fields[b"race"].decode(), []).append(float(entry_id.split(b"-")[0]))
    return found


def _until_told(polls: list[Poll], told: dict[str, list[float]]) -> list[float]:
    """Return the milliseconds from each answer in hand to its event; a poll without one is left out."""
    found = []
    for poll in polls:
        since, until = 1000 * poll.in_hand, 1000 * (poll.published or poll.in_hand)
        found += [at - since for at in told.get(poll.race_id, []) if since <= at <= until][:1]
    return found


def _seconds(polls: list[Poll]) -> float:
    ends = [poll.in_hand + PATIENCE_SECONDS if poll.published is None else poll.published for poll in polls]
    return max(ends) - min(poll.asked for poll in polls)


def lost_polls(polls: Sequence[Poll]) -> int:
    """Count polls without a log line or a PollRun, and changed ones without their readings."""
    sent = Counter(poll.race_id for poll in polls)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT race_id, count(*), count(*) FILTER (WHERE outcome = 'changed' AND NOT EXISTS ("
            "  SELECT FROM money_flow_history AS reading"
            "  WHERE reading.race_id = run.race_id AND reading.event_timestamp = run.generated_at))"
            " FROM poll_runs AS run WHERE race_id = ANY(%s) GROUP BY race_id",
            [list(sent)],
        )
        runs: dict[str, tuple[int, int]] = {race_id: (count, bare) for race_id, count, bare in cursor.fetchall()}
    untold = sum(poll.published is None for poll in polls)
    unwritten = sum(max(count - runs.get(race_id, (0, 0))[0], 0) for race_id, count in sent.items())
    return max(untold, unwritten) + sum(bare for _, bare in runs.values())


# ── Polling ─────────────────────────────────────────────────────────────────────────────────────


async def poll_rounds(scenario: Scenario, race_ids: Sequence[str], rounds: int, log: BinaryIO) -> list[list[Poll]]:
    await _set_latency(scenario.upstream_ms)
    gate = asyncio.Semaphore(settings.FEED_CONCURRENCY)
    found = []
    async with FeedClient.from_settings() as feed:
        for _ in range(rounds):
            polls = await asyncio.gather(*(_poll(feed, gate, race_id) for race_id in race_ids))
            await _await_published({poll.race_id: poll for poll in polls}, log)
            found.append(polls)
            await asyncio.sleep(PAUSE_SECONDS)
    return found


async def _poll(feed: FeedClient, gate: asyncio.Semaphore, race_id: str) -> Poll:
    """As moneyflow.polling.leader does it: fetch, and hand over as soon as the answer is in hand."""
    async with gate:
        asked = time.time()
        found = await feed.fetch_event(race_id)
    poll = Poll(race_id, asked, time.time())
    if isinstance(found, FeedError):
        raise BenchmarkError(f"the feed did not answer: {found.reason}.")
    await asyncio.to_thread(answers.hand_over, [(race_id, found)])
    return poll


async def _await_published(polls: dict[str, Poll], log: BinaryIO) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up and any(
        poll.published is None or (poll.outcome == "changed" and poll.made is None) for poll in polls.values()
    ):
        for line in _whole_lines(log):
            said = json.loads(line)
            at = datetime.fromisoformat(said["timestamp"]).timestamp()
            if said["event"] == "poll" and (poll := polls.get(said["race_id"])) and poll.published is None:
                poll.published, poll.outcome = at, said["outcome"]
                poll.publish_ms = said["publish_ms"] or 0.0
            elif said["event"] == "published" and (poll := polls.get(said["topic"].removeprefix("race:"))):
                poll.made = at
        await asyncio.sleep(LOOK_SECONDS)


def _whole_lines(log: BinaryIO) -> Iterator[bytes]:
    while (line := log.readline()).endswith(b"\n"):
        if line.startswith(b"{"):
            yield line
    log.seek(-len(line), os.SEEK_CUR)


# ── The processes ───────────────────────────────────────────────────────────────────────────────


def start_feed(tree: ProcessTree, *arguments: str, name: str = "benchmarks.feed") -> None:
    """Start a simulated feed of its own process, and wait until it answers."""
    port = free_port()
    settings.NZTAB_API_URL = f"http://127.0.0.1:{port}/affiliates/v1"
    settings.FEED_REQUESTS_PER_MINUTE = 0  # what is measured is not to wait for the budget
    argv = [sys.executable, "-m", name, "--port", str(port), *arguments]
    tree.start(Program(name="feed", argv=argv, env=os.environ))
    give_up = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up:
        try:
            httpx.get(f"http://127.0.0.1:{port}/_health", trust_env=False)
            return
        except httpx.HTTPError:
            time.sleep(0.05)
    raise BenchmarkError("the simulated feed did not start.")


async def _set_latency(upstream_ms: int) -> None:
    fault = {"fault": "latency", "seconds": upstream_ms / 1000} if upstream_ms else {"fault": None}
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.post(settings.NZTAB_API_URL.removesuffix("/affiliates/v1") + "/_control", json=fault)


@contextmanager
def cluster(tree: ProcessTree, folder: Path) -> Iterator[BinaryIO]:
    """A cluster of django-q2 as `./run` starts it, and its log to read."""
    log = folder / "cluster.log"
    (folder / "metrics").mkdir()
    own = {"LOG_LEVEL": "INFO", "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics")}
    log.touch()
    argv = [sys.executable, "manage.py", "qcluster"]
    clusters = [
        tree.start(Program(name=name, argv=argv, env=os.environ | own | _named(name), log=log)) for name in CLUSTERS
    ]
    try:
        with log.open("rb") as lines:
            yield lines
    finally:
        for cluster in clusters:
            tree.forget(cluster)  # they would write to the databases that are about to go


def _named(name: str) -> dict[str, str]:
    """Return the settings by which cluster and server know who it is."""
    return {
        "Q_CLUSTER_NAME": name,
        "DATABASE_URL": make_conninfo(os.environ["DATABASE_URL"], application_name=name),
    }
