"""SERVE: what all views share — query names, field kinds, errors, headers. No view of its own, no query."""

import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, TypeVar

from django.db import InterfaceError, OperationalError, models
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.middleware.http import ConditionalGetMiddleware
from django.utils.cache import patch_vary_headers
from django.views import defaults
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.views import exception_handler

from raceday.racing_day import nz_iso

KEPT_ON_304 = ("X-Cache", "X-Polled-At", "Age")
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


def snake_case(name: str) -> str:
    """This function will return the snake_case of a camelCase name: `raceId` → `race_id`."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda capital: "_" + capital[0].lower(), name)


def read_query(request: Request, shape: type[serializers.Serializer[Any]] = NoQuery) -> dict[str, Any]:
    """This function will return the checked query with its defaults, or raise ValidationError by name.

    Names may come in snake_case or camelCase; a name that is unknown or comes twice is refused.
    """
    query = shape(data={snake_case(name): value for name, value in request.query_params.items()})
    given = [snake_case(name) for name, values in request.query_params.lists() for _ in values]
    faults = {
        name: ["unknown query parameter"] for name in request.query_params if snake_case(name) not in query.fields
    } | {name: ["given more than once"] for name in given if given.count(name) > 1}
    if faults:
        raise ValidationError(faults)
    query.is_valid(raise_exception=True)
    return dict(query.validated_data)


# ── Errors ──────────────────────────────────────────────────────────────────────────────────────
def error_response(fault: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """This function will answer what a view raised as `{error, details?}`; None leaves it to the 500 page."""
    if isinstance(fault, (OperationalError, InterfaceError)):
        return JsonResponse({"error": "the database does not answer; try again in a moment"}, status=503)
    if (response := exception_handler(fault, context)) is None:
        return None
    body = {"error": str(response.data.get("detail"))}
    if isinstance(fault, ValidationError):
        body = {"error": f"bad query: {', '.join(response.data)}", "details": response.data}
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
    summary: str, body: Any, *, query: type[serializers.Serializer[Any]] = NoQuery, missing: str = ""
) -> Callable[[F], F]:
    """This function will describe a GET in the OpenAPI schema; `missing` says when it is a 404."""
    faults = {400: ErrorSerializer, 503: ErrorSerializer} | ({404: ErrorSerializer} if missing else {})
    description = f"404 {missing}." if missing else ""
    parameters = [] if query is NoQuery else [query]
    return extend_schema(
        summary=summary, description=description, parameters=parameters, responses={200: body, **faults}
    )


def api_endpoints(endpoints: list[tuple[str, str, str, Any]], **_: Any) -> list[tuple[str, str, str, Any]]:
    """This function will name each endpoint below /api once in the schema, without its optional slash."""
    return [(path.rstrip("/"), *rest) for path, *rest in endpoints if path.startswith("/api/")]
