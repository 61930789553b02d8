"""How routes describe themselves in the OpenAPI schema."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, extend_schema_serializer
from rest_framework import serializers

from raceday.api.errors import ErrorSerializer
from raceday.api.queries import NoQuery

F = TypeVar("F", bound=Callable[..., Any])
ERRORS: dict[int, tuple[str, dict[str, Any]]] = {
    400: (
        "A parameter or the body is wrong; `details` names it.",
        {"error": "bad query: x", "details": {"x": ["unknown query parameter"]}},
    ),
    401: ("The request has no valid token and no session.", {"error": "Authentication credentials were not provided."}),
    403: ("The user does not have the right.", {"error": "You do not have permission to perform this action."}),
    404: ("There is nothing to show.", {"error": "there is nothing at this address"}),
    414: ("The address is too long.", {"error": "a path may have 1024 letters and a query 8192"}),
    415: ("The body is not JSON.", {"error": 'Unsupported media type "text/plain" in request.'}),
    429: (
        "The client has sent too many requests; `Retry-After` says how long to wait.",
        {
            "error": "too many requests; try again in 23 s",
            "details": {"limit": 100, "window_seconds": 60, "retry_after_seconds": 23},
        },
    ),
    503: (
        "A server does not answer; try again.",
        {"error": "the database does not answer; try again in a moment"},
    ),
}


def example(value: Any) -> Callable[[type], type]:
    """Give a serializer its example in the API's description."""
    return extend_schema_serializer(examples=[OpenApiExample("example", value=value)])


def error_responses(*statuses: int, missing: str = "") -> dict[int, OpenApiResponse]:
    """Describe what a route answers in these cases; `missing` is the sentence of its 404."""
    responses = {}
    for status in statuses:
        description, error = ERRORS[status]
        shown = {"error": missing} if missing and status == 404 else error
        responses[status] = OpenApiResponse(
            ErrorSerializer, description=description, examples=[OpenApiExample("example", value=shown)]
        )
    return responses


def describe(
    summary: str,
    body: Any,
    *,
    query: type[serializers.Serializer[Any]] = NoQuery,
    missing: str = "",
    payload: Any = None,
    examples: Sequence[OpenApiExample] = (),
) -> Callable[[F], F]:
    """Describe a route in the OpenAPI schema; `missing` is the sentence of its 404, if it has one."""
    statuses = [400, *([404] if missing else []), 414, *([415] if payload else []), 429, 503]
    return extend_schema(
        summary=summary,
        parameters=[] if query is NoQuery else [query],
        request=payload,
        responses={200: body, **error_responses(*statuses, missing=missing)},
        examples=examples,
    )


def api_endpoints(endpoints: list[tuple[str, str, str, Any]], **_: Any) -> list[tuple[str, str, str, Any]]:
    """Name each endpoint below /api once in the schema, without its optional slash."""
    return [(path.rstrip("/"), *rest) for path, *rest in endpoints if path.startswith("/api/")]
