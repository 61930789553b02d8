"""SERVE: how many requests a client may send. Valkey counts; the middleware and the lane ask."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import Any, TypeVar

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.urls import ResolverMatch, resolve

from raceday import metrics, valkey
from raceday.api.clients import client_address, is_trusted
from raceday.api.headers import RATE_LIMIT_HEADERS

V = TypeVar("V", bound=Callable[..., Any])


class Scope(StrEnum):
    """What a request counts as; each has its own limit."""

    ORDINARY = "ordinary"
    EXPENSIVE = "expensive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What a client may still do in its window of machine seconds, which began with its first request."""

    limit: int
    used: int
    window_seconds: int
    reset_seconds: int

    @property
    def is_refused(self) -> bool:
        return self.used > self.limit

    @property
    def headers(self) -> dict[str, str]:
        numbers = (self.limit, max(0, self.limit - self.used), self.reset_seconds)
        told = dict(zip(RATE_LIMIT_HEADERS, map(str, numbers), strict=True))
        return told | ({"Retry-After": str(self.reset_seconds)} if self.is_refused else {})

    @property
    def error(self) -> dict[str, Any]:
        """The body of a 429."""
        details = {
            "limit": self.limit,
            "window_seconds": self.window_seconds,
            "retry_after_seconds": self.reset_seconds,
        }
        return {"error": f"too many requests; try again in {self.reset_seconds} s", "details": details}


def are_set() -> bool:
    """Tell whether there is any limit."""
    return bool(settings.RATE_LIMIT_PER_MINUTE or settings.RATE_LIMIT_EXPENSIVE_PER_5_MINUTES)


def unlimited(view: V) -> V:
    """Mark a view, or a viewset's action, as not limited."""
    view.scope_of = lambda match, query: None  # type: ignore[attr-defined]
    return view


def scope_of(path: str, query: str) -> Scope | None:
    """Return what a GET counts as by its path and raw query; None if it is not limited.

    The view's attribute `scope_of` decides (`unlimited`, `@resource(cost=…)`). A view without it is ordinary.
    """
    if not path.startswith("/api/"):
        return None
    try:
        match = resolve(path)
    except Http404:
        return Scope.ORDINARY
    view: Any = match.func
    action = getattr(view.cls, view.actions.get("get", ""), None) if hasattr(view, "actions") else view
    ask: Callable[[ResolverMatch, QueryDict], Scope | None] = getattr(action, "scope_of", _ordinary)
    return ask(match, QueryDict(query))


def _ordinary(_match: ResolverMatch, _query: QueryDict) -> Scope:
    return Scope.ORDINARY


def count(client: str, scope: Scope) -> Allowance | None:
    """Count a request of `client`, an address, and return what is left, `is_refused` if nothing.

    None where there is no limit, for a trusted proxy itself, or without a Valkey to count in. One round trip; those it
    refuses do not lengthen the wait.
    """
    limit, window_seconds = _limits()[scope]
    if not limit or is_trusted(client):
        return None
    name = valkey.key(f"limit:{scope}:{blake2b(client.encode(errors='replace'), digest_size=8).hexdigest()}")

    def add_one(client: Any) -> tuple[int, int]:
        with client.pipeline(transaction=True) as steps:
            steps.set(name, 0, ex=window_seconds, nx=True).incr(name).pttl(name)
            _, used, left_ms = steps.execute()
        return used, left_ms

    if (counted := valkey.ask(add_one)) is None:
        return None
    used, left_ms = counted
    return Allowance(limit=limit, used=used, window_seconds=window_seconds, reset_seconds=max(1, -(-left_ms // 1000)))


def _limits() -> dict[Scope, tuple[int, int]]:
    """Requests and the machine's seconds they are counted over; 0 requests mean no limit."""
    return {
        Scope.ORDINARY: (settings.RATE_LIMIT_PER_MINUTE, 60),
        Scope.EXPENSIVE: (settings.RATE_LIMIT_EXPENSIVE_PER_5_MINUTES, 300),
    }


def rate_limit(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Return the middleware that answers 429 in place of `get_response` past a client's limit."""

    def answer(request: HttpRequest) -> HttpResponse:
        scope = scope_of(request.path_info, request.META.get("QUERY_STRING", ""))
        allowance = count(client_address(request.META), scope) if scope else None
        if allowance is None:
            return get_response(request)
        if allowance.is_refused:
            metrics.REFUSED.labels(status=429).inc()
        response = JsonResponse(allowance.error, status=429) if allowance.is_refused else get_response(request)
        for name, value in allowance.headers.items():
            response.headers[name] = value
        return response

    return answer
