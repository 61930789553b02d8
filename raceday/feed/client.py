"""Room 1, FETCH: one httpx client to the feed, within its budget; timeouts and retries in sight. No body is read here.

What can be expected to go wrong is a FeedError, a value. The only room that runs in parallel.
"""

import asyncio
import random
import time
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from math import inf
from typing import Any, Self
from urllib.parse import quote

import httpx
from django.conf import settings
from msgspec import Struct

from raceday import clock
from raceday.feed.host import BROKEN, REFUSED, Host, Trouble
from raceday.feed.retry_after import retry_after_seconds
from raceday.feed.slots import Slots

BODY_LIMIT = 20_000_000  # bytes, on the wire and unpacked; an event is 30 kB packed and 400 kB unpacked
AGAIN_SECONDS = (0.15, 0.35)  # before the second attempt, by chance
PAGE = 200
EVENT_FLAGS = {
    "with_money_tracker": "true",
    "with_big_bets": "true",
    "with_biggest_bet": "true",
    "with_live_bets": "true",
    "enc": "json",
}


class FeedAnswer(Struct, frozen=True, kw_only=True, tag=True):
    """An answer in hand: the body as it came over the wire, when, and how long it took, in wall milliseconds."""

    body: bytes
    encoding: str  # gzip or identity
    polled_at: datetime
    fetch_ms: float

    def content(self) -> bytes:
        """Return the body unpacked; ValueError when it is cut off or packed wrongly."""
        if self.encoding != "gzip":
            return self.body
        unpack = zlib.decompressobj(wbits=31)
        try:
            content = unpack.decompress(self.body, BODY_LIMIT)
        except zlib.error as error:
            raise ValueError(f"the gzip body is damaged: {error}") from None
        if not unpack.eof:
            raise ValueError("the gzip body is cut off, or unpacks to more than 20 MB")
        return content


class FeedError(Struct, frozen=True, kw_only=True, tag=True):
    """Why there is no answer. `retry_after`: seconds that the feed asks us to wait, if it does."""

    reason: str
    http_status: int | None
    retry_after: float | None
    polled_at: datetime
    fetch_ms: float


class FeedClient:
    """The one door to NZ TAB."""

    def __init__(self, client: httpx.AsyncClient, host: Host) -> None:
        self._client = client
        self._host = host
        self._slots = Slots(settings.FEED_CONCURRENCY, host.ask)
        self._timeout_seconds = settings.FEED_TIMEOUT_SECONDS

    @classmethod
    @asynccontextmanager
    async def from_settings(cls) -> AsyncIterator[Self]:
        """Open a client with the settings' values, and close it at the end."""
        identity = {
            "From": settings.NZTAB_FROM,
            "X-Partner": settings.NZTAB_PARTNER,
            "X-Partner-ID": settings.NZTAB_PARTNER_ID,
        }
        async with (
            Host.from_settings() as host,
            httpx.AsyncClient(
                base_url=settings.NZTAB_API_URL,
                headers={
                    "User-Agent": "Raceday/0.1",
                    "Accept": "application/json",
                    "Accept-Encoding": "gzip",
                    **{name: value for name, value in identity.items() if value},
                },
                timeout=httpx.Timeout(settings.FEED_TIMEOUT_SECONDS, connect=2.0),
                # httpx drops an idle connection after 5 s by default, so each 15 s poll would open a new one.
                limits=httpx.Limits(
                    max_connections=settings.FEED_CONCURRENCY,
                    max_keepalive_connections=settings.FEED_CONCURRENCY,
                    keepalive_expiry=60,
                ),
                follow_redirects=False,
                trust_env=False,
            ) as client,
        ):
            feed = cls(client, host)
            try:
                yield feed
            finally:
                feed._slots.close()

    async def fetch_event(self, race_id: str, *, urgency: float | None = None) -> FeedAnswer | FeedError:
        """Fetch one race with its money and bets.

        urgency: while requests are short, the lowest goes first, and waits for as long as it takes. None: others go
        first, half of the burst is left to them, and the wait ends after FEED_TIMEOUT_SECONDS.
        """
        path = f"/racing/events/{quote(race_id, safe='')}"
        if urgency is None:
            return await self._fetch(path, EVENT_FLAGS, inf, patience_seconds=self._timeout_seconds)
        return await self._fetch(path, EVENT_FLAGS, urgency)

    async def fetch_meetings(self, *, date_from: date, date_to: date, offset: int = 0) -> FeedAnswer | FeedError:
        """Fetch one page, of up to 200, of the meetings dated in [date_from, date_to]."""
        days = {"date_from": date_from.isoformat(), "date_to": date_to.isoformat()}
        wanted = {**days, "limit": str(PAGE), "offset": str(offset), "enc": "json"}
        return await self._fetch("/racing/meetings", wanted, 0.0, patience_seconds=self._timeout_seconds)

    async def _fetch(
        self, path: str, params: dict[str, str], urgency: float, *, patience_seconds: float | None = None
    ) -> FeedAnswer | FeedError:
        came = time.perf_counter()
        try:
            async with self._slots.hold(urgency, patience_seconds=patience_seconds):
                found = await self._in_time(path, params)
                await self._tell_host(found)
        except TimeoutError:
            return _error(came, "no slot in time: the request budget is used up, or the feed is left alone")
        return found

    async def _in_time(self, path: str, params: dict[str, str]) -> FeedAnswer | FeedError:
        began = time.perf_counter()
        try:
            # httpx's own limits are for a pause; a body that never ends needs a limit for the whole.
            async with asyncio.timeout(self._timeout_seconds):
                found = await self._attempt(path, params, began)
                if isinstance(found, FeedError) and _is_worth_another(found):
                    await asyncio.sleep(random.uniform(*AGAIN_SECONDS))  # noqa: S311
                    if await self._host.ask(1, is_patient=True) == (1, 0.0):
                        found = await self._attempt(path, params, began)
        except TimeoutError:
            return _error(began, f"no whole answer within {self._timeout_seconds:g} s")
        return found

    async def _tell_host(self, found: FeedAnswer | FeedError) -> None:
        if isinstance(found, FeedAnswer) or (trouble := _trouble(found)) is None:
            await self._host.answered()
        else:
            await self._host.failed(trouble, found.retry_after)

    async def _attempt(self, path: str, params: dict[str, str], began: float) -> FeedAnswer | FeedError:
        try:
            async with self._client.stream("GET", path.lstrip("/"), params=params) as response:
                if response.status_code != httpx.codes.OK:
                    return _refusal(began, response)
                encoding = response.headers.get("content-encoding", "identity")
                if encoding not in {"gzip", "identity"}:
                    return _error(began, f"the body is packed as {encoding!r}, we asked for gzip", response.status_code)
                body = await _read(response)
        except httpx.HTTPError as error:
            return _error(began, f"{type(error).__name__}: {error}".rstrip(": "))
        if body is None:
            return _error(began, f"the body is longer than {BODY_LIMIT} bytes", response.status_code)
        return FeedAnswer(body=body, encoding=encoding, **_measured(began))


async def _read(response: httpx.Response) -> bytes | None:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > BODY_LIMIT:
            return None
    return bytes(body)


def _is_worth_another(error: FeedError) -> bool:
    # A 429 or 503 asks us to wait; a 404 will stay one. A broken connection or a 500 may be over at once.
    return error.http_status in {None, 500, 502, 504} and error.retry_after is None


def _trouble(error: FeedError) -> Trouble | None:
    """Return what an error says about the host as a whole; None: it answered, if not as we wished."""
    if error.http_status == httpx.codes.TOO_MANY_REQUESTS or error.retry_after is not None:
        return REFUSED
    return BROKEN if error.http_status is None or error.http_status >= httpx.codes.INTERNAL_SERVER_ERROR else None


def _refusal(began: float, response: httpx.Response) -> FeedError:
    retry_after = retry_after_seconds(response.headers)
    return _error(began, f"HTTP {response.status_code}", response.status_code, retry_after)


def _measured(began: float) -> dict[str, Any]:
    return {"polled_at": clock.now(), "fetch_ms": round((time.perf_counter() - began) * 1000, 3)}


def _error(began: float, reason: str, http_status: int | None = None, retry_after: float | None = None) -> FeedError:
    return FeedError(reason=reason, http_status=http_status, retry_after=retry_after, **_measured(began))
