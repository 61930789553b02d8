"""Fast clients among slow ones: half-sent bodies and heads at the web server, and streams that nobody reads."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.figures import Figure, percentile
from benchmarks.load import drive, request
from benchmarks.published_race import published_race
from benchmarks.serve import SHIPPED, start_raceday
from benchmarks.stream import RACES, streams_process, tell, tell_bodies
from raceday.run.process import ProcessTree

ROUNDS = 10  # each shorter than the deadline of a body
BODIES, HEADS, STREAMS = 50, 500, 400
CONNECTIONS = 8
HITS, MISSES = 2000, 300
MARK_MS, MARK_KB = 100, 64
SMALL_WINDOW_BYTES = 4096
NOWHERE = "/api/no-such-thing"  # which Django answers
POST = "POST /api/user-alert-configs HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-For: {}\r\nContent-Length: 99\r\n\r\n"
HALF_A_HEAD = "GET /api/meetings HTTP/1.1\r\nHost: 127"


def measure(rounds: int | None) -> list[Figure]:
    """Time clients of a finished body and of Django's responses, without slow clients and with them."""
    with TemporaryDirectory(prefix="raceday-bench-") as folder, ProcessTree() as tree, published_race() as path:
        # Many clients at one address: it is trusted, and names them.
        web = start_raceday(tree, SHIPPED, Path(folder), RATE_LIMIT_TRUSTED="127.0.0.1")
        alone = _readers_ms(web.port, path, rounds or ROUNDS)
        tell_bodies()
        with streams_process() as (process, port), ExitStack() as open_streams:
            before = process.memory_info().rss
            for number in range(STREAMS):
                open_streams.enter_context(_stream(port, number))
            beside = _readers_ms(web.port, path, rounds or ROUNDS, is_beset=True)
            weight_kb = (process.memory_info().rss - before) / STREAMS / 1000
    what = f"{BODIES} bodies, {HEADS} heads half sent, {STREAMS} streams unread"
    return [
        Figure(name="slow.hit.p99", what=f"a hit, {what}", figure=beside[0], unit="ms", at_most=MARK_MS),
        Figure(name="slow.django.p99", what="Django's answer, the same", figure=beside[1], unit="ms", at_most=MARK_MS),
        Figure(name="slow.hit.alone", what="a hit, without them", figure=alone[0], unit="ms"),
        Figure(name="slow.django.alone", what="Django's answer, without them", figure=alone[1], unit="ms"),
        Figure(name="slow.weight", what="memory a stream unread", figure=weight_kb, unit="kB", at_most=MARK_KB),
    ]


def _readers_ms(port: int, path: str, rounds: int, *, is_beset: bool = False) -> tuple[float, float]:
    """Return the p99 of hits, and of responses that Django makes."""
    hits: list[float] = []
    misses: list[float] = []
    for _ in range(rounds):
        with _slow_clients(port) if is_beset else ExitStack():
            asked = request(path, {"Accept-Encoding": "br"})
            hits += drive(port, asked, connections=CONNECTIONS, requests=HITS, expect=200).latencies_ms
            asked = request(NOWHERE, {})
            misses += drive(port, asked, connections=CONNECTIONS, requests=MISSES, expect=404).latencies_ms
        for race in range(RACES if is_beset else 0):
            tell(race)
    return percentile(hits, 0.99), percentile(misses, 0.99)


@contextmanager
def _slow_clients(port: int) -> Iterator[None]:
    parts = [POST.format(f"10.0.0.{number}") for number in range(BODIES)] + [HALF_A_HEAD] * HEADS
    peers = [socket.create_connection(("127.0.0.1", port)) for _ in parts]
    for peer, part in zip(peers, parts, strict=True):
        peer.sendall(part.encode())
    try:
        yield
    finally:
        for peer in peers:
            peer.close()


def _stream(port: int, number: int) -> socket.socket:
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_WINDOW_BYTES)
    peer.connect(("127.0.0.1", port))
    races = ",".join(f"bench-{(number + place) % RACES}" for place in range(RACES))
    peer.sendall(f"GET /api/stream?race_id={races} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return peer
