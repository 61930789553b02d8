"""SERVE: a user's alert settings, the one thing the client writes."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from moneyflow.alerts.settings import (
    DEFAULT_USER,
    DEFAULTS,
    AlertConfigPayload,
    AlertConfigSerializer,
    ResetPayload,
    UserQuery,
    WriterQuery,
    WrittenAlertConfigSerializer,
    others_named,
    read_config,
    to_store,
    write_config,
)
from moneyflow.models import UserAlertConfig
from raceday.api.description import describe
from raceday.api.payloads import BadPayloadError, JSONPayload, read_payload
from raceday.api.queries import read_query
from raceday.published import shelf
from raceday.published.resources import CARD_SECONDS, Body, resource, shown

EXAMPLE = shown(AlertConfigSerializer, UserAlertConfig(user_id=DEFAULT_USER, **DEFAULTS))
READ = OpenApiExample("the defaults", EXAMPLE, response_only=True, status_codes=[200])
SENT = OpenApiExample("the defaults", EXAMPLE, request_only=True)
RESET = OpenApiExample("one user", {"user_id": DEFAULT_USER}, request_only=True)
WRITTEN = OpenApiExample("the defaults", {"success": True, **EXAMPLE}, response_only=True, status_codes=[200])


# There is no login and no cookie, so there is no CSRF token. A body must be JSON, which a page of another origin
# cannot send without a preflight.
@extend_schema(tags=["alert settings"])
class AlertConfigViewSet(ViewSet):
    parser_classes = (JSONPayload,)

    @describe(
        "A user's alert settings; the first request creates the defaults",
        AlertConfigSerializer,
        query=UserQuery,
        examples=[READ],
    )
    @resource("alerts:{user_id}", UserQuery, is_instant=True)
    def retrieve(self, user_id: str) -> Body:
        return Body(data=shown(AlertConfigSerializer, read_config(user_id)), keep_seconds=CARD_SECONDS)

    @describe(
        "Store a user's alert settings",
        WrittenAlertConfigSerializer,
        query=WriterQuery,
        payload=AlertConfigPayload,
        examples=[SENT, WRITTEN],
    )
    def create(self, request: Request) -> Response:
        config = read_payload(request, AlertConfigPayload)
        user_id = _user_id(request, config)
        return _written(user_id, config | {"indicators": to_store(config["indicators"])})

    @describe(
        "Reset a user's alert settings to the defaults; the body may be left out, and only its user_id is used",
        WrittenAlertConfigSerializer,
        query=WriterQuery,
        payload=ResetPayload,
        examples=[RESET, WRITTEN],
    )
    def reset(self, request: Request) -> Response:
        payload = read_payload(request, ResetPayload)
        return _written(_user_id(request, payload), DEFAULTS)


def _user_id(request: Request, payload: dict[str, Any]) -> str:
    """Return the user of a request and take it out of the body; query and body may both name it, but must agree."""
    query = read_query(request, WriterQuery)
    named = {**query, **payload}.get("user_id", DEFAULT_USER)
    if query.get("user_id", named) != named:
        raise BadPayloadError({"user_id": ["is not the one in the query"]})
    if others := others_named(payload.get("indicators", []), named):
        raise BadPayloadError({"indicators": others})
    payload.pop("user_id", None)
    return str(named)


def _written(user_id: str, config: dict[str, Any]) -> Response:
    stored = write_config(user_id, config)
    shelf.outdate({f"alerts:{user_id}": None})
    return Response({"success": True, **AlertConfigSerializer(stored).data})
