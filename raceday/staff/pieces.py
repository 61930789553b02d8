"""The rules and pieces every admin page of Raceday shares; no page of its own."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.views.main import SEARCH_VAR
from django.contrib.auth import get_permission_codename
from django.db.models import Model, QuerySet
from django.db.models.options import Options
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django_q.tasks import async_task
from redis.exceptions import RedisError

from raceday.clock import now
from raceday.money import UNKNOWN
from raceday.racing_day import NZ, racing_day

NO_BREAK = "\N{NO-BREAK SPACE}"


class ReadOnly:
    """Rules for what the machine owns: all staff may read it, nobody may write it, actions need the change right."""

    admin_site: admin.AdminSite
    opts: "Options[Any]"

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.admin_site.has_permission(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.admin_site.has_permission(request)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Say whether the user may run actions: `permissions=["act"]` asks it."""
        return request.user.has_perm(f"{self.opts.app_label}.{get_permission_codename('change', self.opts)}")


def enqueue(request: HttpRequest, tasks: Iterable[tuple[Any, ...]], *, said: str) -> bool:
    """Queue tasks, each (dotted path, argument …), on the default cluster, tell the user, and say if it was done.

    A path and not a function, because a lower floor may not import a higher one.
    """
    try:
        for task in tasks:
            async_task(*task, q_options={"cluster": "default"})
    except RedisError:
        messages.error(request, "Not queued: Valkey cannot be reached.")
        return False
    messages.success(request, said)
    return True


def record(request: HttpRequest, rows: Iterable[Model], said: str) -> None:
    """Record what a user had done with rows, for their history pages and the list of staff actions."""
    LogEntry.objects.log_actions(str(request.user.pk), rows, CHANGE, change_message=said)


def nz_time(at: datetime | None) -> str | None:
    """Write an instant as staff read it, `Sat 21 Nov 15:30:05` on one line, by the NZ clock."""
    return f"{at.astimezone(NZ):%a %-d %b %H:%M:%S}".replace(" ", NO_BREAK) if at else None


def nz_clock(at: datetime) -> str:
    """Write an instant of a day that is known, `15:30:05` by the NZ clock."""
    return f"{at.astimezone(NZ):%H:%M:%S}"


def told(value: object, unit: str = "") -> str:
    """Write a value and its unit on one line; what is not known is a dash, never 0."""
    return UNKNOWN if value is None else f"{value}{NO_BREAK}{unit}".rstrip(NO_BREAK)


def milliseconds(took: float | None) -> str:
    return told(None if took is None else round(took, 1), "ms")


def anchor(text: str, address: str) -> SafeString:
    return format_html('<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>', address, text)


def link(text: str, name: str, *args: Any) -> SafeString:
    """Link to an admin page by its URL name."""
    return anchor(text, reverse(f"admin:{name}", args=args))


class RacingDayFilter(admin.SimpleListFilter):
    """Which racing day is listed: if nobody chose one, today; for a search, any. A child names the date field."""

    title = "racing day"
    parameter_name = "day"
    field: ClassVar[str]
    days: ClassVar[dict[str, int]] = {"yesterday": -1, "today": 0, "tomorrow": 1}

    def __init__(self, request: HttpRequest, *args: Any) -> None:
        self.unchosen = "any" if request.GET.get(SEARCH_VAR) else "today"
        super().__init__(request, *args)

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [*((name, name.capitalize()) for name in self.days), ("any", "Any day")]

    def value(self) -> str:
        return super().value() or self.unchosen

    def choices(self, changelist: Any) -> Any:
        """Leave out Django's "All", which is "Any day" here."""
        return list(super().choices(changelist))[1:]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in self.days:
            return queryset
        return queryset.filter(**{self.field: racing_day(now()) + timedelta(days=self.days[self.value()])})
