"""Errors: every one is answered as `{error, details?}`."""

from collections.abc import Callable
from time import monotonic
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.views import exception_handler

from raceday.api.payloads import BadPayloadError

DATABASE_AWAY_SECONDS = 5.0
_database = {"away_until": 0.0}


class ErrorSerializer(serializers.Serializer[Any]):
    """The shape of every error."""

    error = serializers.CharField(help_text="one sentence")
    details = serializers.DictField(required=False, help_text="by query name, what is wrong with it")


def note_database_away() -> None:
    """Have this process mark bodies that may have been overtaken as stale, for some seconds."""
    _database["away_until"] = monotonic() + DATABASE_AWAY_SECONDS


def is_database_away() -> bool:
    """Tell whether the database failed to answer a moment ago."""
    return monotonic() < _database["away_until"]


def error_response(fault: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """Answer an exception of a view as `{error, details?}`; None leaves it to the 500 page."""
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


def error_answer(status: int, sentence: str) -> Callable[..., HttpResponse]:
    """Return a handler that answers `{error}`."""

    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return JsonResponse({"error": sentence}, status=status)

    return answer


bad_request = error_answer(400, "the request cannot be read")
permission_denied = error_answer(403, "not allowed")
page_not_found = error_answer(404, "there is nothing at this address")
server_error = error_answer(500, "something went wrong here; it is in the log")
