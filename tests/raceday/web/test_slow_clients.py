"""The web server as `./run` starts it, among clients that send half of what they announce, or far too much of it."""

import http.client
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from raceday.processes import die_with_parent
from raceday.published import resources, shelf
from raceday.run.tree import WEB
from raceday.web.server import MOST_BODIES, MOST_BODIES_PER_CLIENT, MOST_BODY_BYTES
from tests.support.isolation import free_port
from tests.support.paths import ROOT
from tests.support.streams import Valkey, eventually

PATIENCE_SECONDS = 15.0
CARD = "/api/meetings"
SETTINGS = "/api/user-alert-configs"


class Web:
    """Two processes of the web server on a Valkey of their own; its proxy on this machine is trusted."""

    def __init__(self, folder: Path) -> None:
        self.valkey = Valkey(folder)
        self.port = free_port()
        self.log = folder / "web.log"
        (folder / "metrics").mkdir()
        own = {"REDIS_URL": self.valkey.url, "RATE_LIMIT_TRUSTED": "127.0.0.1", "RATE_LIMIT_PER_MINUTE": "0"}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *WEB, "--port", str(self.port)],
                cwd=ROOT,
                env={**os.environ, **own, "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics")},
                stderr=log,
                stdout=log,
                preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 no thread of ours is in a lock
            )
        eventually(self.is_up)

    def is_up(self) -> bool:
        try:
            return self.get("/api/health")[0] in {200, 503}
        except OSError:
            return False

    def get(self, address: str) -> tuple[int, str, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        connection.request("GET", address)
        answer = connection.getresponse()
        found = answer.status, answer.getheader("X-Cache", ""), answer.read()
        connection.close()
        return found

    def send(self, *parts: str) -> socket.socket:
        peer = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)
        peer.sendall("".join(parts).encode())  # at once: what comes after a refusal resets the connection
        return peer

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()
        self.valkey.kill()


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    folder = Path(tempfile.mkdtemp(prefix="raceday-"))
    server = Web(folder)
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture
def card(web: Web, settings: Settings) -> str:
    """A body that stands ready."""
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": web.valkey.url}}
    asked = resources.find(CARD, "")
    assert asked
    noted = shelf.begin(asked.topic)
    assert noted
    finished = resources.finish(resources.Body(data=["ready"]))
    shelf.fill(asked.topic, asked.key, finished, noted=noted, mark=None, rounds=1)
    return CARD


def head(client: str, length: int | str = 100, *, path: str = SETTINGS) -> str:
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"X-Forwarded-For: {client}", "Content-Type: application/json"]
    return "\r\n".join([*lines, f"Content-Length: {length}", "", ""])


def status_of(peer: socket.socket) -> int:
    """The status of an answer, after which the connection must be closed; 0: closed without one."""
    told = b""
    while part := peer.recv(65536):
        told += part
    peer.close()
    return int(told.split()[1]) if told else 0


def waiting(peers: list[socket.socket]) -> int:
    """How many of them have been told nothing yet."""
    told, _, _ = select.select(peers, [], [], 0)
    return len(peers) - len(told)


def assert_readers_are_answered(web: Web, card: str) -> None:
    for _ in range(20):
        assert web.get(card) == (200, "HIT", b'["ready"]')
        assert web.get("/api/no-such-thing")[0] == 404  # Django's


def test_requests_share_the_connections_to_valkey(web: Web, card: str) -> None:
    def made() -> int:
        return int(web.valkey.client.info("stats")["total_connections_received"])

    before = made()
    for number in range(60):
        asked = f"GET {card} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAccept-Encoding: x{number}\r\n\r\n"
        assert status_of(web.send(asked)) == 200
    assert made() - before < 20


def test_unfinished_bodies_keep_no_reader_waiting_and_are_cut_off(web: Web, card: str) -> None:
    peers = [web.send(head(f"10.0.0.{number}"), "{") for number in range(50)]
    assert_readers_are_answered(web, card)
    assert waiting(peers) == 50
    assert {status_of(peer) for peer in peers} == {408}
    assert_readers_are_answered(web, card)


def test_a_body_that_comes_in_parts_is_read(web: Web) -> None:
    peer = web.send(head("10.1.0.1", 2), "{")
    time.sleep(0.3)  # the server has only a part until then
    assert waiting([peer]) == 1
    peer.sendall(b"{")
    answer = peer.recv(65536)
    assert b" 400 " in answer.splitlines()[0]
    while b"is not JSON" not in answer:
        answer += (part := peer.recv(65536))
        assert part
    peer.close()


def test_a_client_has_few_unfinished_bodies(web: Web, card: str) -> None:
    peers = [web.send(head("10.2.0.1"), "{") for _ in range(40)]
    eventually(lambda: waiting(peers) <= 2 * MOST_BODIES_PER_CLIENT)
    other = web.send(head("10.2.0.2", 1), "{")
    assert b" 400 " in other.recv(65536).splitlines()[0]
    statuses = [status_of(peer) for peer in peers]
    assert statuses.count(429) >= 40 - 2 * MOST_BODIES_PER_CLIENT
    assert set(statuses) == {408, 429}


def test_all_clients_together_have_so_many_unfinished_bodies(web: Web, card: str) -> None:
    peers = [web.send(head(f"10.5.0.{number}"), "{") for number in range(2 * MOST_BODIES + 20)]
    statuses = [status_of(peer) for peer in peers]
    assert statuses.count(503) >= 20
    assert set(statuses) == {408, 503}
    assert_readers_are_answered(web, card)


def test_a_client_that_hangs_up_gives_its_place_back(web: Web) -> None:
    for _ in range(5):
        for peer in [web.send(head("10.3.0.1"), "{") for _ in range(MOST_BODIES_PER_CLIENT)]:
            peer.close()
    eventually(lambda: b" 400 " in web.send(head("10.3.0.1", 1), "{").recv(65536).splitlines()[0])


@pytest.mark.parametrize(("length", "status"), [(MOST_BODY_BYTES + 1, 413), ("9" * 18, 413)])
def test_a_body_too_large_is_refused_before_it_comes(web: Web, length: int | str, status: int) -> None:
    assert status_of(web.send(head("10.4.0.1", length))) == status


def test_a_body_without_a_length_is_refused(web: Web) -> None:
    chunked = head("10.4.0.2").replace("Content-Length: 100", "Transfer-Encoding: chunked")
    assert status_of(web.send(chunked)) == 411


def asked(address: str, *more: str, method: str = "GET", version: str = "1.1") -> str:
    return "\r\n".join([f"{method} {address} HTTP/{version}", "Host: 127.0.0.1", *more, "", ""])


def whole(web: Web, *parts: str) -> list[str]:
    """All that a connection is told until it is closed, by lines."""
    peer, told = web.send(*parts), b""
    while part := peer.recv(65536):
        told += part
    peer.close()
    return told.decode().split("\r\n")


def statuses_of(told: list[str]) -> list[str]:
    return re.findall(r"HTTP/1\.1 (\d+)", "\n".join(told))


def test_requests_sent_together_are_answered_in_their_order(web: Web, card: str) -> None:
    addresses = [card, "/api/no-such-thing", card, "/health/live", card]
    told = whole(web, *map(asked, addresses), asked(card, "Connection: close"))
    assert statuses_of(told) == ["200", "404", "200", "200", "200", "200"]


def test_more_requests_than_may_wait_end_the_connection(web: Web) -> None:
    assert len(statuses_of(whole(web, asked("/api/no-such-thing") * 200))) < 200


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_connection_ends_as_the_client_wants_it(web: Web, card: str, version: str) -> None:
    told = whole(web, asked(card, *(["Connection: close"] if version == "1.1" else []), version=version))
    assert told[0] == "HTTP/1.1 200 OK"
    assert "connection: close" in told
    assert told[-1] == '["ready"]'


def test_a_head_alone_has_the_length_of_the_body(web: Web, card: str) -> None:
    for address in (card, "/api/no-such-thing"):
        told = whole(web, asked(address, "Connection: close", method="HEAD"))
        assert any(line.lower().startswith("content-length: ") for line in told)
        assert told[-1] == ""


def test_what_is_no_http_is_refused(web: Web) -> None:
    for nonsense in ("\x16\x03\x01\r\n\r\n", "CONNECT a:1 HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nA B: c\r\n\r\n"):
        assert status_of(web.send(nonsense)) == 400


def test_a_head_without_an_end_is_refused(web: Web, card: str) -> None:
    assert status_of(web.send(asked(card).removesuffix("\r\n"), "a: b\r\n" * 20_000)) == 431
    assert_readers_are_answered(web, card)


def test_a_header_may_come_twice_but_not_by_a_name_that_looks_like_its_own(web: Web, card: str) -> None:
    told = whole(web, asked(card, "Connection: close"))
    (etag,) = (line.partition(": ")[2] for line in told if line.lower().startswith("etag: "))
    twice = whole(web, asked(card, 'If-None-Match: "other"', f"If-None-Match: {etag}", "Connection: close"))
    lookalike = whole(web, asked(card, f"If_None_Match: {etag}", "Connection: close"))
    assert (statuses_of(twice), statuses_of(lookalike)) == (["304"], ["200"])


def test_a_path_may_be_written_with_percents(web: Web, card: str) -> None:
    assert web.get(card.replace("m", "%6D")) == (200, "HIT", b'["ready"]')


def test_half_sent_heads_keep_no_reader_waiting_and_are_cut_off(web: Web, card: str) -> None:
    silent = [web.send() for _ in range(10)]
    peers = [web.send("GET /api/meetings HTTP/1.1\r\nHost: 127") for _ in range(500)]
    assert_readers_are_answered(web, card)
    assert {status_of(peer) for peer in peers} <= {0, 408}
    assert {status_of(peer) for peer in silent} <= {0, 408}


def test_what_is_too_long_is_refused_and_counted(web: Web, card: str) -> None:
    before = web.get("/metrics")[2].decode()
    assert web.get(f"{CARD}?x={'a' * 60_000}")[0] == 414
    assert web.get(f"/api/races/{'a' * 60_000}")[0] == 414
    assert web.get("/api/meetings?" + "&".join(f"a{number}=1" for number in range(1001)))[0] == 400
    peer = web.send(f"GET {CARD} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: {'a' * 20_000}\r\n\r\n")
    assert b" 400 " in peer.recv(65536).splitlines()[0]
    assert web.get(f"/nothing/{'b' * 900}")[0] == 404
    after = web.get("/metrics")[2].decode()
    assert counted(after, 414) - counted(before, 414) == 2
    assert counted(after, 400) - counted(before, 400) == 2
    assert max(map(len, web.log.read_text().splitlines())) < 1500


def counted(told: str, status: int) -> float:
    name = f'raceday_refused_total{{status="{status}"}} '
    return sum(float(line.removeprefix(name)) for line in told.splitlines() if line.startswith(name))
