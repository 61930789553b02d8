"""SERVE: a web process and its clients. A ready response is sent at once; everything else waits outside the loop.

uvicorn reads heads and writes responses in one event loop, which asks the lane only for ready responses
(docs/adr/0015-a-door-before-the-one-hot-thread.md). It reads bodies until a deadline, a few at a time. Django answers
all other requests in a thread of its own, so the process keeps to one connection to PostgreSQL.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from http import HTTPStatus
from io import BytesIO
from queue import SimpleQueue
from threading import Thread
from typing import Any, NamedTuple

import structlog

from raceday.api import door
from raceday.api.clients import client_address
from raceday.published.lane import Environ, Lane

BODY_SECONDS = 5.0  # from the end of the head to the end of the body
MOST_BODY_BYTES = 64 * 1024  # the API takes 16 KiB; forms of the admin are larger
MOST_BODIES, MOST_BODIES_PER_CLIENT = 64, 8  # unfinished ones, a process
MOST_WAITING = 500
NO_LENGTH = (HTTPStatus.LENGTH_REQUIRED, "a body needs a Content-Length")
TOO_LARGE = (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body may have {MOST_BODY_BYTES} bytes")
TOO_MANY = (HTTPStatus.TOO_MANY_REQUESTS, "you have too many unfinished bodies open")
TOO_LATE = (HTTPStatus.REQUEST_TIMEOUT, f"the body was not there within {BODY_SECONDS:.0f} s")
TOO_BUSY = (HTTPStatus.SERVICE_UNAVAILABLE, "too many are waiting; try again in a moment")
CUT_OFF = (HTTPStatus.BAD_REQUEST, "the body ended too early")
CRASHED = (HTTPStatus.INTERNAL_SERVER_ERROR, "something went wrong here; it is in the log")
BODILESS = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}

log = structlog.get_logger(__name__)


class Answer(NamedTuple):
    """One finished answer, as it goes out."""

    status: int
    headers: list[tuple[str, str]]
    content: bytes


class Start:
    """The `start_response` of WSGI; it remembers."""

    __slots__ = ("headers", "status")

    def __call__(self, status: str, headers: list[tuple[str, str]], *_: Any) -> Callable[[bytes], object]:
        self.status, self.headers = int(status[:3]), headers
        return lambda _: None  # PEP 3333's write(), which nothing here calls

    def with_content(self, content: bytes) -> Answer:
        return Answer(self.status, self.headers, content)


class Refusal(Exception):  # noqa: N818 a word of HTTP, as everywhere here
    """Why a body is not taken."""

    def __init__(self, fault: door.Fault) -> None:
        super().__init__(fault[1])
        self.fault = fault


class WebServer:
    """What one process answers: at once what the lane has ready, all else as an ASGI application."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.waiting: SimpleQueue[tuple[Environ, asyncio.Future[Answer]]] = SimpleQueue()
        # Each connection has its own context, in which Django would open a new connection to Valkey.
        self.context = copy_context()
        self.bodies: Counter[str] = Counter()
        Thread(target=self._answer_the_rest, daemon=True).start()

    def at_once(self, environ: Environ) -> Answer | None:
        """Return the response if it is ready."""
        start = Start()
        content = self.context.run(self.lane.at_once, environ, start)
        return None if content is None else start.with_content(b"".join(content))

    async def __call__(self, scope: Any, receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
        state = scope["state"]  # as raceday.web.connection puts it
        answer: Answer = state["answer"] or await self._answer(state["environ"], receive)
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
        if answer.status not in BODILESS and not any(name.lower() == b"content-length" for name, _ in headers):
            headers.append((b"content-length", b"%d" % len(answer.content)))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.content})

    async def _answer(self, environ: Environ, receive: Callable[[], Any]) -> Answer:
        try:
            return await self._answer_in_time(environ, receive)
        except Refusal as refusal:
            return refused(refusal.fault)
        except Exception:
            log.exception("request_crashed")
            return refused(CRASHED)

    async def _answer_in_time(self, environ: Environ, receive: Callable[[], Any]) -> Answer:
        environ["wsgi.input"] = BytesIO(await self._body(environ, receive))
        if self.waiting.qsize() >= MOST_WAITING:
            raise Refusal(TOO_BUSY)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.waiting.put((environ, answer))
        return await answer

    async def _body(self, environ: Environ, receive: Callable[[], Any]) -> bytes:
        """Return the body, whole and not larger than announced."""
        length = environ.get("CONTENT_LENGTH", "0")
        if environ.get("HTTP_TRANSFER_ENCODING") or not length.isdecimal():
            raise Refusal(NO_LENGTH)
        if len(length) > 9 or int(length) > MOST_BODY_BYTES:
            raise Refusal(TOO_LARGE)
        if int(length) == 0:
            return b""
        with self._place_for(client_address(environ)):
            try:
                content = await asyncio.wait_for(read(receive), BODY_SECONDS)
            except TimeoutError:
                raise Refusal(TOO_LATE) from None
        if len(content) != int(length):
            raise Refusal(CUT_OFF)  # the client is gone
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
            self.bodies += Counter()  # drop clients without requests

    def _answer_the_rest(self) -> None:
        """Let Django answer one request after the other, for ever."""
        while True:
            environ, answer = self.waiting.get()
            start = Start()
            try:
                told = start.with_content(door.whole(self.lane.in_time(environ, start)))
            except Exception:
                log.exception("request_crashed")
                told = refused(CRASHED)
            answer.get_loop().call_soon_threadsafe(settle, answer, told)


async def read(receive: Callable[[], Any]) -> bytes:
    """Return a body as far as it came."""
    parts, is_more = [], True
    while is_more:
        message = await receive()
        parts.append(message.get("body", b""))
        is_more = message.get("more_body", False)  # which an http.disconnect does not have
    return b"".join(parts)


def settle(answer: "asyncio.Future[Answer]", told: Answer) -> None:
    """Give a response to the client, if it still waits."""
    if not answer.done():
        answer.set_result(told)


def refused(fault: door.Fault) -> Answer:
    """Return the error response that closes the connection, so that no more of a body is read."""
    start = Start()
    content = door.refuse(start, *fault, [("Connection", "close")])
    return start.with_content(b"".join(content))
