"""Errors: an address of the API answers in JSON, one of the admin with a page in its look, all others with a page."""

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from django.contrib import admin
from django.contrib.auth.models import AnonymousUser
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from raceday.api import errors
from raceday.pages.look import HEADERS, render_page
from raceday.staff.policy import is_admin

Handler = Callable[..., HttpResponse]


class Said(NamedTuple):
    """What a page tells a person of an error."""

    status: int
    title: str
    sentence: str


UNREADABLE = Said(400, "Bad request", "The request cannot be read.")
DENIED = Said(403, "Not allowed", "You do not have the right to see this page or to do this.")
OLD_FORM = Said(
    403,
    "The form is too old",
    "Somebody logged in or out since this form was opened. Go back, load the page again, and repeat what you did.",
)
NOTHING = Said(404, "Nothing here", "There is no page at this address.")
CRASHED = Said(500, "Something went wrong", "It is in the log of the web server.")
AWAY = Said(503, "The database does not answer", "Try again in a moment.")
OF_STATUS = {said.status: said for said in (UNREADABLE, NOTHING, AWAY)}


def error_page(said: Said) -> HttpResponse:
    """Answer with a page that asks no server."""
    return HttpResponse(render_error(said), status=said.status, headers=HEADERS)


def render_error(said: Said) -> bytes:
    """Render the page of an error."""
    return render_page("raceday/page_error.html", **said._asdict())


def answer_fault(fault: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """Answer an exception of a page's view with a page; None leaves it to `server_error`."""
    if (answer := errors.error_response(fault, context)) is None:
        return None
    status = answer.status_code
    return error_page(OF_STATUS.get(status, UNREADABLE._replace(status=status)))


def handler(said: Said, otherwise: Handler) -> Handler:
    """Return a handler that tells an error; `otherwise` answers for the API."""

    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if is_admin(request):
            return _admin_page(request, said)
        return error_page(said) if is_for_people(request) else otherwise(request, *args, **kwargs)

    return answer


def is_for_people(request: HttpRequest) -> bool:
    """Tell whether a page should answer: not below /api, nor to who takes no HTML."""
    return not f"{request.path}/".startswith("/api/") and request.accepts("text/html")


def bad_request(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """Answer a request that was refused before anybody knew whose it is."""
    return handler(UNREADABLE, errors.bad_request)(_without_user(request))


def server_error(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """Answer what nobody foresaw; a database that is away is told as that to people."""
    is_away = isinstance(sys.exc_info()[1], (OperationalError, InterfaceError))
    return handler(AWAY if is_away else CRASHED, errors.server_error)(_without_user(request))


def _admin_page(request: HttpRequest, said: Said) -> HttpResponse:
    site = admin.site.each_context(request)
    context = {**site, "is_nav_sidebar_enabled": site["has_permission"], **said._asdict()}
    return render(request, "raceday/error.html", context, status=said.status)


def _without_user(request: HttpRequest) -> HttpRequest:
    """Return a request for a page that asks no server: neither who the user is nor what messages wait."""
    bare = HttpRequest()
    bare.path, bare.META, bare.user = request.path, request.META, AnonymousUser()
    return bare


permission_denied = handler(DENIED, errors.permission_denied)
page_not_found = handler(NOTHING, errors.page_not_found)
csrf_failure = handler(OLD_FORM, errors.permission_denied)
