"""SERVE: headers with the cost of a response in the database; a stored response has none."""

from collections.abc import Callable
from contextlib import ExitStack
from time import perf_counter
from typing import Any

from django.db import connections
from django.http import HttpRequest, HttpResponse

from raceday.api.headers import QUERY_HEADERS


class QueryMeter:
    """Counts the statements that pass through it, and their milliseconds."""

    def __init__(self) -> None:
        self.count = 0
        self.ms = 0.0

    def __call__(self, execute: Callable[..., Any], *statement: Any) -> Any:
        started = perf_counter()
        try:
            return execute(*statement)
        finally:
            self.count += 1
            self.ms += 1000 * (perf_counter() - started)


def query_count(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Return the middleware that adds X-Query-Count, and X-Query-Time and -Avg in milliseconds."""

    def answer(request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith("/api/"):
            return get_response(request)
        meter = QueryMeter()
        with ExitStack() as metered:
            for connection in connections.all():
                metered.enter_context(connection.execute_wrapper(meter))
            response = get_response(request)
        if response.headers.get("X-Cache") != "HIT":
            told = (str(meter.count), f"{meter.ms:.2f}", f"{meter.ms / max(1, meter.count):.2f}")
            for name, value in zip(QUERY_HEADERS, told, strict=True):
                response.headers[name] = value
        return response

    return answer
