"""How routes describe themselves in the OpenAPI schema."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers

from raceday.api.errors import ErrorSerializer
from raceday.api.queries import NoQuery

F = TypeVar("F", bound=Callable[..., Any])


def describe(
    summary: str,
    body: Any,
    *,
    query: type[serializers.Serializer[Any]] = NoQuery,
    missing: str = "",
    payload: Any = None,
    examples: Sequence[OpenApiExample] = (),
) -> Callable[[F], F]:
    """Describe a route in the OpenAPI schema; `missing` says when it is a 404."""
    statuses = [400, 414, *([404] if missing else []), *([415] if payload else []), 429, 503]
    return extend_schema(
        summary=summary,
        description=f"404 {missing}." if missing else "",
        parameters=[] if query is NoQuery else [query],
        request=payload,
        responses={200: body, **dict.fromkeys(statuses, ErrorSerializer)},
        examples=examples,
    )


def api_endpoints(endpoints: list[tuple[str, str, str, Any]], **_: Any) -> list[tuple[str, str, str, Any]]:
    """Name each endpoint below /api once in the schema, without its optional slash."""
    return [(path.rstrip("/"), *rest) for path, *rest in endpoints if path.startswith("/api/")]
