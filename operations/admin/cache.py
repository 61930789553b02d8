"""The response cache as staff see it, with the ways to have responses prepared again. cache.views does it."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from operations.admin.tables import Table
from operations.cache import statistics, views
from operations.cache.actions import Done, ValkeyAwayError
from raceday.models import Operations
from raceday.staff.pieces import nz_time, told
from raceday.staff.routes import CHANGE, VIEW

ACTIONS_SHOWN = 10


class InvalidateForm(forms.Form):
    """Which stored responses are to be removed; the API's own description of that checks it."""

    by = forms.ChoiceField(
        choices=[
            ("race_id", "a race, by its id"),
            ("key", "a response, by its address"),
            ("pattern", "keys, by a glob"),
        ],
        widget=UnfoldAdminSelectWidget,
    )
    what = forms.CharField(
        max_length=2000, widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "an id, /api/races/…, /api/entrants*"})
    )

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = {name: self.cleaned_data[name] for name in ("by", "what") if name in self.cleaned_data}
        if len(given) == 2:
            self.payload = views.InvalidatePayload(data={given["by"]: given["what"]})
            if not self.payload.is_valid():
                for sentence in self.payload.errors.get(given["by"], ["cannot be read"]):
                    self.add_error("what", str(sentence))
        return given


def cache_page(request: HttpRequest) -> HttpResponse:
    """Show the response cache, and on a POST do what one of its buttons says."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    form = InvalidateForm()
    is_asked = False
    if request.method == "POST":
        if not request.user.has_perm(CHANGE):
            raise PermissionDenied
        act = request.POST.get("act")
        form = InvalidateForm(request.POST) if act == "invalidate" else form
        is_asked = act == "clear" and "sure" not in request.POST
        if not is_asked and (act != "invalidate" or form.is_valid()):
            _carry_out(request, act, form)
            return redirect("admin:cache")
    return TemplateResponse(request, "operations/cache.html", _context(request) | {"form": form, "is_asked": is_asked})


def _carry_out(request: HttpRequest, act: str | None, form: InvalidateForm) -> None:
    try:
        if act == "invalidate":
            _tell(request, views.invalidate(request.user.pk, form.payload.validated_data))
        elif act == "clear":
            _tell(request, views.clear(request.user.pk))
        elif act == "warm":
            views.warm(request.user.pk)
            messages.success(request, "Queued: today's missing or outdated responses will be prepared.")
    except ValkeyAwayError as fault:
        messages.error(request, f"{fault}.")


def _tell(request: HttpRequest, done: Done) -> None:
    sentence = f"Removed: {done.bodies} stored responses, of {done.topics} races, meetings, cards or users."
    if done.is_complete:
        messages.success(request, sentence if done.topics else "No such response is stored.")
    else:
        messages.warning(request, f"{sentence} The time was too short for all: do it again.")


def _context(request: HttpRequest) -> dict[str, Any]:
    context = {
        **admin.site.each_context(request),
        "title": "Response cache",
        "may_change": request.user.has_perm(CHANGE),
        "tables": [_actions_table()],
    }
    try:
        stats = statistics.collect()
    except ValkeyAwayError:
        messages.error(request, "Valkey cannot be reached, and with it the stored responses.")
        return context
    return context | {"stats": stats, "tables": [_routes_table(stats), _actions_table()]}


def _routes_table(stats: Mapping[str, Any]) -> Table:
    """Show how each route was answered; why that is not known, in the title."""
    title = "Answers since the start" + (f": {stats['routes_unknown']}" if stats["routes_unknown"] else "")
    rows = [
        [route["route"], route["hits"], route["stales"], route["misses"], told(route["hit_rate"])]
        for route in stats["routes"] or []
    ]
    return Table(title, ["Route", "Hits", "Stale", "Misses", "Hit rate"], rows)


def _actions_table() -> Table:
    """Show what staff did here, newest first. Its time is the machine's."""
    kind = ContentType.objects.get_for_model(Operations)
    newest = LogEntry.objects.filter(content_type=kind).select_related("user").order_by("-action_time")
    rows = [
        [told(nz_time(entry.action_time)), entry.user.get_username(), entry.change_message]
        for entry in newest[:ACTIONS_SHOWN]
    ]
    return Table("Done by staff", ["When, NZ", "Who", "What"], rows)
