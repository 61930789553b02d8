"""SERVE: a web process among its clients. What stands ready goes out at once; all else is waited for elsewhere.

granian speaks RSGI to it: its WSGI reads a body in the one thread that answers, with the interpreter's lock held, so
that one client that sends half a body holds up all others (docs/adr/0015). Here the event loop asks the lane for what
stands ready and nothing else. It reads bodies, until a deadline and few at once. Whatever is left, Django answers in
one thread of its own, which keeps the process to one connection to PostgreSQL.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from functools import lru_cache
from http import HTTPStatus
from io import BytesIO
from queue import SimpleQueue
from threading import Thread
from typing import Any, Protocol

import structlog

from raceday import door
from raceday.login import client_address
from raceday.published import Environ, Lane

BODY_SECONDS = 5.0  # from the end of the head to the end of the body
MOST_BODY_BYTES = 64 * 1024  # the API takes 16 KiB; forms of the admin are larger
MOST_BODIES, MOST_BODIES_PER_CLIENT = 64, 8  # unfinished ones, a process
MOST_WAITING = 500
MOST_NAME = 64  # letters of a header's name
NO_LENGTH = (HTTPStatus.LENGTH_REQUIRED, "a body needs a Content-Length")
TOO_LARGE = (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body may have {MOST_BODY_BYTES} bytes")
TOO_MANY = (HTTPStatus.TOO_MANY_REQUESTS, "you have too many unfinished bodies open")
TOO_LATE = (HTTPStatus.REQUEST_TIMEOUT, f"the body was not there within {BODY_SECONDS:.0f} s")
TOO_BUSY = (HTTPStatus.SERVICE_UNAVAILABLE, "too many are waiting; try again in a moment")
CUT_OFF = (HTTPStatus.BAD_REQUEST, "the body ended too early")
CRASHED = (HTTPStatus.INTERNAL_SERVER_ERROR, "something went wrong here; it is in the log")
OWN = {
    "SCRIPT_NAME": "",
    "GATEWAY_INTERFACE": "CGI/1.1",
    "wsgi.version": (1, 0),
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}

log = structlog.get_logger(__name__)


class Client(Protocol):
    """Granian's handle of one request: its body to be awaited by parts, and the answer, once."""

    def __aiter__(self) -> Any: ...
    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None: ...


class Start:
    """The `start_response` of WSGI; it remembers."""

    __slots__ = ("headers", "status")

    def __call__(self, status: str, headers: list[tuple[str, str]], *_: Any) -> Callable[[bytes], object]:
        self.status, self.headers = int(status[:3]), headers
        return lambda _: None  # PEP 3333's write(), which nothing here calls


class Refusal(Exception):  # noqa: N818 a word of HTTP, as everywhere here
    """Why a body is not taken."""

    def __init__(self, fault: door.Fault) -> None:
        super().__init__(fault[1])
        self.fault = fault


class WebServer:
    """The RSGI application of one process."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.waiting: SimpleQueue[tuple[Environ, asyncio.Future[tuple[Start, bytes]]]] = SimpleQueue()
        # granian gives each request a context of its own, in which Django would connect to Valkey anew.
        self.context = copy_context()
        self.bodies: Counter[str] = Counter()
        self.tasks: set[asyncio.Task[None]] = set()  # a loop alone would not hold them

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        Thread(target=self._answer_the_rest, daemon=True).start()

    async def __rsgi__(self, scope: Any, client: Client) -> None:
        environ, start = environ_of(scope), Start()
        answer = self.context.run(self.lane.at_once, environ, start)
        if answer is not None:
            return client.response_bytes(start.status, start.headers, answer[0] if answer else b"")
        # A task of asyncio's, as granian's own is none and knows no time-outs.
        is_answered: asyncio.Future[None] = self.loop.create_future()
        self._begin(environ, client, is_answered)
        await is_answered

    def _begin(self, environ: Environ, client: Client, is_answered: "asyncio.Future[None]") -> None:
        task = self.loop.create_task(self._answer(environ, client, is_answered))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _answer(self, environ: Environ, client: Client, is_answered: "asyncio.Future[None]") -> None:
        try:
            start, content = await self._answer_in_time(environ, client)
        except Refusal as refusal:
            start, content = refused(refusal.fault)
        except Exception:
            log.exception("request_crashed")
            start, content = refused(CRASHED)
        client.response_bytes(start.status, start.headers, content)
        is_answered.set_result(None)

    async def _answer_in_time(self, environ: Environ, client: Client) -> tuple[Start, bytes]:
        environ["wsgi.input"] = BytesIO(await self._body(environ, client))
        if self.waiting.qsize() >= MOST_WAITING:
            raise Refusal(TOO_BUSY)
        answer: asyncio.Future[tuple[Start, bytes]] = self.loop.create_future()
        self.waiting.put((environ, answer))
        return await answer

    async def _body(self, environ: Environ, client: Client) -> bytes:
        """Return the body, whole and not larger than announced."""
        length = environ.get("CONTENT_LENGTH", "0")
        if environ.get("HTTP_TRANSFER_ENCODING") or not length.isdecimal():
            raise Refusal(NO_LENGTH)
        if len(length) > 9 or int(length) > MOST_BODY_BYTES:
            raise Refusal(TOO_LARGE)
        if int(length) == 0:
            return b""
        with self._place_for(client_address(environ)):
            reading = self.loop.create_task(read(client))
            await asyncio.wait({reading}, timeout=BODY_SECONDS)
        if not reading.done():
            reading.cancel()
            raise Refusal(TOO_LATE)
        content = reading.result()
        if len(content) != int(length):
            raise Refusal(CUT_OFF)  # which nobody hears any more
        return content

    @contextmanager
    def _place_for(self, address: str) -> Iterator[None]:
        if self.bodies[address] >= MOST_BODIES_PER_CLIENT:
            raise Refusal(TOO_MANY)
        if self.bodies.total() >= MOST_BODIES:
            raise Refusal(TOO_BUSY)
        self.bodies[address] += 1
        try:
            yield
        finally:
            self.bodies[address] -= 1
            self.bodies += Counter()  # forgets who has none

    def _answer_the_rest(self) -> None:
        """Let Django answer, one after the other, for ever."""
        while True:
            environ, answer = self.waiting.get()
            start = Start()
            try:
                told = start, door.whole(self.lane.in_time(environ, start))
            except Exception:
                log.exception("request_crashed")
                told = refused(CRASHED)
            self.loop.call_soon_threadsafe(settle, answer, told)


async def read(client: Client) -> bytes:
    """Return a body as far as it came."""
    return b"".join([part async for part in client])


def settle(answer: "asyncio.Future[tuple[Start, bytes]]", told: tuple[Start, bytes]) -> None:
    """Hand an answer over to whoever still waits for it."""
    if not answer.done():
        answer.set_result(told)


def refused(fault: door.Fault) -> tuple[Start, bytes]:
    """Return the answer that says why not and closes the connection, so that nothing more of a body is taken."""
    start = Start()
    content = door.refuse(start, *fault, [("Connection", "close")])
    return start, b"".join(content)


def environ_of(scope: Any) -> Environ:
    """Return a request of RSGI as WSGI has it."""
    path = scope.path
    headers = [header for header in scope.headers.items() if len(header[0]) <= MOST_NAME]
    environ: Environ = {key_of(name): value for name, value in headers}
    if len(environ) < len(headers):
        environ = joined(headers)
    environ.pop("", None)
    environ |= OWN
    environ["REQUEST_METHOD"] = scope.method
    environ["PATH_INFO"] = path if path.isascii() else path.encode(errors="replace").decode("latin-1")
    environ["QUERY_STRING"] = scope.query_string
    environ["REMOTE_ADDR"] = scope.client.rpartition(":")[0]
    environ["SERVER_NAME"], _, environ["SERVER_PORT"] = scope.server.rpartition(":")
    environ["SERVER_PROTOCOL"] = f"HTTP/{scope.http_version}"
    environ["wsgi.url_scheme"] = scope.scheme
    return environ


def joined(headers: Iterable[tuple[str, str]]) -> Environ:
    """Return headers of which one came twice."""
    environ: Environ = {}
    for name, value in headers:
        key = key_of(name)
        between = "; " if key == "HTTP_COOKIE" else ","
        environ[key] = f"{environ[key]}{between}{value}" if key in environ else value
    return environ


@lru_cache(256)
def key_of(name: str) -> str:
    """Return a header's name as WSGI has it; "" for one with an underscore, which could pass itself off as another."""
    if "_" in name:
        return ""
    key = name.upper().replace("-", "_")
    return key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
