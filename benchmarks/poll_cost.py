"""What a changed poll costs in processor time, from the fetch to the event, in each process that has a part in it.

`python -m benchmarks.poll_cost RACE_ID …` stands for the poller: for each number that it reads it fetches all races so
many times, once a second, and hands over as the poller does. All other processes are Raceday's own.
"""

import asyncio
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

import psutil  # type: ignore[import-untyped]
from django.conf import settings
from django.db import connection
from django.test import Client
from msgspec import Struct

from benchmarks import corridor
from benchmarks.feed import is_busy, open_races, past_racing
from benchmarks.figures import BenchmarkError, Figure, percentile
from benchmarks.load import cpu_seconds, processes, request
from benchmarks.stream import streams_process
from moneyflow import answers
from moneyflow.polling.outbox import Outbox
from raceday import valkey
from raceday.feed.client import FeedClient
from raceday.processes import die_with_parent
from raceday.published.resources import ROUNDS
from raceday.run.process import ProcessTree

RACES, LEGS = 10, 3  # legs of ROUNDS, for as long as a body that was requested is made again
WARM_UP = 10  # rounds: connections, plans, and some history
IDLE_SECONDS, QUIET_SECONDS = 5.0, 1.0
MARK_MS = 10.0
PARTS = {
    "poller": "fetch, hand over",
    "writers": "unpack, parse, transform, judge, read, write, tell the streams of the reading",
    "writers_postgresql": "their statements",
    "publisher": "read, render, compress, tell the streams of the rest",
    "publisher_postgresql": "its statements",
    "postgresql": "journal, checkpoints",
    "valkey": "whatever goes through it",
    "streams": "one subscriber a race",
}
READ = ("publisher", "publisher_postgresql", "valkey")
OF_CLUSTER = {"write-0": "writers", "write-1": "writers", "publish": "publisher"}
SERVER = """
SELECT application_name, pid FROM pg_stat_activity
WHERE application_name = ANY(%s) AND datname = current_database() OR backend_type <> 'client backend'
"""
READING = re.compile(rb'event: flow\ndata: \{"race_id":"[^"]*","polled_at":"([^"]+)"')
Used = dict[str, float]  # milliseconds of a processor, by part


class Cost(Struct, frozen=True, kw_only=True):
    """What a poll took in each part, of so many polls and publications of races."""

    parts: Used
    polls: int
    published: int

    @property
    def whole(self) -> float:
        return sum(self.parts.values())


def measure(rounds: int | None) -> list[Figure]:
    """Take what each part costs: while nobody reads the races, and while somebody reads each race's entrants."""
    legs = min(rounds or LEGS, LEGS)
    with TemporaryDirectory(prefix="raceday-bench-") as folder, ProcessTree() as tree:
        simulation = past_racing()
        corridor.start_feed(tree, "--first-start", simulation.first_start.isoformat())
        most = WARM_UP + 2 * legs * ROUNDS
        busy = (race.race_id for race in open_races(simulation) if is_busy(race, simulation.world, most))
        race_ids = list(islice(busy, RACES))
        with (
            corridor.cluster(tree, Path(folder)) as log,
            streams_process() as (streams, port),
            poller(race_ids) as polling,
            subscribers(port, race_ids) as delays_ms,
        ):
            meter = Meter(polling, race_ids, streams=streams.pid, log=Path(str(log.name)))
            meter.poll(WARM_UP)
            standing = meter.stand()
            unread = meter.cost(legs, standing)
            read = meter.cost(legs, standing, is_read=True)
    return _figures(standing, unread, read, delays_ms)


def _figures(standing: Used, unread: Cost, read: Cost, delays_ms: Sequence[float]) -> list[Figure]:
    def told(name: str, what: str, figure: float, unit: str = "ms", **mark: float) -> Figure:
        return Figure(name=f"poll_cost.{name}", what=what, figure=figure, unit=unit, **mark)

    whole = f"CPU of a changed poll in all processes, of {unread.polls}; nobody reads the races"
    return [
        told("sum", whole, unread.whole, at_most_paced=MARK_MS),
        *(told(name, f"of which {what}", unread.parts[name]) for name, what in PARTS.items()),
        told("published", "publications of races for each poll", unread.published / unread.polls, "×"),
        told("read.sum", "the same, somebody reads the entrants of each race", read.whole),
        *(told(f"read.{name}", "of which", read.parts[name]) for name in READ),
        told("read.published", "the same", read.published / read.polls, "×"),
        told("standing", "CPU of all processes in a second without polls, beside the above", sum(standing.values())),
        told("told_p50", f"answer in hand → subscriber, {len(delays_ms)} readings", percentile(delays_ms, 0.5)),
        told("told_p99", "the same", percentile(delays_ms, 0.99)),
    ]


class Meter:
    """Has races polled and counts what processes use for it."""

    def __init__(self, polling: "subprocess.Popen[str]", race_ids: Sequence[str], *, streams: int, log: Path) -> None:
        self._polling, self._race_ids, self._log = polling, race_ids, log
        self._fixed = {"poller": [polling.pid], "streams": [streams]}
        self._fixed["valkey"] = [valkey.client().info("server")["process_id"]]

    def stand(self) -> Used:
        """Return what each part takes in a second without polls."""
        before = self._used()
        time.sleep(IDLE_SECONDS)
        return {name: (used - before[name]) / IDLE_SECONDS for name, used in self._used().items()}

    def cost(self, legs: int, standing: Used, *, is_read: bool = False) -> Cost:
        """Return what a poll takes in each part, without what the part takes anyhow."""
        began, before, published = time.monotonic(), self._used(), self._published()
        for _ in range(legs):
            for race_id in self._race_ids if is_read else ():
                _read_entrants(race_id)
            self.poll(ROUNDS)
        seconds, after, polls = time.monotonic() - began, self._used(), legs * ROUNDS * len(self._race_ids)
        parts = {name: (after[name] - before[name] - standing[name] * seconds) / polls for name in PARTS}
        return Cost(parts=parts, polls=polls, published=self._published() - published)

    def poll(self, rounds: int) -> None:
        """Have all races polled once a second, so many times, and wait until nothing is left to do."""
        assert self._polling.stdin
        assert self._polling.stdout
        self._polling.stdin.write(f"{rounds}\n")
        self._polling.stdin.flush()
        if not self._polling.stdout.readline():
            raise BenchmarkError("the poller has ended.")
        give_up, size = time.monotonic() + corridor.PATIENCE_SECONDS, -1
        while answers.waiting() or size != self._log.stat().st_size:
            if time.monotonic() > give_up:
                raise BenchmarkError("the polls were not all written and published.")
            size = self._log.stat().st_size
            time.sleep(QUIET_SECONDS)

    def _published(self) -> int:
        return self._log.read_bytes().count(b'"topic": "race:')

    def _used(self) -> Used:
        parts = defaultdict(list, {name: list(pids) for name, pids in self._fixed.items()})
        for child in psutil.Process().children():
            if name := child.environ().get("Q_CLUSTER_NAME"):
                parts[OF_CLUSTER[name]] += processes(child.pid)
        with connection.cursor() as cursor:
            cursor.execute(SERVER, [list(OF_CLUSTER)])
            for name, pid in cursor.fetchall():
                parts[f"{OF_CLUSTER[name]}_postgresql" if name in OF_CLUSTER else "postgresql"].append(pid)
        return {name: 1000 * cpu_seconds(parts[name]) for name in PARTS}


def _read_entrants(race_id: str) -> None:
    """Request entrants as a client does. What that takes is this process's, and counted nowhere."""
    answer = Client(SERVER_NAME="localhost").get("/api/entrants", {"race_id": race_id})
    if answer.status_code != 200:
        raise BenchmarkError(f"entrants were answered with {answer.status_code}.")


# ── Who follows the races ───────────────────────────────────────────────────────────────────────


@contextmanager
def subscribers(port: int, race_ids: Sequence[str]) -> Iterator[list[float]]:
    """Follow each race with a stream; yields how long each reading was under way, complete at the end."""
    delays_ms: list[float] = []
    lines = [socket.create_connection(("127.0.0.1", port)) for _ in race_ids]
    for line, race_id in zip(lines, race_ids, strict=True):
        line.sendall(request(f"/api/stream?race_id={race_id}&topics=flow,pool,odds", {}))
    reader = Thread(target=_read, args=(lines, delays_ms))
    reader.start()
    try:
        yield delays_ms
    finally:
        for line in lines:
            line.shutdown(socket.SHUT_RDWR)
        reader.join()


def _read(lines: Sequence[socket.socket], delays_ms: list[float]) -> None:
    rest: dict[socket.socket, bytes] = dict.fromkeys(lines, b"")
    with selectors.DefaultSelector() as selector:
        for each in lines:
            selector.register(each, selectors.EVENT_READ)
        while rest:
            for key, _ in selector.select():
                line: Any = key.fileobj
                if not (received := line.recv(1 << 20)):
                    selector.unregister(line)
                    del rest[line]
                    continue
                now = time.time()
                whole, _, rest[line] = (rest[line] + received).rpartition(b"\n\n")
                polled = map(datetime.fromisoformat, (found.decode() for found in READING.findall(whole)))
                delays_ms += [(now - at.timestamp()) * 1000 for at in polled]


# ── Who polls them ──────────────────────────────────────────────────────────────────────────────


@contextmanager
def poller(race_ids: Sequence[str]) -> Iterator["subprocess.Popen[str]"]:
    """Run this module as the poller of these races."""
    polling = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.poll_cost", *race_ids],
        env={**os.environ, "NZTAB_API_URL": settings.NZTAB_API_URL},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509 this is the only thread
    )
    try:
        yield polling
    finally:
        polling.kill()
        polling.wait()


async def _poll_for_ever(race_ids: Sequence[str]) -> None:
    outbox = Outbox()
    async with FeedClient.from_settings() as feed, asyncio.TaskGroup() as group:
        group.create_task(outbox.hand_over())
        while line := await asyncio.to_thread(sys.stdin.readline):
            began = asyncio.get_running_loop().time()
            places = [began + place / len(race_ids) for place in range(len(race_ids))]
            due = [[place + second for second in range(int(line))] for place in places]
            await asyncio.gather(*(_follow(feed, outbox, *each) for each in zip(race_ids, due, strict=True)))
            print("polled", flush=True)


async def _follow(feed: FeedClient, outbox: Outbox, race_id: str, due: Sequence[float]) -> None:
    for at in due:
        await asyncio.sleep(at - asyncio.get_running_loop().time())
        outbox.put(race_id, await feed.fetch_event(race_id))


if __name__ == "__main__":
    asyncio.run(_poll_for_ever(sys.argv[1:]))
