"""Errors of the admin as pages in its look; everywhere else they are the API's."""

import sys
from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import AnonymousUser
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from raceday.api import errors
from raceday.staff.policy import is_admin

Handler = Callable[..., HttpResponse]


def error_page(status: int, title: str, sentence: str, *, otherwise: Handler) -> Handler:
    """Return a handler: a page in the admin, with the menu for staff; `otherwise` everywhere else."""

    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not is_admin(request):
            return otherwise(request, *args, **kwargs)
        return _page(request, status, title, sentence)

    return answer


def _page(request: HttpRequest, status: int, title: str, sentence: str) -> HttpResponse:
    site = admin.site.each_context(request)
    context = {**site, "is_nav_sidebar_enabled": site["has_permission"], "title": title, "sentence": sentence}
    return render(request, "raceday/error.html", context, status=status)


def _without_user(request: HttpRequest) -> HttpRequest:
    """Return a request for a page that asks no server: neither who the user is nor what messages wait."""
    bare = HttpRequest()
    bare.path, bare.META, bare.user = request.path, request.META, AnonymousUser()
    return bare


def bad_request(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """Answer a request that was refused before anybody knew whose it is."""
    if not is_admin(request):
        return errors.bad_request(request)
    return _page(_without_user(request), 400, "Bad request", "The request cannot be read.")


def server_error(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """Answer what nobody foresaw; a database that is away is told as that."""
    if not is_admin(request):
        return errors.server_error(request)
    if isinstance(sys.exc_info()[1], (OperationalError, InterfaceError)):
        return _page(_without_user(request), 503, "The database does not answer", "Try again in a moment.")
    return _page(_without_user(request), 500, "Something went wrong", "It is in the log of the web server.")


permission_denied = error_page(
    403, "Not allowed", "You do not have the right to see this page or to do this.", otherwise=errors.permission_denied
)
page_not_found = error_page(404, "Nothing here", "There is no page at this address.", otherwise=errors.page_not_found)
csrf_failure = error_page(
    403,
    "The form is too old",
    "Somebody logged in or out since this form was opened. Go back, load the page again, and repeat what you did.",
    otherwise=errors.permission_denied,
)
