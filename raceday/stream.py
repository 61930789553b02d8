"""SERVE: `GET /api/stream` as server-sent events, by plain ASGI without Django's request cycle, in its own process.

What is asked is checked here; what is told comes from raceday.fanout.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
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

from raceday import door, events, metrics
from raceday.api import checked_query, plain_path
from raceday.changes import races_of_meeting
from raceday.events import NewsQuery, Position
from raceday.fanout import Fanout
from raceday.login import client_address, is_trusted
from raceday.published import security_headers
from raceday.reader import Reader, pieces

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
    """The ASGI application of one process: its fan-out, and how many streams each address has open."""

    def __init__(self) -> None:
        self.fanout = Fanout(settings.REDIS_URL, races_of_meeting)
        self.open: Counter[str] = Counter()
        self.own_headers = dict(security_headers())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    def close(self) -> None:
        """This function will end all streams; their readers come back by themselves."""
        self.fanout.close()

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        tasks = [asyncio.create_task(self.fanout.follow()), asyncio.create_task(self.fanout.ping())]
        for task in tasks:
            task.add_done_callback(crash)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for task in tasks:
            task.cancel()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        headers = {**self.own_headers, **cors_headers(given)}
        try:
            check(scope, given)
            if scope["method"] == "OPTIONS":
                return await respond(
                    send, HTTPStatus.NO_CONTENT, {**headers, "allow": METHODS, **preflight_headers(given)}
                )
            reader = await self._reader(scope, given)
            with self._place_for(address(scope, given), reader):
                await send({"type": "http.response.start", "status": 200, "headers": encode({**headers, **OPENING})})
                await self._tell(reader, receive, send)
        except RefusedError as refusal:
            metrics.STREAMS_REFUSED.labels(status=int(refusal.status)).inc()
            await respond(send, refusal.status, {**headers, **refusal.headers}, refusal.body)

    async def _reader(self, scope: Scope, given: Headers) -> Reader:
        query = read_query(scope["query_string"])
        reader = Reader(events.wanted(query), resume_from(query, given))
        if reader.since is None:
            try:
                await self.fanout.races_of(reader.wanted)
            except DatabaseFault:
                sentence = "the database does not answer; try again in a moment"
                raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, sentence) from None
            if reader.wanted.meetings - self.fanout.meetings.keys():
                raise RefusedError(HTTPStatus.NOT_FOUND, "no such meeting")
        return reader

    @contextmanager
    def _place_for(self, client: str, reader: Reader) -> Iterator[None]:
        wait = {"retry-after": str(RETRY_SECONDS)}
        if 0 < settings.STREAMS_PER_CLIENT <= self.open[client] and not is_trusted(client):
            sentence = f"you have {self.open[client]} streams open, which is as many as one address may have"
            raise RefusedError(HTTPStatus.TOO_MANY_REQUESTS, sentence, headers=wait)
        if self.open.total() >= settings.STREAMS_MAX:
            raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "all streams are taken; try again later", headers=wait)
        self.open[client] += 1
        self.fanout.add(reader)
        try:
            yield
        finally:
            self.fanout.remove(reader)
            self.open[client] -= 1
            self.open += Counter()  # forgets who has none

    async def _tell(self, reader: Reader, receive: Receive, send: Send) -> None:
        """The stream itself: whatever there is to send, for as long as the client listens."""
        listening = asyncio.create_task(close_when_gone(reader, receive))
        frames = [f"retry: {1000 + secrets.randbelow(2001)}\n\n".encode()]  # not all at once after a restart
        while not reader.is_closed:
            for piece in pieces(frames):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await reader.wake.wait()
            frames = reader.take(self.fanout.position)
            if not reader.is_placed and self.fanout.is_live:
                frames += await self.fanout.catch_up(reader)
        listening.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def close_when_gone(reader: Reader, receive: Receive) -> None:
    """This function will close the reader of a client that hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass
    reader.close()


def crash(task: "asyncio.Task[None]") -> None:
    """This function will end the process when what all streams live on has failed; it is started anew."""
    if not task.cancelled() and (fault := task.exception()):
        log.error("streams_crashed", exc_info=fault)
        raise SystemExit(1)


# ── What is asked ───────────────────────────────────────────────────────────────────────────────
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
    """This function will return the checked query; refused in the words of the other routes."""
    try:
        return checked_query(QueryDict(text), NewsQuery)
    except ValidationError as fault:
        details: Any = fault.detail
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"bad query: {', '.join(details)}", details=details) from None


def resume_from(query: Mapping[str, Any], given: Headers) -> Position | None:
    """This function will return where to go on: a browser that reconnects says it in a header, which is the later."""
    if not (last := given.get("last-event-id", "")):
        return query.get("since")
    if (position := events.read_id(last)) is None:
        details = {"Last-Event-ID": ["is not the id of an event"]}
        raise RefusedError(HTTPStatus.BAD_REQUEST, "bad header: Last-Event-ID", details=details)
    return position


def address(scope: Scope, given: Headers) -> str:
    """This function will return whose stream it is, by the rule of all limits."""
    client = scope["client"] or ("", 0)
    return client_address({"HTTP_X_FORWARDED_FOR": given.get("x-forwarded-for"), "REMOTE_ADDR": client[0]})


# ── Answers ─────────────────────────────────────────────────────────────────────────────────────
def cors_headers(given: Headers) -> dict[str, str]:
    """This function will let pages read the stream that a setting names, and those of the web server of this host."""
    origin = given.get("origin", "")
    own = {f"{scheme}://{web_host(given.get('host', ''))}" for scheme in ("http", "https")}
    is_allowed = bool(origin) and (origin in settings.CORS_ALLOWED_ORIGINS or origin in own)
    return {"vary": "origin"} | ({"access-control-allow-origin": origin} if is_allowed else {})


def web_host(host: str) -> str:
    """This function will return host and port of the web server, whose 307 leads browsers here."""
    return f"{urlsplit(f'//{host}').netloc.rpartition(':')[0] or host}:{settings.WEB_PORT}"


def preflight_headers(given: Headers) -> dict[str, str]:
    """This function will answer what a browser asks before a request with headers of a page's own."""
    if "access-control-request-method" not in given:
        return {"allow": METHODS}
    allowed = ", ".join(settings.CORS_ALLOW_HEADERS)
    return {
        "access-control-allow-methods": METHODS,
        "access-control-allow-headers": allowed,
        "access-control-max-age": "86400",
    }


def encode(headers: Headers) -> list[tuple[bytes, bytes]]:
    """This function will write headers as ASGI has them."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


async def respond(send: Send, status: HTTPStatus, headers: Headers, body: Any = None) -> None:
    """This function will send a whole answer."""
    content = b"" if body is None else msgspec.json.encode(body, enc_hook=str)  # DRF's own kind of str
    own = {"content-type": "application/json", "cache-control": "no-store", "content-length": str(len(content))}
    own |= {"connection": "close"}  # only a first head has a deadline
    await send({"type": "http.response.start", "status": status, "headers": encode({**headers, **own})})
    await send({"type": "http.response.body", "body": content, "more_body": False})
