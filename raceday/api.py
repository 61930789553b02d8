"""SERVE: what all views share — query names, bodies, field kinds, errors, headers. No view of its own, no query."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from time import monotonic
from typing import IO, Any, ClassVar, TypeVar

import msgspec
from django.db import InterfaceError, OperationalError, models
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.http.response import HttpResponseBase
from django.middleware.http import ConditionalGetMiddleware
from django.utils.cache import patch_vary_headers
from django.views import defaults
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.views import exception_handler

from raceday.racing_day import nz_iso

RATE_LIMIT_HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
QUERY_HEADERS = ("X-Query-Count", "X-Query-Time", "X-Query-Avg")
KEPT_ON_304 = ("X-Frame-Options", "X-Cache", "X-Polled-At", "Age", *RATE_LIMIT_HEADERS, *QUERY_HEADERS)
MAX_PAYLOAD_BYTES = 16_384
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
MOST_OF_AN_INSTANT = 40  # letters
MOST_OF_AN_ID = 100
DATABASE_AWAY_SECONDS = 5.0
_database = {"away_until": 0.0}
F = TypeVar("F", bound=Callable[..., Any])


# ── Fields: instants with the NZ offset, numbers as JSON numbers, money in whole cents ───────────
class InstantField(serializers.DateTimeField):
    def to_representation(self, value: datetime) -> str:
        return nz_iso(value)


class NumberField(serializers.DecimalField):
    def to_representation(self, value: Any) -> float:  # type: ignore[override]  # a JSON number, not DRF's string
        return float(value)


class CentsField(serializers.IntegerField):
    """Dollars in the database, whole cents for the client, converted exactly."""

    def to_representation(self, value: Any) -> int:
        return round(Decimal(str(value)) * 100)


# No docstring: the API's description would repeat it under every body.
class BodySerializer(serializers.ModelSerializer[Any]):
    serializer_field_mapping: ClassVar[dict[Any, Any]] = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.DateTimeField: InstantField,
        models.DecimalField: NumberField,
    }


class ErrorSerializer(serializers.Serializer[Any]):
    """The shape of every error."""

    error = serializers.CharField(help_text="one sentence")
    details = serializers.DictField(required=False, help_text="by query name, what is wrong with it")


# ── Queries ─────────────────────────────────────────────────────────────────────────────────────
class NoQuery(serializers.Serializer[Any]):
    """A query without parameters."""


def plain_path(path: str) -> str:
    """Return a path without its second /api: the original client's base URL ends in one, half of its paths begin so.

    >>> plain_path("/api/api/races"), plain_path("/api/races"), plain_path("/api/apiary")
    ('/api/races', '/api/races', '/api/apiary')
    """
    return path.removeprefix("/api") if path.startswith("/api/api/") else path


# No docstring: the API's description would repeat it at every parameter.
class AskedInstantField(serializers.DateTimeField):
    default_error_messages: ClassVar = dict.fromkeys(
        ("invalid", "overflow"),
        "must be an instant with its offset, as 2026-11-21T15:30:00%2B13:00 or 2026-11-21T02:30:00Z",
    )

    def to_internal_value(self, value: Any) -> datetime:
        if len(value) > MOST_OF_AN_INSTANT:
            self.fail("invalid")
        # The + of an offset comes as a space unless it was encoded.
        asked = super().to_internal_value(re.sub(r"(T\S+) (?=\d\d:?\d\d$)", r"\1+", value))
        # No reading is older or newer than these, and New Zealand's offset of 1867, in seconds, fits no answer.
        return min(max(asked, EARLIEST), LATEST)

    def enforce_timezone(self, value: datetime) -> datetime:
        if value.tzinfo is None:
            self.fail("invalid")
        return super().enforce_timezone(value)


def snake_case(name: str) -> str:
    """This function will return the snake_case of a camelCase name: `raceId` → `race_id`."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda capital: "_" + capital[0].lower(), name)


def read_query(request: Request, shape: type[serializers.Serializer[Any]] = NoQuery) -> dict[str, Any]:
    """This function will return the checked query of a request, as `checked_query` does."""
    return checked_query(request.query_params, shape)


def checked_query(params: QueryDict, shape: type[serializers.Serializer[Any]]) -> dict[str, Any]:
    """This function will return the checked query with its defaults, or raise ValidationError by name.

    Names may come in snake_case or camelCase; a name that is unknown or comes twice is refused.
    """
    query = shape(data={snake_case(name): value for name, value in params.items()})
    given = [snake_case(name) for name, values in params.lists() for _ in values]
    faults = {name: ["unknown query parameter"] for name in params if snake_case(name) not in query.fields} | {
        name: ["given more than once"] for name in given if given.count(name) > 1
    }
    if faults:
        raise ValidationError(faults)
    query.is_valid(raise_exception=True)
    return dict(query.validated_data)


def names_in(text: str, most: int, what: str) -> tuple[str, ...]:
    """Return the ids of a comma list, each once and in order; ValidationError for none, too many or too long ones."""
    names = tuple(dict.fromkeys(filter(None, map(str.strip, text.split(",")))))
    if not 1 <= len(names) <= most:
        raise ValidationError(f"ask for 1 to {most} {what}, not {len(names)}")
    if any(len(name) > MOST_OF_AN_ID for name in names):
        raise ValidationError(f"an id has {MOST_OF_AN_ID} letters at most")
    return names


# ── Bodies that are sent in: JSON of the exact types, nothing turned into another ────────────────
class BadPayloadError(ValidationError):
    """A body that is not as described, by field."""


class JSONPayload(BaseParser):
    """JSON of at most 16 KiB, in UTF-8 whatever charset is claimed; DRF's own would read any amount."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        content = stream.read(MAX_PAYLOAD_BYTES + 1)
        if len(content) > MAX_PAYLOAD_BYTES:
            raise BadPayloadError({"body": [f"is larger than {MAX_PAYLOAD_BYTES} bytes"]})
        try:
            return msgspec.json.decode(content)
        except (ValueError, RecursionError):
            raise BadPayloadError({"body": ["is not JSON"]}) from None


class TextField(serializers.CharField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class WholeNumberField(serializers.IntegerField):
    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return data


class PercentageField(serializers.FloatField):
    """A number as it was sent: 5 stays 5."""

    def to_internal_value(self, data: Any) -> float:
        if type(data) not in {int, float}:
            self.fail("invalid")
        return data  # type: ignore[no-any-return]

    def to_representation(self, value: float) -> float:  # type: ignore[override]  # the stubs say str
        return value


class YesNoField(serializers.BooleanField):
    def to_internal_value(self, data: Any) -> bool:
        if type(data) is not bool:
            self.fail("invalid", input=data)
        return data


# No docstring: the API's description would repeat it under every body.
class PayloadSerializer(serializers.Serializer[Any]):
    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping) and (unknown := set(data) - set(self.fields)):
            raise ValidationError({name: ["unknown field"] for name in sorted(unknown)})
        return super().to_internal_value(data)


def read_payload(request: Request, shape: type[serializers.Serializer[Any]]) -> dict[str, Any]:
    """This function will return the checked body of a POST or PUT, or raise BadPayloadError by field."""
    payload = shape(data=request.data)
    if not payload.is_valid():
        raise BadPayloadError(payload.errors)
    return dict(payload.validated_data)


# ── Errors ──────────────────────────────────────────────────────────────────────────────────────
def note_database_away() -> None:
    """This function will have this process mark bodies that may have been overtaken as stale, for some seconds."""
    _database["away_until"] = monotonic() + DATABASE_AWAY_SECONDS


def is_database_away() -> bool:
    """This function will tell whether the database failed to answer a moment ago."""
    return monotonic() < _database["away_until"]


def error_response(fault: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """This function will answer what a view raised as `{error, details?}`; None leaves it to the 500 page."""
    if isinstance(fault, (OperationalError, InterfaceError)):
        note_database_away()
        return JsonResponse({"error": "the database does not answer; try again in a moment"}, status=503)
    if (response := exception_handler(fault, context)) is None:
        return None
    body = {"error": str(response.data.get("detail"))}
    if isinstance(fault, ValidationError):
        where = "body" if isinstance(fault, BadPayloadError) else "query"
        body = {"error": f"bad {where}: {', '.join(response.data)}", "details": response.data}
    answer = JsonResponse(body, status=response.status_code)
    for name, value in response.headers.items():
        answer.headers.setdefault(name, value)
    return answer


def error_page(status: int, sentence: str, page: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """This function will return a handler: Django's `page` in the admin, `{error}` everywhere else."""

    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.path.startswith("/admin"):
            return page(request, *args, **kwargs)
        return JsonResponse({"error": sentence}, status=status)

    return answer


bad_request = error_page(400, "the request cannot be read", defaults.bad_request)
permission_denied = error_page(403, "not allowed", defaults.permission_denied)
page_not_found = error_page(404, "there is nothing at this address", defaults.page_not_found)
server_error = error_page(500, "something went wrong here; it is in the log", defaults.server_error)


class ConditionalGet(ConditionalGetMiddleware):
    """Django's If-None-Match, and the headers every answer carries, on a 304 too."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        patch_vary_headers(response, ["Accept-Encoding"])
        response.headers.setdefault("Cache-Control", "no-cache" if response.status_code < 400 else "no-store")
        answer = super().process_response(request, response)
        for name in KEPT_ON_304:
            if name in response.headers:
                answer.headers[name] = response.headers[name]
        return answer


# ── The API's own description ───────────────────────────────────────────────────────────────────
def describe(
    summary: str,
    body: Any,
    *,
    query: type[serializers.Serializer[Any]] = NoQuery,
    missing: str = "",
    payload: Any = None,
    examples: Sequence[OpenApiExample] = (),
) -> Callable[[F], F]:
    """This function will describe a route in the OpenAPI schema; `missing` says when it is a 404."""
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
    """This function will name each endpoint below /api once in the schema, without its optional slash."""
    return [(path.rstrip("/"), *rest) for path, *rest in endpoints if path.startswith("/api/")]
