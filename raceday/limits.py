"""SERVE: how many requests a client may make, counted in Valkey; asked by Django's middleware or before Django."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from hashlib import blake2b
from typing import Any
from urllib.parse import parse_qs

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from rest_framework.exceptions import ValidationError

from raceday import clock, metrics, valkey
from raceday.api import RATE_LIMIT_HEADERS, AskedInstantField
from raceday.login import client_address, is_trusted

UNLIMITED = ("/api/health",)
HISTORY = re.compile(r"^/api/races/[^/]+/history$")
FEW_READINGS = timedelta(hours=1)  # in which a race is polled about as often as FEW_POINTS has points
FEW_POINTS = re.compile(r"0*(1?\d?\d|200)")
_since = AskedInstantField()


class Scope(StrEnum):
    """What a request is counted as; each has a limit of its own."""

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
    """This function will tell whether there is any limit."""
    return bool(settings.RATE_LIMIT_PER_MINUTE or settings.RATE_LIMIT_EXPENSIVE_PER_5_MINUTES)


def scope_of(path: str, query: str) -> Scope | None:
    """This function will tell what a request counts as by its path and raw query, None for what is not limited.

    >>> scope_of("/api/races/r1/history/", "since=1970-01-01T00:00:00Z"), scope_of("/api/races", ""), scope_of("/", "")
    (<Scope.EXPENSIVE: 'expensive'>, <Scope.ORDINARY: 'ordinary'>, None)
    """
    path = path.rstrip("/")
    if not path.startswith("/api/") or path in UNLIMITED:
        return None
    asked = parse_qs(query)
    many_points = path == "/api/entrants" and not all(map(FEW_POINTS.fullmatch, asked.get("history", [])))
    long_history = HISTORY.match(path) and not all(map(_is_recent, asked.get("since", [""])))
    return Scope.EXPENSIVE if many_points or long_history else Scope.ORDINARY


def _is_recent(since: str) -> bool:
    # What the request asks for is known before it is answered; what it would return is not.
    try:
        return _since.to_internal_value(since) >= clock.now() - FEW_READINGS
    except ValidationError:
        return False


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
    """This function will return the middleware that answers 429 in place of `get_response` past a client's limit."""

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
