"""PUBLISH, for now: rendered bodies in Valkey, out of reach the moment one of their topics is published again."""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any, NamedTuple
from urllib.parse import urlencode

import structlog
from django.core.cache import cache
from django.http import HttpResponse
from redis.exceptions import RedisError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from raceday import clock, metrics
from raceday.racing_day import nz_iso

LIVE_SECONDS = 60
CARD_SECONDS = 300
ENDED_SECONDS = 86_400
TOPIC_SECONDS = 2 * ENDED_SECONDS
VALKEY_FAULTS = (RedisError, OSError)

log = structlog.get_logger(__name__)
_told: set[str] = set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What a view answers with: data to render, or bytes; seconds it may be kept (0: not); the race's last poll."""

    data: object
    keep_seconds: int
    polled_at: datetime | None = None


class Kept(NamedTuple):
    """A rendered body, and the versions its topics had before it was read from the database."""

    versions: list[str | None]
    content: bytes
    etag: str
    polled_at: datetime | None


def publish(topics: Iterable[str]) -> None:
    """This function will make every body of these topics a miss at once; call it after the commit.

    A topic's version is a random word that dies here, so a reader that began before the commit keeps its
    body under a word nobody asks for again. One round trip; Valkey being away is logged, not raised.
    """
    try:
        cache.delete_many([f"topic:{topic}" for topic in topics])
    except VALKEY_FAULTS as fault:
        _tell(fault)


def answer(
    request: Request, query: Mapping[str, object], *, topics: Sequence[str], body: Callable[[], Body]
) -> HttpResponse:
    """This function will answer with the kept bytes of this path and canonical query, else with `body()`, kept.

    A hit costs one round trip to Valkey and none to the database. What `body` raises is never kept.
    """
    key = f"body:{request.path_info.rstrip('/')}?{urlencode(sorted(query.items()))}"
    kept, versions = _look_up(key, topics)
    outcome = "hit" if kept else "miss"
    if kept is None:
        fresh = body()
        kept = _rendered(fresh, versions)
        if fresh.keep_seconds and versions:
            _keep(key, kept, fresh.keep_seconds)
    route = getattr(request.resolver_match, "url_name", None)
    metrics.CACHE_REQUESTS.labels(route=route, outcome=outcome).inc()
    return HttpResponse(kept.content, content_type="application/json", headers=_headers(kept, outcome))


def _look_up(key: str, topics: Sequence[str]) -> tuple[Kept | None, list[str | None]]:
    names = [f"topic:{topic}" for topic in topics]
    try:
        found = cache.get_many([key, *names])
        versions = [found.get(name) or _new_version(name) for name in names]
        _told.clear()
    except VALKEY_FAULTS as fault:
        _tell(fault)
        return None, []
    kept = Kept(*found[key]) if key in found else None
    return (kept if kept and kept.versions == versions else None), versions


def _new_version(name: str) -> str | None:
    version = secrets.token_hex(8)
    return version if cache.add(name, version, TOPIC_SECONDS) else cache.get(name)


def _rendered(body: Body, versions: list[str | None]) -> Kept:
    content = body.data if isinstance(body.data, bytes) else JSONRenderer().render(body.data) or b"null"
    return Kept(versions, content, f'"{blake2b(content, digest_size=16).hexdigest()}"', body.polled_at)


def _keep(key: str, kept: Kept, keep_seconds: int) -> None:
    try:
        cache.set(key, tuple(kept), max(1, clock.real_seconds(keep_seconds)))
    except VALKEY_FAULTS as fault:
        _tell(fault)


def _headers(kept: Kept, outcome: str) -> dict[str, Any]:
    headers = {"X-Cache": outcome.upper(), "ETag": kept.etag, "Cache-Control": "no-cache"}
    if kept.polled_at is None:
        return headers
    age_seconds = clock.real_seconds((clock.now() - kept.polled_at).total_seconds())
    return headers | {"X-Polled-At": nz_iso(kept.polled_at), "Age": str(max(0, int(age_seconds)))}


def _tell(fault: Exception) -> None:
    if not _told:
        log.warning("valkey_away", fault=type(fault).__name__)
    _told.add("valkey_away")
