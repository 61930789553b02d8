"""Live streams: the time of an event from the log to a thousand subscribers, the memory of ten thousand, boards."""

import os
import resource
import selectors
import signal
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import msgspec
import psutil  # type: ignore[import-untyped]

from benchmarks.figures import BenchmarkError, Figure, percentile
from benchmarks.load import free_port
from moneyflow.live.examples import LIVE
from moneyflow.live.readings import COLUMNS
from raceday import valkey
from raceday.processes import die_with_parent
from raceday.published import events, shelf
from races import examples

RACES = 50
STREAMS, EVENTS_A_SECOND, SECONDS = 1000, 5, 10
MANY = 10_000
SPARE_FILES = 200
MARK_MS = 150
START_SECONDS = 15.0
NEWS = {"race_id": examples.IDS["race_id"], "polled_at": examples.POLLED}
POOLS = {"pools": examples.POOLS}
STAMP = b'"told_at":'
BOARDS, BOARD_RACES = 1000, 5
BOARD_MARK_US = 40
BOARD_TOPICS = "topics=pool,odds,status,alert,flow,ping"
POLL_SECONDS, BODIES_SECONDS = 5.0, 0.05  # the cadence before the close; bodies are made after the commit
RUNNERS, EVENTS_A_POLL = 14, 3


def measure(rounds: int | None) -> list[Figure]:
    """Time the way to 1,000 subscribers for `rounds` seconds, and measure the memory of 10,000."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < MANY + SPARE_FILES:
        raise BenchmarkError(f"{MANY} streams need that many open files, and this account may have {most}.")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    tell_bodies()
    with streams_process() as (process, port):
        readers = Readers(port, STREAMS)
        delays_ms, cpu_us = _follow(readers, process, rounds or SECONDS)
        readers.close()
    with streams_process() as (process, port):
        before = process.memory_info().rss
        readers = Readers(port, MANY)
        weight_kb = (process.memory_info().rss - before) / MANY / 1000
        burst_ms = _tell_all(readers)
        readers.close()
    what = f"{STREAMS} streams × {EVENTS_A_SECOND} events/s, log → reader"
    return [
        Figure(name="stream.p99", what=what, figure=percentile(delays_ms, 0.99), unit="ms", at_most=MARK_MS),
        Figure(name="stream.p50", what="the same", figure=percentile(delays_ms, 0.5), unit="ms"),
        Figure(name="stream.cpu", what="a delivery, in the streams' process", figure=cpu_us, unit="µs"),
        Figure(name="stream.held", what="streams open in one process", figure=MANY, unit="streams", at_least=MANY),
        Figure(name="stream.weight", what=f"memory a stream, of {MANY}", figure=weight_kb, unit="kB"),
        Figure(name="stream.burst", what=f"an event to each of {MANY}, the last", figure=burst_ms, unit="ms"),
    ]


def measure_boards(seconds: int) -> Figure:
    """Measure what a board costs the streams' process: all topics, readings and pings of a race before its close.

    Each race is polled every five seconds and each poll changes it: a reading at once, the deltas with the bodies.
    """
    tell_bodies()
    with streams_process() as (process, port):
        boards = Readers(port, BOARDS, races=BOARD_RACES, topics=BOARD_TOPICS)
        list(boards.delays_ms(POLL_SECONDS))  # the snapshots and first pings are no part of a second
        began, cpu_began = time.monotonic(), sum(process.cpu_times()[:2])
        told = 0
        for turn in range(seconds):  # of five races one is polled each second
            _tell_poll(turn % BOARD_RACES)
            told += len(list(boards.delays_ms(POLL_SECONDS / BOARD_RACES - BODIES_SECONDS)))
        cpu_us = (sum(process.cpu_times()[:2]) - cpu_began) / (time.monotonic() - began) / BOARDS * 1e6
        boards.close()
    if told < seconds * EVENTS_A_POLL * BOARDS // BOARD_RACES:
        raise BenchmarkError(f"Boards were told {told} events, which is too few.")
    what = f"a board a second, in the streams' process, of {BOARDS} at {BOARD_RACES} races"
    return Figure(name="board.stream", what=what, figure=cpu_us, unit="µs", at_most_paced=BOARD_MARK_US)


def _tell_poll(race: int) -> None:
    ids = [NEWS["race_id"]] * RUNNERS
    _log(race, ("flow", {"timestamp": 0, "entrant_ids": ids, **dict.fromkeys(COLUMNS, [27.31] * RUNNERS)}))
    time.sleep(BODIES_SECONDS)
    holds = [{"entrant_id": entrant_id, "hold_percentage": 18.5} for entrant_id in ids]
    odds = [{"entrant_id": entrant_id, "fixed_win_odds": 4.2, "pool_win_odds": 3.1} for entrant_id in ids]
    _log(race, ("pool", {**POOLS, "entrants": holds}), ("odds", {"entrants": odds}))


class Readers:
    """Many clients in one process; each has its first body when this is made."""

    def __init__(self, port: int, count: int, *, races: int = RACES, topics: str = "") -> None:
        self.selector = selectors.DefaultSelector()
        for number in range(count):
            client = socket.create_connection(("127.0.0.1", port))
            query = f"race_id=bench-{number % races}&{topics}".rstrip("&")
            client.sendall(f"GET /api/stream?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            client.setblocking(False)
            self.selector.register(client, selectors.EVENT_READ)
        missing = {key.fd for key in self.selector.get_map().values()}
        give_up = time.monotonic() + 60
        while missing and time.monotonic() < give_up:
            for key, _ in self.selector.select(1):
                if b"event: snapshot" in key.fileobj.recv(1 << 20):  # type: ignore[union-attr]
                    missing.discard(key.fd)
        if missing:
            raise BenchmarkError(f"{len(missing)} of {count} streams were not served.")
        self.count = count

    def delays_ms(self, seconds: float) -> Iterator[float]:
        """Read for so long what comes, and yield how long each event was under way."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            for key, _ in self.selector.select(left):
                received = key.fileobj.recv(1 << 20)  # type: ignore[union-attr]
                now = time.time()
                for part in received.split(STAMP)[1:]:
                    yield (now - float(part[: part.index(b"}")])) * 1000

    def close(self) -> None:
        """Hang up."""
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]


def _follow(readers: Readers, process: psutil.Process, seconds: int) -> tuple[list[float], float]:
    """Races take turns: each has an event five times a second, evenly."""
    delays: list[float] = []
    began = sum(process.cpu_times()[:2])
    due = time.monotonic()
    for number in range(seconds * EVENTS_A_SECOND * RACES):
        tell(number % RACES)
        due += 1 / (EVENTS_A_SECOND * RACES)
        delays += readers.delays_ms(due - time.monotonic())
    delays += readers.delays_ms(1)
    expected = readers.count * EVENTS_A_SECOND * seconds
    if len(delays) != expected:
        raise BenchmarkError(f"{len(delays)} events arrived, not {expected}.")
    return delays, (sum(process.cpu_times()[:2]) - began) / expected * 1e6


def _tell_all(readers: Readers) -> float:
    for race in range(RACES):
        tell(race)
    delays: list[float] = []
    give_up = time.monotonic() + 20
    while len(delays) < readers.count and time.monotonic() < give_up:
        delays += readers.delays_ms(0.1)
    if len(delays) != readers.count:
        raise BenchmarkError(f"{len(delays)} of {readers.count} streams were told.")
    return max(delays)


def tell(race: int) -> None:
    _log(race, ("pool", POOLS))


def _log(race: int, *told: tuple[str, Mapping[str, object]]) -> None:
    with valkey.client().pipeline(transaction=True) as pipe:  # as a publication logs its events
        for kind, data in told:
            written = msgspec.json.encode({**NEWS, **data, "told_at": time.time()})
            entry = {"race": f"bench-{race}", "meeting": "bench", "kind": kind, "data": written}
            pipe.xadd(valkey.key(events.LOG), entry, maxlen=events.MOST_EVENTS)
        pipe.execute()


def tell_bodies() -> None:
    body = {**LIVE, "entrants": [examples.ENTRANT] * 14}
    for race in range(RACES):
        told = b"v1\n" + zlib.compress(msgspec.json.encode(body))
        mark = shelf.write_mark(shelf.Mark(examples.POLLED, time.time(), 0.0, examples.POLLED))
        valkey.client().hset(shelf.name_of(f"race:bench-{race}"), mapping={"told": told, "mark": mark})


@contextmanager
def streams_process() -> Iterator[tuple[psutil.Process, int]]:
    port = free_port()
    limits = {"STREAMS_MAX": "20000", "STREAMS_PER_CLIENT": "0", "LOG_LEVEL": "WARNING"}
    streams = subprocess.Popen(
        [sys.executable, "-m", "config.asgi", "--port", str(port)],
        env={**os.environ, **limits},
        preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509 this is the only thread
    )
    try:
        _await(port)
        yield psutil.Process(streams.pid), port
    finally:
        streams.kill()
        streams.wait()


def _await(port: int) -> None:
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up:
        with suppress(OSError):
            return socket.create_connection(("127.0.0.1", port)).close()
        time.sleep(0.05)
    raise BenchmarkError(f"the streams' process did not answer within {START_SECONDS:.0f} s.")
