"""SERVE: what the API's staff routes share: who may use them, and that no cache stores the answer."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.authentication import SessionAuthentication, TokenAuthentication
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from raceday.api.description import error_responses
from raceday.api.payloads import JSONPayload
from raceday.api.queries import NoQuery

VIEW = "raceday.view_operations"
CHANGE = "raceday.change_operations"
F = TypeVar("F", bound=Callable[..., Any])


class MayOperate(BasePermission):
    """Let staff read with the right to view operations, and act with the right to change them."""

    def has_permission(self, request: Request, view: Any) -> bool:
        user = request.user  # None without a token and without a session
        needed = VIEW if request.method in SAFE_METHODS else CHANGE
        return bool(user and user.is_staff and user.has_perm(needed))


# The token comes first, because only it can answer 401. A session's POST needs its CSRF token, a token's does not.
class StaffViewSet(ViewSet):
    authentication_classes = (TokenAuthentication, SessionAuthentication)
    permission_classes = (MayOperate,)
    parser_classes = (JSONPayload,)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Response:
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer.headers["Cache-Control"] = "no-store"
        return answer


def describe_staff(
    summary: str, body: Any, *, query: Any = NoQuery, payload: Any = None, examples: Sequence[OpenApiExample] = ()
) -> Callable[[F], F]:
    """Describe a staff route in the OpenAPI schema."""
    statuses = (400, 401, 403, 414, *((415,) if payload else ()), 429, 503)
    return extend_schema(
        summary=summary,
        tags=["staff"],
        parameters=[] if query is NoQuery else [query],
        request=payload,
        responses={200: body, **error_responses(*statuses)},
        examples=examples,
    )
