"""Room 6: the CPU that one GET of a finished body costs, for Raceday and its peers, with equal bodies in turns.

Four servers run beside each other, one process each: Raceday (bodies of the process), Raceday with each body from
Valkey, and two peers that take theirs from the same Valkey. Raceday with two processes, its default, is measured too.
Then 500 clients follow a demo day.
"""

import http.client
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from msgspec import Struct

from benchmarks import client_day
from benchmarks.figures import BenchmarkError, Figure, percentile
from benchmarks.load import Load, cpu_seconds, drive, free_port, processes, request
from benchmarks.peers import PEERS, PREFIX, Peer, PeerError, built, program
from benchmarks.published_race import published_race
from raceday import valkey
from raceday.run.process import ProcessTree, Program

ROUNDS = 7
REQUESTS = 2000  # a round, of each kind, to each server
WARM_UP_REQUESTS = 600
CONNECTIONS = 16
START_SECONDS = 30.0
UNLIMITED = {"RATE_LIMIT_PER_MINUTE": "0", "RATE_LIMIT_EXPENSIVE_PER_5_MINUTES": "0"}

PLAIN, GZIP, BR, UNCHANGED = "plain", "gzip", "br", "unchanged"
KINDS = {
    BR: {"Accept-Encoding": "gzip, deflate, br"},
    GZIP: {"Accept-Encoding": "gzip"},
    PLAIN: {"Accept-Encoding": "identity"},
}
ENCODINGS = {BR: "br", GZIP: "gzip", PLAIN: "identity"}
# What a peer sets for each response by itself, and what two servers need not have in common.
OWN_HEADERS = {"age", "content-encoding", "content-length", "content-type", "etag", "x-polled-at"}
PASSING_HEADERS = {"age", "connection", "date", "keep-alive", "server"}

HOT, FROM_VALKEY, SHIPPED = "raceday", "raceday_from_valkey", "raceday_as_shipped"
RACEDAY = "config.wsgi:server"
APPLICATIONS = {HOT: RACEDAY, FROM_VALKEY: "benchmarks.from_valkey:server", SHIPPED: RACEDAY}
TITLES = {HOT: "Raceday, from the process", FROM_VALKEY: "Raceday, from Valkey", SHIPPED: "Raceday, two processes"}
# Valkey has compressed bodies only: for an uncompressed response each is unpacked, which the process then keeps.
MARKS_US = {(HOT, BR): 35.0, (HOT, PLAIN): 35.0, (FROM_VALKEY, BR): 110.0}
RATIO_MARKS = {"fastapi": 3.0, "express": 2.0}


class Server(Struct, frozen=True):
    """A running server: its name in figures, how a person calls it, its port and its processes."""

    name: str
    title: str
    port: int
    pids: list[int]


class Answer(Struct, frozen=True):
    """One answer: status, headers by name in lower case, and body as it came."""

    status: int
    headers: dict[str, str]
    body: bytes


class Cost(Struct, frozen=True):
    """What one round of requests took: CPU of the server, in microseconds a request, and the load itself."""

    cpu_us: float
    load: Load


Costs = dict[tuple[str, str], list[Cost]]


def measure(rounds: int | None) -> list[Figure]:
    """Load all servers in turns with the same requests, then count hits of a simulated day."""
    found = _measure_servers(rounds or ROUNDS)
    return found + client_day.measure(rounds)


def _measure_servers(rounds: int) -> list[Figure]:
    with TemporaryDirectory(prefix="raceday-bench-") as folder, ProcessTree() as tree, published_race() as path:
        servers = [start_raceday(tree, name, Path(folder)) for name in APPLICATIONS]
        expected = {kind: _get(servers[0].port, path, headers) for kind, headers in KINDS.items()}
        missing: dict[str, str] = {}
        with _stored_for_peers(path, expected):
            for peer in PEERS:
                try:
                    servers.append(_start_peer(tree, peer, expected[PLAIN]))
                except PeerError as fault:
                    missing[peer.name] = str(fault)
            _check_equal(servers, path, expected)
            costs = _take_turns(servers, path, expected[PLAIN].headers["etag"], rounds)
    return [
        *_figures(costs, servers, {kind: len(answer.body) for kind, answer in expected.items()}),
        *(unbuilt(name, sentence) for name, sentence in missing.items()),
    ]


# ── What is served ──────────────────────────────────────────────────────────────────────────────


@contextmanager
def _stored_for_peers(path: str, expected: Mapping[str, Answer]) -> Iterator[None]:
    """Puts Raceday's own bodies and headers where the peers fetch them: packed once, as Raceday's writer does it."""
    plain, client = expected[PLAIN], valkey.client()
    fields: dict[str, str | bytes] = {ENCODINGS[kind]: answer.body for kind, answer in expected.items()}
    fields |= {"etag": plain.headers["etag"], "polled_at": plain.headers["x-polled-at"]}
    fields["epoch"] = str(time.time() - int(plain.headers["age"]))
    client.hset(PREFIX + path, mapping=fields)
    try:
        yield
    finally:
        client.delete(PREFIX + path)


def _check_equal(servers: Sequence[Server], path: str, expected: Mapping[str, Answer]) -> None:
    """Raise unless a server answers as the others: status, body and headers, in each encoding and when unchanged."""
    for server in servers:
        for kind, headers in KINDS.items():
            _compare(server, kind, _get(server.port, path, headers), expected[kind])
        known = {**KINDS[BR], "If-None-Match": expected[BR].headers["etag"]}
        answer = _get(server.port, path, known)
        _compare(server, UNCHANGED, answer, Answer(304, expected[BR].headers, b""))


def _compare(server: Server, kind: str, answer: Answer, expected: Answer) -> None:
    passing = PASSING_HEADERS | ({"content-type", "content-length"} if expected.status == 304 else set())
    told, wanted = (
        {name: value for name, value in each.headers.items() if name not in passing} for each in (answer, expected)
    )
    if (answer.status, answer.body, told) != (expected.status, expected.body, wanted):
        differing = sorted(name for name, _ in told.items() ^ wanted.items())
        raise BenchmarkError(
            f"{server.title} does not answer as Raceday does ({kind}): {answer.status} {len(answer.body)} {differing}."
        )


# ── The servers ─────────────────────────────────────────────────────────────────────────────────


def start_raceday(tree: ProcessTree, name: str, folder: Path, **own: str) -> Server:
    """Start a web server of ours by its name in APPLICATIONS, without limits."""
    port, metrics = free_port(), folder / name
    metrics.mkdir()
    workers = [] if name == SHIPPED else ["--workers", "1"]  # as the peers
    argv = [sys.executable, "-m", "raceday.web", APPLICATIONS[name], *workers, "--port", str(port)]
    env = {**os.environ, **UNLIMITED, **own, "PROMETHEUS_MULTIPROC_DIR": str(metrics)}
    return _started(tree, Program(name=name, argv=argv, env=env, log=folder / f"{name}.log"), TITLES[name], port)


def _start_peer(tree: ProcessTree, peer: Peer, plain: Answer) -> Server:
    port, folder = free_port(), built(peer)
    headers = {name: value for name, value in plain.headers.items() if name not in OWN_HEADERS | PASSING_HEADERS}
    return _started(tree, program(peer, folder, port, headers), peer.title, port)


def _started(tree: ProcessTree, started: Program, title: str, port: int) -> Server:
    child = tree.start(started)
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up and child.process.poll() is None:
        try:
            _get(port, "/api/health", {})
        except OSError:
            time.sleep(0.1)
        else:
            return Server(started.name, title, port, processes(child.process.pid))
    raise BenchmarkError(f"{title} did not start.")


def _get(port: int, path: str, headers: Mapping[str, str]) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"Host": "127.0.0.1", **headers})
        answer = connection.getresponse()
        told = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, told, answer.read())
    finally:
        connection.close()


# ── Measuring ───────────────────────────────────────────────────────────────────────────────────


def _take_turns(servers: Sequence[Server], path: str, etag: str, rounds: int) -> Costs:
    """Each round requests every kind from every server; the first one changes from round to round."""
    asked = {kind: request(path, headers) for kind, headers in KINDS.items()}
    asked[UNCHANGED] = request(path, {**KINDS[BR], "If-None-Match": etag})
    costs: Costs = defaultdict(list)
    for server in servers:
        for kind, sent in asked.items():
            _cost(server, sent, kind, WARM_UP_REQUESTS)
    for number in range(rounds):
        first = number % len(servers)
        for kind, sent in asked.items():
            for server in [*servers[first:], *servers[:first]]:
                costs[server.name, kind].append(_cost(server, sent, kind, REQUESTS))
    return costs


def _cost(server: Server, asked: bytes, kind: str, requests: int) -> Cost:
    before = cpu_seconds(server.pids)
    expect = 304 if kind == UNCHANGED else 200
    load = drive(server.port, asked, connections=CONNECTIONS, requests=requests, expect=expect)
    return Cost((cpu_seconds(server.pids) - before) * 1_000_000 / requests, load)


def _figures(costs: Costs, servers: Sequence[Server], sizes: Mapping[str, int]) -> list[Figure]:
    cpu = {of: median(cost.cpu_us for cost in found) for of, found in costs.items()}
    kinds = {kind: f"GET of {size / 1000:.1f} kB ({ENCODINGS[kind]})" for kind, size in sizes.items()}
    kinds[UNCHANGED] = "GET answered 304"
    found = [
        Figure(
            name=f"serve.{server.name}.{kind}_cpu",
            what=f"{server.title}: {kinds[kind]}, CPU",
            figure=cpu[server.name, kind],
            unit="µs",
            at_most_paced=MARKS_US.get((server.name, kind)),
        )
        for server in servers
        for kind in kinds
    ]
    peers = [server for server in servers if server.name in RATIO_MARKS]
    found += [_ratio(cpu, peer, own, kind) for peer in peers for own in (HOT, FROM_VALKEY) for kind in (BR, PLAIN)]
    return found + [figure for server in servers for figure in _speed(server, costs[server.name, PLAIN])]


def _ratio(cpu: Mapping[tuple[str, str], float], peer: Server, own: str, kind: str) -> Figure:
    return Figure(
        name=f"serve.{peer.name}.{kind}_ratio" + ("_from_valkey" if own == FROM_VALKEY else ""),
        what=f"CPU of {peer.title} ÷ {TITLES[own]} ({ENCODINGS[kind]})",
        figure=cpu[peer.name, kind] / cpu[own, kind],
        unit="×",
        at_least=RATIO_MARKS[peer.name] if own == HOT else None,
    )


def _speed(server: Server, costs: Sequence[Cost]) -> Iterator[Figure]:
    waits = [wait for cost in costs for wait in cost.load.latencies_ms]
    rate = median(len(cost.load.latencies_ms) / cost.load.seconds for cost in costs)
    what = f"{server.title}: {CONNECTIONS} connections, identity"
    yield Figure(name=f"serve.{server.name}.rate", what=what, figure=rate, unit="/s")
    yield Figure(name=f"serve.{server.name}.p50", what="the same, waited", figure=median(waits), unit="ms")
    yield Figure(name=f"serve.{server.name}.p99", what="the same", figure=percentile(waits, 0.99), unit="ms")


def unbuilt(name: str, sentence: str) -> Figure:
    """Tell of a peer that is not there, as a mark missed: it cannot have been beaten."""
    mark = RATIO_MARKS[name]
    return Figure(name=f"serve.{name}.not_measured", what=sentence, figure=0.0, unit="×", at_least=mark)
