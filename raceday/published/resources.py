"""SERVE: public bodies. A resource knows its query, its topic and how its body is made; all clients share the body."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache, lru_cache, partial
from hashlib import blake2b
from string import Formatter
from typing import Any, NamedTuple, TypedDict, Unpack
from urllib.parse import quote, unquote, urlencode
from zlib import MAX_WBITS, compressobj

import brotli
import msgspec
from django.core.exceptions import SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.urls import NoReverseMatch, ResolverMatch, URLPattern, get_resolver, resolve, reverse
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.serializers import Serializer

from raceday import clock, metrics, replicas
from raceday.api.limits import Scope
from raceday.api.queries import NoQuery, checked_query, snake_case
from raceday.published import shelf
from raceday.published.shelf import BR, GZIP, IDENTITY, Lookup, Mark, StoredBody
from raceday.racing_day import nz_iso, racing_day

LIVE_SECONDS = 60
CARD_SECONDS = 300
SMALL_BYTES = 1024
JSON = {"Content-Type": "application/json"}
BR_QUALITY = 4
GZIP_LEVEL = 2
ROUNDS = 8
LEAST_SECONDS = 1.0  # of the machine's, as in a fast demo 5 s are over in a wink
MOST_KEPT = 512  # letters of an address that is worth remembering: 4,096 of them take some MB
WEIGHTS = {BR: 2, GZIP: 1, IDENTITY: 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The content of a resource.

    data: to render, or bytes.
    keep_seconds: how long it stays correct by the clock; None: always; 0: it is never stored.
    mark: of the race it is about.
    rounds: number of publications that make it again without a new request.
    version: of the race when it was read, if it may come from a replica.
    """

    data: object
    keep_seconds: float | None = None
    mark: Mark | None = None
    rounds: int = ROUNDS
    version: str | None = None
    status: int = 200


def ordinary(**_query: Any) -> Scope:
    """Return what most requests count as."""
    return Scope.ORDINARY


def error_content(sentence: str) -> object:
    """Return the API's content of an error."""
    return {"error": sentence}


class Options(TypedDict, total=False):
    """Optional arguments of `resource`.

    cost: returns what a request counts as, from its query.
    always: every publication of the topic makes the body.
    while_read: publications make it for half an hour after a request.
    at_end: a publication makes it when the topic's race has ended. Without these, publications make it for some rounds
    after a request.
    part: the name of this content in the body of the whole race.
    is_instant: no process keeps it in memory.
    is_far: it may be read from a replica.
    headers: what its responses carry beside the usual; its Content-Type, if it is not JSON.
    missing: returns the content of a 404 from its sentence.
    """

    cost: Callable[..., Scope]
    always: bool
    while_read: bool
    at_end: bool
    part: str
    is_instant: bool
    is_far: bool
    headers: Mapping[str, str]
    missing: Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Resource:
    """A public body. topic: what outdates it, as `race:{race_id}`; "": it is never stored. The rest: see Options."""

    topic: str
    query: type[Serializer[Any]]
    body: Callable[..., Body]
    cost: Callable[..., Scope] = ordinary
    always: bool = False
    while_read: bool = False
    at_end: bool = False
    part: str = ""
    is_instant: bool = False
    is_far: bool = False
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    missing: Callable[[str], object] = error_content


class ResourceRequest(NamedTuple):
    """A resource with its checked query, its topic, and the key that all spellings of the query share."""

    resource: Resource
    query: dict[str, Any]
    topic: str
    key: str
    route: str

    @property
    def scope(self) -> Scope:
        """What the request counts as; a time in its query is compared with now."""
        return self.resource.cost(**self.query)


def resource(
    topic: str, query: type[Serializer[Any]] = NoQuery, **options: Unpack[Options]
) -> Callable[[Callable[..., Body]], Callable[..., HttpResponse]]:
    """Make a viewset's action of a method that returns a resource's body for a checked query."""

    def decorate(body: Callable[..., Body]) -> Callable[..., HttpResponse]:
        made = Resource(topic, query, body, **options)

        def action(self: Any, request: Request, **path: str) -> HttpResponse:
            self.headers = {}  # REST framework's Allow, which a hit has not
            route = getattr(request.resolver_match, "url_name", None) or ""
            return answer(request, _asked(made, request.path_info, path, request.query_params, route))

        action.resource = made  # type: ignore[attr-defined]
        action.scope_of = partial(_scope_of, made)  # type: ignore[attr-defined]
        action.__name__, action.__doc__, action.__module__ = body.__name__, body.__doc__, body.__module__
        return action

    return decorate


def _scope_of(made: Resource, match: ResolverMatch, query: QueryDict) -> Scope:
    try:
        return _asked(made, "", match.kwargs, query, "").scope
    except ValidationError:
        return Scope.ORDINARY  # it is refused before it costs anything


# ── Which resource is asked for ─────────────────────────────────────────────────────────────────────
def find(path: str, query: str) -> ResourceRequest | None:
    """Return the request for a resource by path and raw query; None if the shelf cannot have it."""
    today = racing_day(clock.now())  # a default of queries
    is_small = len(path) + len(query) <= MOST_KEPT
    return _find(path, query, today) if is_small else _find.__wrapped__(path, query, today)


def find_address(address: str) -> ResourceRequest | None:
    """Return the request for a resource by an address without its host; a key is such an address."""
    path, _, query = address.partition("?")
    return find(unquote(path), query)


class Route(NamedTuple):
    """A resource's route: its name, and which names of its topic are in the path."""

    name: str
    resource: Resource
    in_path: frozenset[str]


@cache
def routes(kind: str) -> tuple[Route, ...]:
    """Return the routes of the resources whose topics are of a kind, as `race`."""
    found = [
        Route(str(pattern.name), made, frozenset(pattern.pattern.regex.groupindex))
        for pattern in _patterns(get_resolver().url_patterns)
        if (made := _resource_of(pattern.callback)) is not None
    ]
    return tuple(route for route in found if route.resource.topic.partition(":")[0] == kind)


def _patterns(nodes: Iterable[Any]) -> Iterator[URLPattern]:
    for node in nodes:
        yield from [node] if isinstance(node, URLPattern) else _patterns(node.url_patterns)


def _resource_of(view: Any) -> Resource | None:
    action = getattr(view, "actions", {}).get("get")
    return getattr(getattr(view.cls, action), "resource", None) if action else None


def request_for(route: Route, topic: str) -> ResourceRequest | None:
    """Return the request for a resource of this very topic with a query of defaults; None for a name no path takes."""
    address = _address_of(route.name, route.resource.topic, route.in_path, topic)
    return find_address(address) if address else None


@lru_cache(4096)
def _address_of(name: str, topics: str, in_path: frozenset[str], topic: str) -> str | None:
    about = topic.partition(":")[2]
    named = {field: about for _, field, _, _ in Formatter().parse(topics) if field}
    try:
        path = reverse(name, kwargs={key: value for key, value in named.items() if key in in_path})
    except NoReverseMatch:
        return None
    return f"{path}?{urlencode({key: value for key, value in named.items() if key not in in_path})}"


@lru_cache(4096)
def _find(path: str, query: str, _today: date) -> ResourceRequest | None:
    try:
        match = resolve(path)
        if (found := _resource_of(match.func)) is None:
            return None
        asked = _asked(found, path, match.kwargs, QueryDict(query), match.url_name or "")
        return asked if asked.topic else None
    except (Http404, ValidationError, ValueError, SuspiciousOperation):
        return None


def _asked(found: Resource, path: str, named: dict[str, str], params: QueryDict, route: str) -> ResourceRequest:
    query = checked_query(params, found.query)
    given = {snake_case(name): str(value) for name, value in params.items()}
    plain = {name: str(_plain(value, given.get(name))) for name, value in query.items()}
    key = f"{quote(path.rstrip('/'))}?{urlencode(sorted(plain.items()))}"
    whole = {**named, **query}
    return ResourceRequest(found, whole, found.topic.format(**whole), key, route)


def _plain(value: Any, given: str | None) -> Any:
    # The word itself names the value a serializer made of it, unless all spellings give one value.
    is_plain = isinstance(value, str | int | date) and not isinstance(value, datetime)
    return value if given is None or is_plain else given


# ── Rendering ───────────────────────────────────────────────────────────────────────────────────
def render(data: object) -> bytes:
    """Write a body as JSON; bytes are one already."""
    return data if isinstance(data, bytes) else msgspec.json.encode(data)


@cache
def _ready(shape: type[Serializer[Any]]) -> Serializer[Any]:
    return shape()


def shown(shape: type[Serializer[Any]], instance: object) -> Any:
    """Return what `shape(instance).data` holds; the serializer's fields are built once a process."""
    return _ready(shape).to_representation(instance)


def shown_many(shape: type[Serializer[Any]], instances: Any) -> list[Any]:
    """Return what `shape(instances, many=True).data` holds, as `shown` does."""
    return [_ready(shape).to_representation(instance) for instance in instances]


def finish(body: Body) -> StoredBody:
    """Render and compress a body once for all clients."""
    content = render(body.data)
    etag = f'W/"{blake2b(content, digest_size=12).hexdigest()}"'
    until = (
        0.0 if body.keep_seconds is None else time.time() + max(LEAST_SECONDS, clock.real_seconds(body.keep_seconds))
    )
    if len(content) < SMALL_BYTES:
        return StoredBody(body.status, etag, until, {IDENTITY: content})
    packer = compressobj(GZIP_LEVEL, wbits=MAX_WBITS + 16)
    packed = packer.compress(content) + packer.flush()
    return StoredBody(body.status, etag, until, {GZIP: packed, BR: brotli.compress(content, quality=BR_QUALITY)})


def make(asked: ResourceRequest) -> Body:
    """Make a resource's body; "none yet" is a body too, as long as the race exists."""
    try:
        return asked.resource.body(None, **asked.query)
    except NotFound as fault:
        return Body(data=asked.resource.missing(str(fault.detail)), status=404)


# ── Answering from the database ─────────────────────────────────────────────────────────────────
class Finally(HttpResponse):
    """Marks its content as final for GZipMiddleware, which would compress again and ignores a quality of 0."""

    def has_header(self, header: str) -> bool:
        return header == "Content-Encoding" or super().has_header(header)


def answer(request: HttpRequest | Request, asked: ResourceRequest) -> HttpResponse:
    """Make the body, store it for the next request, and return it: a miss."""
    noted = shelf.begin(asked.topic) if asked.topic else None
    body = _make_afar(asked, noted) if asked.resource.is_far else make(asked)
    finished = finish(body)
    is_known = body.status == 200 or (noted and noted.mark)  # not every address that leads nowhere
    if noted and is_known and body.keep_seconds != 0:
        mark = body.mark or _renewed(noted.mark)
        shelf.fill(asked.topic, asked.key, finished, noted=noted, mark=mark, rounds=body.rounds)
        if asked.resource.while_read:
            shelf.note_read(asked.topic, noted)
    metrics.CACHE_REQUESTS.labels(route=asked.route, outcome="miss").inc()
    encoding = best(request.META.get("HTTP_ACCEPT_ENCODING", ""), finished.contents)
    content = finished.contents.get(encoding) or render(body.data)
    headers = {**asked.resource.headers, "X-Cache": "MISS", "ETag": finished.etag, "Cache-Control": "no-cache"}
    if encoding != IDENTITY:
        headers["Content-Encoding"] = encoding
    if mark := body.mark or (noted.mark if noted else None):
        headers |= {"X-Polled-At": mark.polled_at, "Age": age(mark.epoch)}
    return Finally(content, headers=headers, status=body.status)


def _make_afar(asked: ResourceRequest, noted: Lookup | None) -> Body:
    """Return a body from a replica, if it has the version under which it is to be stored, or is not stored."""
    if noted and not noted.mark:  # the versions of lists are words the database does not know
        return make(asked)
    return replicas.read(lambda: make(asked), is_enough=lambda body: noted is None or body.version == noted.version)


def _renewed(mark: Mark | None) -> Mark | None:
    # Somebody looked just now and found nothing yet: that holds for as long as a body would.
    return mark and mark._replace(fresh_until=mark.fresh_until and time.time() + clock.real_seconds(LIVE_SECONDS))


def mark_of(polled_at: datetime, *, keep_seconds: float, generated_at: datetime | None = None) -> Mark:
    """Mark a race as polled then, its bodies fresh for `keep_seconds` from now on; 0: for ever.

    generated_at: the feed's own stamp; None: not known here.
    """
    until = time.time() + max(LEAST_SECONDS, clock.real_seconds(keep_seconds)) if keep_seconds else 0.0
    # The instant of Raceday's clock, as a second of the machine's clock.
    epoch = time.time() - clock.real_seconds((clock.now() - polled_at).total_seconds())
    stamp = nz_iso(generated_at) if generated_at else ""
    return Mark(nz_iso(polled_at), round(epoch, 3), round(until, 3), stamp)


def age(epoch: float) -> str:
    """Write the whole seconds since a poll, of the machine's clock."""
    return str(max(0, int(time.time() - epoch)))


def best(accepted: str, offered: Any = (BR, GZIP, IDENTITY)) -> str:
    """Choose the encoding that the client prefers; identity if it prefers none of those offered.

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
