"""PUBLISH: the lane in front of Django. It sends finished bodies from this process, else from Valkey, else from Django.

Nothing is rendered here and no query runs. One request makes a missing body while the others wait. A body that no poll
renewed in time is sent as STALE while one request makes a new one. A body that a commit has just outdated is also sent
as STALE: no thread waits for the publication that follows.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache, lru_cache
from http import HTTPStatus
from threading import Lock
from typing import Any, NamedTuple
from wsgiref.types import StartResponse, WSGIApplication

from django.conf import settings
from django.core.handlers.wsgi import get_path_info
from django.http.request import split_domain_port, validate_host
from prometheus_client import Counter

from raceday import metrics
from raceday.api import door, errors, limits, queries
from raceday.api.clients import client_address
from raceday.api.cors import cors_headers
from raceday.api.headers import security_headers
from raceday.published import resources, shelf
from raceday.published.resources import ResourceRequest
from raceday.published.shelf import IDENTITY, Lookup

PROCESS_SECONDS = 0.25
PROCESS_BODIES = 1000
PROCESS_BYTES = 32 * 1024 * 1024
MAKING_SECONDS = 5.0  # after which another request may make the body
LOOK_AGAIN_SECONDS = 0.01
PUBLISHING_SECONDS = 0.5  # time that a publication may take to replace an outdated body of its topic
LIVENESS = "/health/live"  # below /api too; a process that only waits for a server is alive
ALIVE = (HTTPStatus.OK, {"status": "live"})
CONTENT_TYPE = "Content-Type"
STATUS = {200: "200 OK", 404: "404 Not Found"}
Environ = dict[str, Any]


class Ready(NamedTuple):
    """A body as this process may send it again for a moment: its headers but for those that move."""

    until: float
    route: str
    scope: limits.Scope
    outcome: str
    status: int
    etag: str
    headers: list[tuple[str, str]]
    content_type: str
    epoch: float | None
    content: bytes


class Lane:
    """The WSGI application of one process: it answers from the shelf what it can, the rest comes from Django."""

    def __init__(self, application: WSGIApplication) -> None:
        self.application = application
        self.kept: dict[tuple[str, str, str], Ready] = {}
        self.kept_bytes = 0
        self.keeping = Lock()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        answer = self.at_once(environ, start_response)
        return self.in_time(environ, start_response) if answer is None else answer

    def at_once(self, environ: Environ, start_response: StartResponse) -> list[bytes] | None:
        """Return the response if it is ready, in one piece; None: call `in_time`, which may wait."""
        path = environ["PATH_INFO"] = queries.plain_path(environ["PATH_INFO"])  # for Django and all limits, too
        if (fault := door.fault_of(environ)) or path.removeprefix("/api") == LIVENESS:
            return door.refuse(start_response, *fault) if fault else door.answer(start_response, *ALIVE)
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"} or not is_welcome(environ):
            return None
        name = name_of(environ)
        ready = self.kept.get(name)
        if ready is not None and time.monotonic() < ready.until:
            return self._count_and_send(environ, start_response, ready)
        if (asked := find(environ)) is None:
            return None
        found = shelf.lookup(asked.topic, asked.key, resources.best(name[2]))
        if found is None or not is_answer(asked, found):
            return None
        return self._keep_and_send(environ, start_response, asked, found)

    def in_time(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Return a body that is being made or must be made; Django answers everything else."""
        is_ours = environ["REQUEST_METHOD"] in {"GET", "HEAD"} and is_welcome(environ)
        asked = find(environ) if is_ours else None
        if asked is None:
            return self.application(environ, start_response)
        found, is_maker = find_or_take(asked, resources.best(environ.get("HTTP_ACCEPT_ENCODING", "")))
        if is_maker:
            return self._make(environ, start_response, asked, found)
        if found is None or found.copy is None:
            return self.application(environ, start_response)
        answer = self._keep_and_send(environ, start_response, asked, found)
        return self.application(environ, start_response) if answer is None else answer  # its answer is the 429

    def _keep_and_send(
        self, environ: Environ, start_response: StartResponse, asked: ResourceRequest, found: Lookup
    ) -> list[bytes] | None:
        if asked.resource.while_read:
            shelf.note_read(asked.topic, found)
        ready = prepare(asked, found)
        if ready.outcome == "HIT" and not asked.resource.is_instant:
            self._keep(name_of(environ), ready)
        return self._count_and_send(environ, start_response, ready)

    def _keep(self, name: tuple[str, str, str], ready: Ready) -> None:
        with self.keeping:
            if (before := self.kept.pop(name, None)) is not None:
                self.kept_bytes -= size_of(name, before)
            self.kept_bytes += size_of(name, ready)
            if len(self.kept) >= PROCESS_BODIES or self.kept_bytes > PROCESS_BYTES:
                self.kept.clear()
                self.kept_bytes = size_of(name, ready)
            self.kept[name] = ready

    def _make(
        self, environ: Environ, start_response: StartResponse, asked: ResourceRequest, found: Lookup | None
    ) -> Iterable[bytes]:
        """Django's answer; should it fail, the old body, if there is one."""
        told: list[tuple[Any, ...]] = []

        def listen(*status: Any) -> Callable[[bytes], object]:
            told.append(status)
            return lambda _: None  # PEP 3333's write(), which Django never calls

        try:
            content = door.whole(self.application(environ, listen))
        finally:
            shelf.release(asked.topic, asked.key)
        if told[0][0].startswith("5") and found and found.copy:
            return send(environ, start_response, prepare(asked, found)._replace(outcome="STALE"), {})
        start_response(*told[0])
        return [content]

    def _count_and_send(self, environ: Environ, start_response: StartResponse, ready: Ready) -> list[bytes] | None:
        """The body; None past the client's limit."""
        is_limited = is_api(environ) and limits.are_set()
        allowance = limits.count(client_address(environ), ready.scope) if is_limited else None
        if allowance and allowance.is_refused:
            return None
        return send(environ, start_response, ready, allowance.headers if allowance else {})


def is_api(environ: Environ) -> bool:
    """Tell whether an address is the API's, for which limits and other origins are set, and not a page's."""
    return bool(environ["PATH_INFO"].startswith("/api/"))


def name_of(environ: Environ) -> tuple[str, str, str]:
    """Return the key of a body in this process: path, raw query and accepted encodings."""
    return environ["PATH_INFO"], environ.get("QUERY_STRING", ""), environ.get("HTTP_ACCEPT_ENCODING", "")


def size_of(name: tuple[str, str, str], ready: Ready) -> int:
    """Return the bytes that a body and its key take."""
    return len(ready.content) + sum(map(len, name))


def find(environ: Environ) -> ResourceRequest | None:
    """Return the request for a resource; None if there is none at this address."""
    query = environ.get("QUERY_STRING", "")
    # WSGI has bytes in both, each as a letter of Latin-1.
    return resources.find(get_path_info(environ), query) if query.isascii() else None


def is_answer(asked: ResourceRequest, found: Lookup) -> bool:
    """Tell whether a body may be sent as it is: it is current, about to be replaced, or the last one known."""
    if found.copy is None:
        return False
    is_coming = is_being_published(found) and not asked.resource.is_instant
    return (found.is_current and found.is_fresh) or is_coming or errors.is_database_away()


def find_or_take(asked: ResourceRequest, encoding: str) -> tuple[Lookup | None, bool]:
    """Find a body, and wait while another request makes it; tell also whether this request must make it.

    If a body is missing, outdated or no longer fresh, one request makes it. The others get the old body if it is
    current, and wait otherwise. A body that a publication is about to replace is sent to all as it was, except to the
    client who changed it. While the database is away, every body is sent as it was. None: Valkey does not answer.
    """
    # If requests gave up before a slow maker may, all would make the body, and it would take even longer.
    give_up = time.monotonic() + MAKING_SECONDS
    while (found := shelf.lookup(asked.topic, asked.key, encoding)) is not None:
        if is_answer(asked, found):
            return found, False
        if shelf.take(asked.topic, asked.key, MAKING_SECONDS):
            # Another maker may have come to its end since the look.
            found = shelf.lookup(asked.topic, asked.key, encoding)
            if not (found and found.is_current and found.is_fresh):
                return found, True
            shelf.release(asked.topic, asked.key)
            return found, False
        if found.is_current or time.monotonic() > give_up:
            return found, False
        time.sleep(LOOK_AGAIN_SECONDS)
    return None, False


def is_being_published(found: Lookup) -> bool:
    """Tell whether a body was outdated so recently that its publication may still come."""
    return bool(found.copy) and not found.is_current and 0 <= time.time() - found.outdated < PUBLISHING_SECONDS


def prepare(asked: ResourceRequest, found: Lookup) -> Ready:
    """Make ready to be sent what was found: STALE when overtaken, or when that cannot be known."""
    copy = found.copy
    assert copy is not None  # noqa: S101 the callers' condition
    is_in_doubt = bool(found.fresh_until) and errors.is_database_away()
    outcome = "HIT" if found.is_current and found.is_fresh and not is_in_doubt else "STALE"
    headers = [*security_headers(), ("Vary", "Accept-Encoding"), ("Cache-Control", "no-cache"), ("ETag", copy.etag)]
    headers += [header for header in asked.resource.headers.items() if header[0] != CONTENT_TYPE]
    if copy.encoding != IDENTITY:
        headers.append(("Content-Encoding", copy.encoding))
    if found.polled:
        headers.append(("X-Polled-At", found.polled.polled_at))
    until = time.monotonic() + PROCESS_SECONDS
    epoch = found.polled.epoch if found.polled else None
    content_type = asked.resource.headers[CONTENT_TYPE]
    return Ready(
        until, asked.route, asked.scope, outcome, copy.status, copy.etag, headers, content_type, epoch, copy.content
    )


def send(
    environ: Environ, start_response: StartResponse, ready: Ready, limit_headers: Mapping[str, str]
) -> list[bytes]:
    """Send a body, or 304 to a client that already has it."""
    headers = [*ready.headers, ("X-Cache", ready.outcome), *limit_headers.items()]
    if ready.epoch is not None:
        headers.append(("Age", resources.age(ready.epoch)))
    if settings.CORS_ALLOWED_ORIGINS and is_api(environ):
        headers += [("Vary", "origin"), *cors_headers(environ.get("HTTP_ORIGIN", "")).items()]
    _counter(ready.route, ready.outcome.lower()).inc()
    if ready.status == 200 and is_known(environ.get("HTTP_IF_NONE_MATCH", ""), ready.etag):
        start_response("304 Not Modified", headers)
        return []
    headers += [(CONTENT_TYPE, ready.content_type), ("Content-Length", str(len(ready.content)))]
    start_response(STATUS[ready.status], headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [ready.content]


def is_known(known: str, etag: str) -> bool:
    """Tell whether If-None-Match names this body, however weakly."""
    if not known:
        return False
    words = {word.strip().removeprefix("W/") for word in known.split(",")}
    return "*" in words or etag.removeprefix("W/") in words


def is_welcome(environ: Environ) -> bool:
    """Tell whether Django would let the request in: by its host, and by https where that is set."""
    scheme = settings.SECURE_PROXY_SSL_HEADER if settings.SECURE_SSL_REDIRECT else None
    if scheme and environ.get(scheme[0]) != scheme[1]:
        return False
    return _is_host(environ.get("HTTP_HOST", environ.get("SERVER_NAME", "")), tuple(settings.ALLOWED_HOSTS))


@lru_cache(256)
def _is_host(host: str, allowed: tuple[str, ...]) -> bool:
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, allowed)


@cache
def _counter(route: str, outcome: str) -> Counter:
    return metrics.CACHE_REQUESTS.labels(route=route, outcome=outcome)
