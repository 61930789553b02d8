"""SERVE: `GET /api/stream` as server-sent events, by plain ASGI without Django's request cycle, in its own process.

Requests are checked here; the events come from raceday.streams.fanout.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import msgspec
import structlog
from django.conf import settings
from django.db import Error as DatabaseFault
from django.http import QueryDict
from django.http.request import split_domain_port, validate_host
from rest_framework.exceptions import ValidationError

from raceday import metrics
from raceday.api import door
from raceday.api.clients import client_address, is_trusted
from raceday.api.cors import cors_headers, preflight_headers
from raceday.api.headers import security_headers
from raceday.api.queries import checked_query, plain_path
from raceday.published import events
from raceday.published.events import Position, StreamQuery
from raceday.streams.fanout import Fanout
from raceday.streams.subscriber import Subscriber, pieces

PATH = "/api/stream"
METHODS = "GET, OPTIONS"
RETRY_SECONDS = 10
OPENING = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
}
Headers: TypeAlias = Mapping[str, str]
Scope: TypeAlias = Mapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Mapping[str, Any]]]
Send: TypeAlias = Callable[[dict[str, Any]], Awaitable[None]]

log = structlog.get_logger(__name__)


class RefusedError(Exception):
    """Why a stream is not opened."""

    def __init__(self, status: HTTPStatus, sentence: str, *, details: Any = None, headers: Headers = {}) -> None:  # noqa: B006 never written to
        super().__init__(sentence)
        self.status, self.headers = status, headers
        self.body = {"error": sentence} | ({"details": details} if details else {})


class Streams:
    """The ASGI application of one process: its fan-out, and the number of open streams of each address.

    find_races: returns the races of a meeting, None if there is no such meeting. It may wait, and raise Django's
    db.Error.
    """

    def __init__(self, find_races: Callable[[str], list[str] | None]) -> None:
        one_thread = ThreadPoolExecutor(1, "find_races")  # and so one connection to the database

        async def find(meeting_id: str) -> list[str] | None:
            return await asyncio.get_running_loop().run_in_executor(one_thread, find_races, meeting_id)

        self.fanout = Fanout(settings.REDIS_URL, find)
        self.open: Counter[str] = Counter()
        self.own_headers = dict(security_headers())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    def close(self) -> None:
        """End all streams; their subscribers come back by themselves."""
        self.fanout.close()

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        duties = (self.fanout.follow(), self.fanout.ping(), self.fanout.tell_time())
        tasks = [asyncio.create_task(duty) for duty in duties]
        for task in tasks:
            task.add_done_callback(crash)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for task in tasks:
            task.cancel()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        headers = {**self.own_headers, **own_cors_headers(given)}
        try:
            check(scope, given)
            if scope["method"] == "OPTIONS":
                asked = preflight_headers(METHODS) if "access-control-request-method" in given else {}
                return await respond(send, HTTPStatus.NO_CONTENT, {**headers, "allow": METHODS, **asked})
            subscriber = await self._reader(scope, given)
            with self._place_for(address(scope, given), subscriber):
                await send({"type": "http.response.start", "status": 200, "headers": encode({**headers, **OPENING})})
                await self._tell(subscriber, receive, send)
        except RefusedError as refusal:
            metrics.STREAMS_REFUSED.labels(status=int(refusal.status)).inc()
            await respond(send, refusal.status, {**headers, **refusal.headers}, refusal.body)

    async def _reader(self, scope: Scope, given: Headers) -> Subscriber:
        query = read_query(scope["query_string"])
        subscriber = Subscriber(events.wanted(query), resume_from(query, given), query.get("snapshot_of", frozenset()))
        if subscriber.since is None:
            try:
                await self.fanout.races_of(subscriber.wanted)
            except DatabaseFault:
                sentence = "the database does not answer; try again in a moment"
                raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, sentence) from None
            if subscriber.wanted.meetings - self.fanout.meetings.keys():
                raise RefusedError(HTTPStatus.NOT_FOUND, "no such meeting")
        return subscriber

    @contextmanager
    def _place_for(self, client: str, subscriber: Subscriber) -> Iterator[None]:
        wait = {"retry-after": str(RETRY_SECONDS)}
        if 0 < settings.STREAMS_PER_CLIENT <= self.open[client] and not is_trusted(client):
            sentence = f"you have {self.open[client]} streams open, which is as many as one address may have"
            raise RefusedError(HTTPStatus.TOO_MANY_REQUESTS, sentence, headers=wait)
        if self.open.total() >= settings.STREAMS_MAX:
            raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "all streams are taken; try again later", headers=wait)
        self.open[client] += 1
        self.fanout.add(subscriber)
        try:
            yield
        finally:
            self.fanout.remove(subscriber)
            self.open[client] -= 1
            self.open += Counter()  # drop addresses without open streams

    async def _tell(self, subscriber: Subscriber, receive: Receive, send: Send) -> None:
        """The stream itself: whatever there is to send, for as long as the client listens."""
        listening = asyncio.create_task(close_when_gone(subscriber, receive))
        frames = [f"retry: {1000 + secrets.randbelow(2001)}\n\n".encode()]  # not all at once after a restart
        while not subscriber.is_closed:
            for piece in pieces(frames):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await subscriber.wake.wait()
            frames = subscriber.take(self.fanout.position)
            if not subscriber.is_placed and self.fanout.is_live:
                frames += await self.fanout.catch_up(subscriber)
        listening.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def close_when_gone(subscriber: Subscriber, receive: Receive) -> None:
    """Close the subscriber of a client that hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass
    subscriber.close()


def crash(task: "asyncio.Task[None]") -> None:
    """End the process if what all streams depend on has failed; the supervisor restarts it."""
    if not task.cancelled() and (fault := task.exception()):
        log.error("streams_crashed", exc_info=fault)
        raise SystemExit(1)


# ── Requests ────────────────────────────────────────────────────────────────────────────────────
def check(scope: Scope, given: Headers) -> None:
    """Refuse what is too large, and another host, address or method than ours."""
    if fault := door.fault_of({"PATH_INFO": scope["path"], "QUERY_STRING": scope["query_string"].decode("latin-1")}):
        raise RefusedError(*fault)
    host, _ = split_domain_port(given.get("host", ""))
    if not (host and validate_host(host, settings.ALLOWED_HOSTS)):
        raise RefusedError(HTTPStatus.BAD_REQUEST, "the request cannot be read")
    if plain_path(scope["path"]).rstrip("/") != PATH:
        raise RefusedError(HTTPStatus.NOT_FOUND, "there is nothing at this address")
    if scope["method"] not in METHODS.split(", "):
        sentence = f'Method "{scope["method"]}" not allowed.'
        raise RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, sentence, headers={"allow": METHODS})


def read_query(text: bytes) -> dict[str, Any]:
    """Return the checked query; refused in the words of the other routes."""
    try:
        return checked_query(QueryDict(text), StreamQuery)
    except ValidationError as fault:
        details: Any = fault.detail
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"bad query: {', '.join(details)}", details=details) from None


def resume_from(query: Mapping[str, Any], given: Headers) -> Position | None:
    """Return where to resume: the header of a browser that reconnects, which is later than the query."""
    if not (last := given.get("last-event-id", "")):
        return query.get("since")
    if (position := events.read_id(last)) is None:
        details = {"Last-Event-ID": ["is not the id of an event"]}
        raise RefusedError(HTTPStatus.BAD_REQUEST, "bad header: Last-Event-ID", details=details)
    return position


def address(scope: Scope, given: Headers) -> str:
    """Return the address of the stream's client, by the same rule as for all limits."""
    client = scope["client"] or ("", 0)
    return client_address({"HTTP_X_FORWARDED_FOR": given.get("x-forwarded-for"), "REMOTE_ADDR": client[0]})


# ── Answers ─────────────────────────────────────────────────────────────────────────────────────
def own_cors_headers(given: Headers) -> dict[str, str]:
    """Let pages of this host's web server read the stream, beside those that may read the API."""
    origin = given.get("origin", "")
    own = {f"{scheme}://{web_host(given.get('host', ''))}" for scheme in ("http", "https")}
    allowed = {"Access-Control-Allow-Origin": origin} if origin in own else cors_headers(origin)
    return {"Vary": "origin", **allowed}


def web_host(host: str) -> str:
    """Return host and port of the web server, whose 307 sends browsers here."""
    return f"{urlsplit(f'//{host}').netloc.rpartition(':')[0] or host}:{settings.WEB_PORT}"


def encode(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Write headers as ASGI has them."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


async def respond(send: Send, status: HTTPStatus, headers: Headers, body: Any = None) -> None:
    """Send a whole answer."""
    content = b"" if body is None else msgspec.json.encode(body, enc_hook=str)  # DRF's own kind of str
    own = {"content-type": "application/json", "cache-control": "no-store", "content-length": str(len(content))}
    own |= {"connection": "close"}  # only a first head has a deadline
    await send({"type": "http.response.start", "status": status, "headers": encode({**headers, **own})})
    await send({"type": "http.response.body", "body": content, "more_body": False})
