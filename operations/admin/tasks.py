"""Tasks of django-q2 as staff see them: what ran, what failed, and how to try that again."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django_q.models import Task
from django_q.tasks import async_task
from redis.exceptions import RedisError
from unfold.admin import ModelAdmin

from operations.admin import task_words
from operations.admin.names import NamedChangeList
from operations.admin.redelivery import is_tried_again, outlook, taken_by_id
from raceday.staff.pieces import ReadOnly, nz_time, record, told

MOST_SEARCHED = 1000


def queue_again(failure: Task) -> None:
    """Queue a failed task anew, on the cluster it ran on.

    Its options travel in `q_options`, so that an argument of the same name stays an argument.
    """
    options = {"hook": failure.hook, "group": failure.group, "cluster": failure.cluster, "task_name": failure.name}
    given = {name: value for name, value in options.items() if value}
    async_task(failure.func, *(failure.args or ()), q_options=given, **(failure.kwargs or {}))


class DutyFilter(admin.SimpleListFilter):
    """Which kind of task is listed, by its name in words."""

    title = "kind"
    parameter_name = "func"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(function, duty.kind) for function, duty in task_words.DUTIES.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Task]) -> QuerySet[Task]:
        return queryset.filter(func=self.value()) if self.value() else queryset


class TaskAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]  # unfold has no types
    """A task that ran."""

    list_display: tuple[str, ...] = ("name", "cluster", "finished", "took")
    list_filter = (DutyFilter, "cluster")
    search_fields = ("func",)
    search_help_text = "a task, a race, part of a result"
    fields: tuple[str, ...] = (
        "purpose", "func", "shown_args", "cluster", "began", "finished", "took", "attempt_count", "said",
    )  # fmt: skip
    readonly_fields = fields
    show_full_result_count = False

    def named(self, rows: Iterable[Task]) -> list[Task]:
        """Name tasks in words, in place of the random ones that django-q2 gives them. The stored rows stay."""
        tasks = list(rows)
        for task, said in zip(tasks, task_words.describe_tasks(tasks), strict=True):
            task.name = said
        return tasks

    def get_changelist(self, request: HttpRequest, **_: Any) -> type[NamedChangeList]:
        return NamedChangeList

    def get_object(self, *args: Any, **kwargs: Any) -> Task | None:
        task = super().get_object(*args, **kwargs)
        return task and self.named([task])[0]

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Task], words: str) -> tuple[Any, bool]:
        """Search names in words, and results, here: PostgreSQL cannot read the form in which django-q2 stores them."""
        if not words:
            return queryset, False
        texts = {
            task.pk: f"{task.func} {task.name} {task.result}".casefold()
            for task in self.named(queryset.order_by("-stopped")[:MOST_SEARCHED])
        }
        found = [pk for pk, text in texts.items() if all(word in text for word in words.casefold().split())]
        return queryset.filter(pk__in=found), False

    @admin.display(description="what it does")
    def purpose(self, task: Task) -> str:
        return task_words.DUTIES[task.func].purpose if task.func in task_words.DUTIES else told(None)

    @admin.display(description="arguments")
    def shown_args(self, task: Task) -> str:
        return ", ".join(map(repr, task.args or ()))

    @admin.display(description="began, NZ", ordering="started")
    def began(self, task: Task) -> str | None:
        return nz_time(task.started)

    @admin.display(description="finished, NZ", ordering="stopped")
    def finished(self, task: Task) -> str | None:
        return nz_time(task.stopped)

    @admin.display(description="took")
    def took(self, task: Task) -> str:
        return f"{task.time_taken():.3f} s"

    @admin.display(description="result")
    def said(self, task: Task) -> SafeString:
        return format_html('<pre class="text-xs">{}</pre>', task.result)


class FailureAdmin(TaskAdmin):
    """A task that raised or ran out of time; it stays until it succeeds, is tried again or is deleted."""

    list_display = ("name", "outlook", "reason", "cluster", "finished", "attempt_count")
    fields = ("outlook", *TaskAdmin.fields)
    readonly_fields = fields
    actions = ("try_again",)
    has_delete_permission = ModelAdmin.has_delete_permission

    def named(self, rows: Iterable[Task]) -> list[Task]:
        tasks = super().named(rows)
        taken = taken_by_id() if tasks else {}
        for task in tasks:
            task.outlook = outlook(task, taken)
        return tasks

    @admin.display(description="what comes next")
    def outlook(self, task: Task) -> str:
        return str(task.outlook)

    @admin.display(description="reason")
    def reason(self, task: Task) -> str:
        return str(task.result).partition(" : ")[0][:120]

    @admin.action(description="Retry: queue anew and forget the failure", permissions=["act"])
    def try_again(self, request: HttpRequest, failures: QuerySet[Task]) -> None:
        if (taken := taken_by_id()) is None:
            messages.error(request, "Not queued: Valkey cannot be reached.")
            return
        chosen = list(failures)
        ended = [failure for failure in chosen if not is_tried_again(failure, taken)]
        queued: list[Task] = []
        try:
            for failure in ended:
                queue_again(failure)
                queued.append(failure)
        except RedisError:
            messages.error(request, "Not all were queued: Valkey cannot be reached.")
        failures.filter(pk__in=[failure.pk for failure in queued]).delete()
        record(request, self.named(queued), "Queued anew.")
        if queued:
            messages.success(request, f"Queued anew: {len(queued)}.")
        if left := len(chosen) - len(ended):
            messages.warning(request, f"Left alone: {left}, tried again without you.")
