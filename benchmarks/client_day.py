"""The share of a demo day's requests that stored responses answer: 500 clients with the client app's habits, over HTTP.

The processes are those of `./run demo`, in their own data folder, with a clock faster than real time. The clients use
the same clock. Every request counts from the first one: nothing is warmed up before the clients come.
"""

import asyncio
import http.client
import json
import os
import random
import signal
import sys
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote, urlencode

from msgspec import Struct, field

from benchmarks.figures import BenchmarkError, Figure
from benchmarks.load import HEAD_END, free_ports, read_head, request
from raceday.clock import Clock, parse_clock
from raceday.feed.records import ENDED
from raceday.run.process import Child, ProcessTree, Program

CLIENTS = 500
SPEED = 10
WALL_SECONDS = 90.0
WALL_SECONDS_A_ROUND = 10.0  # if --rounds is given, to try it out
ARRIVAL_SECONDS = 60.0  # of Raceday's time, within which all clients come
TIMEOUT_SECONDS = 5.0
START_SECONDS = 120.0
STOP_SECONDS = 20.0
SEED = 3
HIT_MARK_PERCENT = 99.0
HEADERS = {"Accept-Encoding": "gzip", "X-Race-Polling": "true"}
SOON_SECONDS = 300.0
# Seconds between polls by seconds to the start, from the farthest: the client's 2.5–30 min, then its 15–30 s.
HABITS = ((3600.0, (1800.0, 1800.0)), (1800.0, (600.0, 900.0)), (SOON_SECONDS, (150.0, 300.0)), (None, (15.0, 30.0)))
NOW_AND_THEN = 0.05  # of the polls also look at the day as a whole
DAY_PAGES = ("/api/meetings", "/api/races/upcoming", "/api/races/next-scheduled")
OUTCOMES = ("hit", "stale", "miss")


class Day(Struct, kw_only=True):
    """A demo day under way: where it is served, its clock, when we stop, and answers counted by route and outcome."""

    port: int
    clock: Clock
    ends: float
    rng: random.Random
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    watched: set[str] = field(default_factory=set)

    def is_over(self) -> bool:
        """Tell whether the clients go home."""
        return time.monotonic() >= self.ends

    async def sleep(self, seconds: float) -> None:
        """Wait so many seconds of Raceday's time, or until the day is over."""
        await asyncio.sleep(max(0.0, min(seconds / self.clock.speed, self.ends - time.monotonic())))


def measure(rounds: int | None) -> list[Figure]:
    """Run the demo with its clients for a while and return the share of answers that were ready."""
    seconds = min(WALL_SECONDS, WALL_SECONDS_A_ROUND * rounds) if rounds else WALL_SECONDS
    with demo(SPEED) as (port, clock):
        day = Day(port=port, clock=clock, ends=time.monotonic() + seconds, rng=random.Random(SEED))  # noqa: S311
        asyncio.run(_live(day))
    return figures(day.counts, f"{CLIENTS} clients, {seconds:.0f} s at speed {SPEED}, {len(day.watched)} races")


def figures(counts: Mapping[tuple[str, str], int], what: str) -> list[Figure]:
    """Tell the shares of hit, stale and miss, in percent of all requests, and where misses were."""
    total = sum(counts.values())
    if not total:
        raise BenchmarkError("no client asked for anything.")
    sums = {outcome: sum(n for (_, told), n in counts.items() if told == outcome) for outcome in OUTCOMES}
    misses = {route: n for (route, told), n in counts.items() if told == "miss"}
    faults = sorted({told for _, told in counts if told not in OUTCOMES})

    def told(name: str, what: str, figure: float, unit: str = "%", **mark: float) -> Figure:
        return Figure(name=f"serve.clients.{name}", what=what, figure=figure, unit=unit, **mark)

    ready = 100 * (sums["hit"] + sums["stale"]) / total
    by_route = [
        told(f"missed.{route}", f"misses among {sum(n for (of, _), n in counts.items() if of == route)}", n, "requests")
        for route, n in sorted(misses.items())
    ]
    return [
        told("ready", f"answered without Django: {what}", ready, at_least=HIT_MARK_PERCENT),
        *(told(outcome, f"X-Cache: {outcome.upper()}", 100 * n / total) for outcome, n in sums.items()),
        told("requests", "in all", total, "requests"),
        told(
            "failed",
            ", ".join(faults) or "without an answer or X-Cache",
            total - sum(sums.values()),
            "requests",
            at_most=0.0,
        ),
        *by_route,
    ]


# ── A client ────────────────────────────────────────────────────────────────────────────────────


def habit(seconds_to_start: float) -> tuple[float, float]:
    """Return the least and most seconds a client waits before it looks at a race again.

    >>> habit(3601.0), habit(299.0), habit(-60.0)
    ((1800.0, 1800.0), (15.0, 30.0), (15.0, 30.0))
    """
    return next(span for least, span in HABITS if least is None or seconds_to_start > least)


class Client:
    """One client app: its open connection, and the race it follows."""

    def __init__(self, day: Day) -> None:
        self.day = day
        self.stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def live(self) -> None:
        """Come some time in the first minute, and follow one race after the other."""
        await self.day.sleep(self.day.rng.uniform(0, ARRIVAL_SECONDS))
        try:
            while not self.day.is_over():
                await self.follow_one()
        finally:
            self.close()

    async def follow_one(self) -> None:
        """Look at the day, choose a race, those that start next first, and poll it to its end."""
        for path in DAY_PAGES:
            await self.get(path)
        upcoming = await self.get("/api/races/upcoming") or {"races": []}
        if not upcoming["races"]:
            return await self.day.sleep(SOON_SECONDS)
        weights = [1 / (place + 1) for place in range(len(upcoming["races"]))]
        race = self.day.rng.choices(upcoming["races"], weights)[0]
        await self.get("/api/races", meeting_id=race["meeting_id"])
        await self.get("/api/races/navigation", race_id=race["race_id"])
        self.day.watched.add(race["race_id"])
        await self.follow(race["race_id"])

    async def follow(self, race_id: str) -> None:
        """Poll a race until it has ended, as often as the client app does."""
        created_after: str | None = None
        while not self.day.is_over():
            race = await self.get(f"/api/races/{quote(race_id)}", "/api/races/ID")
            entrants = await self.get("/api/entrants", race_id=race_id)
            await self.get("/api/race-pools", race_id=race_id)
            if entrants:
                created_after = await self.read_timeline(race_id, entrants, created_after)
            if race and race["status"] in {"Closed", "Interim", *ENDED}:
                await self.get("/api/race-results", race_id=race_id)
            if self.day.rng.random() < NOW_AND_THEN:
                await self.get(self.day.rng.choice(DAY_PAGES))
                await self.get("/api/races/navigation", race_id=race_id)
            if race and race["status"] in ENDED:
                return
            start = datetime.fromisoformat(race["start_time"]).timestamp() if race else 0.0
            await self.wait(start - self.day.clock.timestamp())

    async def wait(self, seconds_to_start: float) -> None:
        """Wait as is the client's habit, but not past the moment from which it looks more often."""
        seconds = self.day.rng.uniform(*habit(seconds_to_start))
        if seconds_to_start > SOON_SECONDS:
            seconds = min(seconds, seconds_to_start - SOON_SECONDS + self.day.rng.uniform(0, 15))
        await self.day.sleep(seconds)

    async def read_timeline(self, race_id: str, entrants: list[Any], created_after: str | None) -> str | None:
        """Read all new pages, and return where to continue."""
        query = {"race_id": race_id, "entrants": ",".join(entrant["entrant_id"] for entrant in entrants)}
        if created_after:
            query["created_after"] = created_after
        following, cursor = created_after, dict[str, str]()
        while page := await self.get("/api/money-flow-timeline", **query, **cursor):
            following = following if cursor else page["next_created_at"]
            if not page["next_cursor"]:
                break
            cursor = {"cursor_after": page["next_cursor"]}
        return following

    async def get(self, path: str, route: str = "", **query: str) -> Any:
        """Send one request, count how it was answered, and return the body, or None."""
        if self.day.is_over():
            return None
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                status, outcome, body = await self._exchange(f"{path}?{urlencode(query)}" if query else path)
        except (OSError, EOFError, TimeoutError) as fault:
            status, outcome, body = 0, type(fault).__name__, b""
            self.close()
        self.day.counts[route or path, outcome if status in {200, 404} else f"{status} {outcome}"] += 1
        return json.loads(body) if status == 200 else None

    async def _exchange(self, address: str) -> tuple[int, str, bytes]:
        if self.stream is None or self.stream[0].at_eof():  # a server closes connections that were silent for long
            self.close()
            self.stream = await asyncio.open_connection("127.0.0.1", self.day.port)
        reader, writer = self.stream
        writer.write(request(address, HEADERS))
        head = await reader.readuntil(HEAD_END)
        status, length = read_head(head)
        body = await reader.readexactly(length)
        told = head.lower()
        outcome = next((outcome for outcome in OUTCOMES if f"x-cache: {outcome}".encode() in told), "no X-Cache")
        return status, outcome, zlib.decompress(body, 31) if b"content-encoding: gzip" in told else body

    def close(self) -> None:
        """Hang up."""
        if self.stream is not None:
            self.stream[1].close()
        self.stream = None


async def _live(day: Day) -> None:
    async with asyncio.TaskGroup() as clients:
        for _ in range(CLIENTS):
            clients.create_task(Client(day).live())


# ── The demo ────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def demo(speed: int, **settings: str) -> Iterator[tuple[int, Clock]]:
    """`./run demo` in a throw-away home; yields where it listens, and its clock."""
    with TemporaryDirectory(prefix="day-") as folder, ProcessTree() as tree:
        home, port = Path(folder), free_ports()
        home.chmod(0o711)  # the account of PostgreSQL passes through
        own = {"RACEDAY_HOME": folder, "DATABASE_URL": "", "REDIS_URL": "", "LOG_LEVEL": "WARNING"}
        own |= {"RATE_LIMIT_PER_MINUTE": "0", "RATE_LIMIT_EXPENSIVE_PER_5_MINUTES": "0", **settings}
        argv = [sys.executable, "-m", "raceday.run.supervisor", "demo", "--port", str(port), "--speed", str(speed)]
        log = home / "demo.log"
        demo = tree.start(Program(name="demo", argv=argv, env={**os.environ, **own}, log=log, restarts=False))
        try:
            _await_ready(demo, log, port)
            yield port, parse_clock(json.loads((home / "running.json").read_text())["RACEDAY_CLOCK"])
        finally:
            _stop(demo)


def _await_ready(demo: Child, log: Path, port: int) -> None:
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up and demo.process.poll() is None:
        if "Raceday is ready." in log.read_text() and _is_healthy(port):
            return
        time.sleep(0.1)
    raise BenchmarkError(f"the demo did not start: {log.read_text()[-500:]}")


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    with suppress(OSError):
        connection.request("GET", "/api/health")
        return connection.getresponse().status == 200
    return False


def _stop(demo: Child) -> None:
    """Leaves the demo the time to stop its servers: they write into the folder that is about to go."""
    demo.process.send_signal(signal.SIGTERM)
    give_up = time.monotonic() + STOP_SECONDS
    while time.monotonic() < give_up and demo.process.poll() is None:
        time.sleep(0.05)
