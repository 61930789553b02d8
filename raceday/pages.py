"""SERVE: public bodies by page, which knows its query, its topic and how its body is made. Readers share them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlencode
from zlib import MAX_WBITS, compressobj

import brotli
import msgspec
from django.core.exceptions import SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.urls import resolve
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.serializers import Serializer

from raceday import clock, metrics, replicas, shelf
from raceday.api import NoQuery, checked_query, snake_case
from raceday.racing_day import nz_iso, racing_day
from raceday.shelf import BR, GZIP, IDENTITY, Finished, Found, Mark

LIVE_SECONDS = 60
CARD_SECONDS = 300
SMALL_BYTES = 1024
BR_QUALITY = 4
GZIP_LEVEL = 2
ROUNDS = 8
LEAST_SECONDS = 1.0  # of the machine's, as in a fast demo 5 s are over in a wink
MOST_KEPT = 512  # letters of an address that is worth remembering: 4,096 of them take some MB
WEIGHTS = {BR: 2, GZIP: 1, IDENTITY: 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What a page shows. keep_seconds: how long the clock leaves it true, None for ever, 0: not to be kept.

    data: to render, or bytes. mark: of the race it is about. rounds: how many publications make it anew before somebody
    has to ask for it again. version: of the race when it was read, where a replica may have been asked.
    """

    data: object
    keep_seconds: float | None = None
    mark: Mark | None = None
    rounds: int = ROUNDS
    version: str | None = None
    status: int = 200


@dataclass(frozen=True, slots=True)
class Page:
    """A public body. topic: what outdates it, as `race:{race_id}`; "": never kept. is_instant: no process keeps it.

    is_far: it may be read from a replica.
    """

    topic: str
    query: type[Serializer[Any]]
    body: Callable[..., Body]
    is_instant: bool
    is_far: bool


class Asked(NamedTuple):
    """A page with its checked query, the topic it hangs on, and the key every spelling of it shares."""

    page: Page
    query: dict[str, Any]
    topic: str
    key: str
    route: str


def page(
    topic: str, query: type[Serializer[Any]] = NoQuery, *, is_instant: bool = False, is_far: bool = False
) -> Callable[[Callable[..., Body]], Callable[..., HttpResponse]]:
    """This function will make a viewset's action of a method that returns a page's body for a checked query."""

    def decorate(body: Callable[..., Body]) -> Callable[..., HttpResponse]:
        made = Page(topic, query, body, is_instant, is_far)

        def action(self: Any, request: Request, **path: str) -> HttpResponse:
            self.headers = {}  # REST framework's Allow, which a hit has not
            route = getattr(request.resolver_match, "url_name", None) or ""
            return answer(request, _asked(made, request.path_info, path, request.query_params, route))

        action.page = made  # type: ignore[attr-defined]
        action.__name__, action.__doc__, action.__module__ = body.__name__, body.__doc__, body.__module__
        return action

    return decorate


# ── Which page is asked for ─────────────────────────────────────────────────────────────────────
def find(path: str, query: str) -> Asked | None:
    """This function will return what is asked for by path and raw query; None: nothing the shelf could hold."""
    today = racing_day(clock.now())  # a default of queries
    is_small = len(path) + len(query) <= MOST_KEPT
    return _find(path, query, today) if is_small else _find.__wrapped__(path, query, today)


def find_address(address: str) -> Asked | None:
    """This function will return what is asked for by an address without its host; a page's key is one."""
    path, _, query = address.partition("?")
    return find(unquote(path), query)


@lru_cache(4096)
def _find(path: str, query: str, _today: date) -> Asked | None:
    try:
        match = resolve(path)
        action = getattr(match.func.cls, match.func.actions["get"])  # type: ignore[attr-defined]  # a viewset's
        asked = _asked(action.page, path, match.kwargs, QueryDict(query), match.url_name or "")
        return asked if asked.topic else None
    except (Http404, AttributeError, KeyError, ValidationError, ValueError, SuspiciousOperation):
        return None


def _asked(found: Page, path: str, named: dict[str, str], params: QueryDict, route: str) -> Asked:
    query = checked_query(params, found.query)
    given = {snake_case(name): str(value) for name, value in params.items()}
    plain = {name: str(_plain(value, given.get(name))) for name, value in query.items()}
    key = f"{quote(path.rstrip('/'))}?{urlencode(sorted(plain.items()))}"
    whole = {**named, **query}
    return Asked(found, whole, found.topic.format(**whole), key, route)


def _plain(value: Any, given: str | None) -> Any:
    # What a serializer made of a word is told by the word, unless every spelling of it comes to one value.
    is_plain = isinstance(value, str | int | date) and not isinstance(value, datetime)
    return value if given is None or is_plain else given


# ── Rendering ───────────────────────────────────────────────────────────────────────────────────
def render(data: object) -> bytes:
    """This function will write a body as JSON; bytes are one already."""
    return data if isinstance(data, bytes) else msgspec.json.encode(data)


@cache
def _ready(shape: type[Serializer[Any]]) -> Serializer[Any]:
    return shape()


def shown(shape: type[Serializer[Any]], instance: object) -> Any:
    """This function will return what `shape(instance).data` holds; the serializer's fields are built once a process."""
    return _ready(shape).to_representation(instance)


def shown_many(shape: type[Serializer[Any]], instances: Any) -> list[Any]:
    """This function will return what `shape(instances, many=True).data` holds, as `shown` does."""
    return [_ready(shape).to_representation(instance) for instance in instances]


def finish(body: Body) -> Finished:
    """This function will render and compress a body, once, for all who will be given it."""
    content = render(body.data)
    etag = f'W/"{blake2b(content, digest_size=12).hexdigest()}"'
    until = (
        0.0 if body.keep_seconds is None else time.time() + max(LEAST_SECONDS, clock.real_seconds(body.keep_seconds))
    )
    if len(content) < SMALL_BYTES:
        return Finished(body.status, etag, until, {IDENTITY: content})
    packer = compressobj(GZIP_LEVEL, wbits=MAX_WBITS + 16)
    packed = packer.compress(content) + packer.flush()
    return Finished(body.status, etag, until, {GZIP: packed, BR: brotli.compress(content, quality=BR_QUALITY)})


def make(asked: Asked) -> Body:
    """This function will make a page's body anew; that there is none yet is a body, too, as long as the race stands."""
    try:
        return asked.page.body(None, **asked.query)
    except NotFound as fault:
        return Body(data={"error": str(fault.detail)}, status=404)


# ── Answering from the database ─────────────────────────────────────────────────────────────────
class Finally(HttpResponse):
    """Compressed already, or on purpose not: GZipMiddleware looks for a quality of 0 as little as for a kept body."""

    def has_header(self, header: str) -> bool:
        return header == "Content-Encoding" or super().has_header(header)


def answer(request: HttpRequest | Request, asked: Asked) -> HttpResponse:
    """This function will make the body, leave it on the shelf for the next reader, and answer with it: a miss."""
    noted = shelf.begin(asked.topic) if asked.topic else None
    body = _make_afar(asked, noted) if asked.page.is_far else make(asked)
    finished = finish(body)
    is_known = body.status == 200 or (noted and noted.mark)  # not every address that leads nowhere
    if noted and is_known and body.keep_seconds != 0:
        mark = body.mark or _renewed(noted.mark)
        shelf.fill(asked.topic, asked.key, finished, noted=noted, mark=mark, rounds=body.rounds)
    metrics.CACHE_REQUESTS.labels(route=asked.route, outcome="miss").inc()
    encoding = best(request.META.get("HTTP_ACCEPT_ENCODING", ""), finished.contents)
    content = finished.contents.get(encoding) or render(body.data)
    headers = {"X-Cache": "MISS", "ETag": finished.etag, "Cache-Control": "no-cache"}
    if encoding != IDENTITY:
        headers["Content-Encoding"] = encoding
    if mark := body.mark or (noted.mark if noted else None):
        headers |= {"X-Polled-At": mark.polled_at, "Age": age(mark.epoch)}
    return Finally(content, content_type="application/json", headers=headers, status=body.status)


def _make_afar(asked: Asked, noted: Found | None) -> Body:
    """A body from a replica, if it is of the very version it is to be kept under, or not to be kept at all."""
    if noted and not noted.mark:  # the versions of lists are words the database does not know
        return make(asked)
    return replicas.read(lambda: make(asked), is_enough=lambda body: noted is None or body.version == noted.version)


def _renewed(mark: Mark | None) -> Mark | None:
    # That there is nothing yet was looked at just now, and stands as long as a body would.
    return mark and mark._replace(fresh_until=mark.fresh_until and time.time() + clock.real_seconds(LIVE_SECONDS))


def mark_of(polled_at: datetime, *, keep_seconds: float) -> Mark:
    """This function will mark a race as polled then, its bodies fresh for so long from now on; 0: for ever."""
    until = time.time() + max(LEAST_SECONDS, clock.real_seconds(keep_seconds)) if keep_seconds else 0.0
    # What the clock says in Raceday's time was so at this second of the machine's.
    epoch = time.time() - clock.real_seconds((clock.now() - polled_at).total_seconds())
    return Mark(nz_iso(polled_at), round(epoch, 3), round(until, 3))


def age(epoch: float) -> str:
    """This function will write the whole seconds since a poll, of the machine's clock."""
    return str(max(0, int(time.time() - epoch)))


def best(accepted: str, offered: Any = (BR, GZIP, IDENTITY)) -> str:
    """This function will choose the encoding that a client likes best of those offered; as it is if it likes none.

    >>> best("gzip, br"), best("br;q=0.5, gzip"), best("*;q=0"), best("")
    ('br', 'gzip', 'identity', 'identity')
    """
    qualities = _qualities(accepted)
    others = qualities.get("*", 0.0)
    liked = [(qualities.get(name, others), WEIGHTS[name], name) for name in offered if name != IDENTITY]
    plain = qualities.get(IDENTITY, 0.0)
    quality, _, name = max(liked, default=(0.0, 0, IDENTITY))
    return name if quality > 0 and quality >= plain else IDENTITY


@lru_cache(256)  # the door lets in 512 letters
def _qualities(accepted: str) -> dict[str, float]:
    found = {}
    for part in accepted.lower().split(","):
        name, _, quality = part.partition(";")
        try:
            found[name.strip()] = float(quality.strip().removeprefix("q=") or 1) if quality else 1.0
        except ValueError:
            found[name.strip()] = 0.0
    return found
