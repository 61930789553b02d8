"""The simulator's door: raw ASGI in front of a source of answers, with the controls and the truth beside it."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from raceday.racing_day import racing_day
from raceday.simulator.day import Simulation
from raceday.simulator.envelope import ROOT, Answer, RefusedError, Request, refusal
from raceday.simulator.faults import Controls, instant, meant, refused, spoiled, switch, take
from raceday.simulator.served import Served
from raceday.simulator.truth import informed_races
from raceday.simulator.wire import answer

GZIP_LEVEL = 3
GZIP_FROM_BYTES = 500

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
Source = Callable[[Request, datetime], Answer]
Now = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Feed:
    """What an app serves from: the feed's answers, the time, the truth if there is any, what is switched on, what was
    given."""

    source: Source
    now: Now
    truth: Source | None
    controls: Controls
    served: Served = field(default_factory=Served)


def simulated_app(simulations: Callable[[datetime], Sequence[Simulation]], now: Now) -> App:
    """Make the ASGI app of a simulated TAB, with its truth at /_truth.

    simulations: returns those whose racing the feed knows at an instant, the newest first.
    """

    def source(request: Request, at: datetime) -> Answer:
        return answer(simulations(at), request, at)

    def truth(request: Request, at: datetime) -> Answer:
        rows = [
            informed_races(simulation, racing_day(at), request.query.get("race_id")) for simulation in simulations(at)
        ]
        return _json({"informed": [row for each in rows for row in each]})

    return feed_app(source, now, truth)


def feed_app(source: Source, now: Now, truth: Source | None = None) -> App:
    """Put a source of feed answers behind HTTP: the feed, /_health, /_control, /_served, /_truth."""
    feed = Feed(source, now, truth, {})

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        request = Request(path=scope["path"], query=dict(parse_qsl(scope["query_string"].decode("latin-1"))))
        if request.path.startswith(f"{ROOT}/"):
            await _serve_feed(feed, scope, receive, send, request=request)
        elif request.path == "/_control" and scope["method"] == "POST":
            await _send(scope, send, _control(feed.controls, await _body(receive), now()))
        else:
            await _send(scope, send, _own(feed, request))

    return app


async def _serve_feed(feed: Feed, scope: Message, receive: Receive, send: Send, *, request: Request) -> None:
    fault = take(feed.controls, request)
    kind = fault.fault if fault else None
    if fault and kind == "latency":
        await asyncio.sleep(fault.seconds)
    if kind == "hang":
        await _hang(receive)
        return
    at = instant(fault, feed.now())
    reply = refused(fault, request, at) or spoiled(fault, _answered(scope, feed.source, meant(fault, request), at))
    retry_after = None if fault is None else fault.retry_after or (2 if kind == "429" else None)
    await _send(scope, send, reply, retry_after=retry_after, is_cut=kind == "truncate")
    if kind != "truncate":
        feed.served.note(request, reply, fault=kind)


def _own(feed: Feed, request: Request) -> Answer:
    at = feed.now()
    if request.path == "/_health":
        return _json({"status": "healthy", "now": at.isoformat()})
    if request.path == "/_control":
        return _json(list(feed.controls.values()))
    if request.path == "/_served":
        return _json(feed.served.since(int(request.query.get("since", "0"))))
    if request.path == "/_truth" and feed.truth is not None:
        return feed.truth(request, at)
    return refusal("Affiliates API", request, at, RefusedError(404, "NOT_FOUND", "404 page not found"))


def _answered(scope: Message, source: Source, request: Request, at: datetime) -> Answer:
    if scope["method"] == "GET":
        return source(request, at)
    return refusal("Affiliates API", request, at, RefusedError(405, "METHOD_NOT_ALLOWED", "method not allowed"))


def _control(controls: Controls, body: bytes, now: datetime) -> Answer:
    try:
        switch(controls, body, now)
    except msgspec.DecodeError as wrong:
        return _json({"error": str(wrong)}, 400)
    return _json(list(controls.values()))


def _json(value: object, status: int = 200) -> Answer:
    return Answer(status, msgspec.json.encode(value))


async def _body(receive: Receive) -> bytes:
    body, has_more = b"", True
    while has_more:
        message = await receive()
        body, has_more = body + message.get("body", b""), message.get("more_body", False)
    return body


async def _hang(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(
    scope: Message, send: Send, reply: Answer, *, retry_after: int | str | None = None, is_cut: bool = False
) -> None:
    """Send an answer, gzipped if requested; a truncated one stops half-way and closes the connection."""
    headers = [(b"content-type", b"application/json"), (b"vary", b"Accept-Encoding")]
    body = reply.body
    if len(body) >= GZIP_FROM_BYTES and b"gzip" in dict(scope["headers"]).get(b"accept-encoding", b""):
        body = gzip.compress(body, GZIP_LEVEL, mtime=0)
        headers.append((b"content-encoding", b"gzip"))
    if retry_after is not None:
        headers.append((b"retry-after", str(retry_after).encode()))
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": body[: len(body) // 2] if is_cut else body, "more_body": is_cut})
