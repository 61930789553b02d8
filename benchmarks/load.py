"""Requests over open connections, sent one after the other by one thread, as a load for a server."""

import re
import selectors
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from benchmarks.figures import BenchmarkError

PATIENCE_SECONDS = 10.0
CHUNK_BYTES = 1 << 18
HEAD_END = b"\r\n\r\n"
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CPU_OF_PROCESS = 2  # Linux's CPUCLOCK_SCHED: utime + stime of all threads, in ns instead of ticks


def free_port() -> int:
    """Return a port on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def free_ports() -> int:
    """Return a port on which nobody listens now, nor on the one after it, where streams are."""
    while True:
        port = free_port()
        with socket.socket() as stream, suppress(OSError, OverflowError):
            stream.bind(("127.0.0.1", port + 1))
            return port


class Load(Struct, frozen=True, kw_only=True):
    """What answered requests took: seconds in all, and each one's milliseconds from sent to read."""

    seconds: float
    latencies_ms: list[float]


class _Line(Struct):
    """An open connection: when it was last used, and how much of the response is still to come; None: all."""

    peer: socket.socket
    asked: float = 0.0
    head: bytes = b""
    left: int | None = None

    def ask(self, asked: bytes) -> None:
        """Send a request; the answer to the one before has been read."""
        self.asked = time.perf_counter()
        self.peer.sendall(asked)

    def is_whole(self, expect: int) -> bool:
        """Read what has arrived and tell whether the response is complete."""
        chunk = self.peer.recv(CHUNK_BYTES)
        if not chunk:
            raise BenchmarkError("a server closed a kept connection.")
        if self.left is None:
            self.head += chunk
            end = self.head.find(HEAD_END)
            if end < 0:
                return False
            status, length = read_head(self.head[: end + 4])
            if status != expect or b"MISS" in self.head[:end]:
                raise BenchmarkError(f"a server answered {self.head[:end].decode(errors='replace')!r}.")
            self.left = length + end + 4 - len(self.head)
            self.head = b""
        else:
            self.left -= len(chunk)
        if self.left:
            return False
        self.left = None
        return True


def request(path: str, headers: Mapping[str, str]) -> bytes:
    """Write a GET as it goes over the wire."""
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def read_head(head: bytes) -> tuple[int, int]:
    """Return status and length of the body that follows.

    >>> read_head(b"HTTP/1.1 200 OK\\r\\nContent-Length: 12\\r\\n\\r\\n")
    (200, 12)
    """
    status, found = int(head[9:12]), LENGTH.search(head)
    return status, int(found[1]) if found and status != 304 else 0


def drive(port: int, asked: bytes, *, connections: int, requests: int, expect: int) -> Load:
    """Send a request so many times over so many connections, the next after each response.

    Raises BenchmarkError if a response has another status than `expect`, or if a cache missed.
    """
    with selectors.DefaultSelector() as selector:
        lines = [_Line(socket.create_connection(("127.0.0.1", port))) for _ in range(connections)]
        try:
            for line in lines:
                selector.register(line.peer, selectors.EVENT_READ, line)
            began = time.perf_counter()
            latencies_ms = _exchange(selector, asked, requests, expect)
            return Load(seconds=time.perf_counter() - began, latencies_ms=latencies_ms)
        finally:
            for line in lines:
                line.peer.close()


def _exchange(selector: selectors.BaseSelector, asked: bytes, requests: int, expect: int) -> list[float]:
    latencies_ms: list[float] = []
    lines = [key.data for key in selector.get_map().values()]
    to_send = requests - len(lines)
    for line in lines:
        line.ask(asked)
    while len(latencies_ms) < requests:
        ready = selector.select(PATIENCE_SECONDS)
        if not ready:
            raise BenchmarkError(f"a server did not answer for {PATIENCE_SECONDS:.0f} s.")
        for line in (key.data for key, _ in ready):
            if line.is_whole(expect):
                latencies_ms.append((time.perf_counter() - line.asked) * 1000)
                if to_send > 0:
                    to_send -= 1
                    line.ask(asked)
    return latencies_ms


def processes(pid: int) -> list[int]:
    """List a process and all it has started."""
    children = [int(word) for told in Path(f"/proc/{pid}/task").glob("*/children") for word in told.read_text().split()]
    return [pid, *(found for child in children for found in processes(child))]


def cpu_seconds(pids: list[int]) -> float:
    """Add up what CPU these processes have used, in user and kernel, by all their threads."""
    return sum(time.clock_gettime((~pid << 3) | CPU_OF_PROCESS) for pid in pids)
