"""django-q2 as staff see it: its clusters and queues, what failed, and how to try that again."""

from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django_q.models import Task
from django_q.status import Stat
from django_q.tasks import async_task
from redis.exceptions import RedisError
from unfold.admin import ModelAdmin

from raceday.queue.broker import StreamBroker
from raceday.queue.cluster import heartbeat_ages
from raceday.staff.pieces import ReadOnly, nz_time


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """One cluster and its queue. The age is real seconds since its last heartbeat, None when there never was one."""

    cluster: str
    heartbeat_age_seconds: float | None
    waiting: int
    running: int


def queues() -> list[Queue]:
    """Look at each cluster's heartbeat and queue; redis.RedisError when Valkey is away."""
    found = []
    for cluster, age in heartbeat_ages().items():
        broker = StreamBroker(list_key=cluster)
        waiting, running = broker.queue_size(), broker.lock_size()
        found.append(Queue(cluster=cluster, heartbeat_age_seconds=age, waiting=waiting, running=running))
    return found


def retry(failure: Task) -> None:
    """Queue a failed task anew, on the cluster it ran on, and forget the failure.

    Its options travel in `q_options`, so that an argument of the same name stays an argument.
    """
    options = {"hook": failure.hook, "group": failure.group, "cluster": failure.cluster, "task_name": failure.name}
    told = {name: value for name, value in options.items() if value}
    async_task(failure.func, *(failure.args or ()), q_options=told, **(failure.kwargs or {}))
    failure.delete()


class TaskAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]  # unfold has no types
    """A task that ran."""

    list_display = ("name", "func", "shown_args", "cluster", "finished", "took", "attempt_count")
    list_filter = ("func", "cluster")
    search_fields = ("name", "func", "group")
    fields = (
        "name", "func", "shown_args", "kwargs", "group", "cluster", "began", "finished", "took", "attempt_count",
        "said",
    )  # fmt: skip
    readonly_fields = fields
    show_full_result_count = False

    @admin.display(description="arguments")
    def shown_args(self, task: Task) -> str:
        return ", ".join(map(repr, task.args or ()))

    @admin.display(description="began", ordering="started")
    def began(self, task: Task) -> str | None:
        return nz_time(task.started)

    @admin.display(description="finished", ordering="stopped")
    def finished(self, task: Task) -> str | None:
        return nz_time(task.stopped)

    @admin.display(description="took")
    def took(self, task: Task) -> str:
        return f"{task.time_taken():.3f} s"

    @admin.display(description="result")
    def said(self, task: Task) -> SafeString:
        return format_html('<pre class="whitespace-pre-wrap text-xs">{}</pre>', task.result)


class FailureAdmin(TaskAdmin):
    """A task that raised or ran out of time; it stays until it is tried again or deleted."""

    list_display = ("name", "func", "shown_args", "cluster", "finished", "attempt_count", "reason")
    actions = ("try_again",)
    has_delete_permission = ModelAdmin.has_delete_permission

    @admin.display(description="reason")
    def reason(self, task: Task) -> str:
        return str(task.result).partition(" : ")[0][:120]

    @admin.action(description="Retry: queue anew and forget the failure", permissions=["act"])
    def try_again(self, request: HttpRequest, failures: QuerySet[Task]) -> None:
        try:
            for failure in failures:
                retry(failure)
        except RedisError:
            messages.error(request, "Not all were queued: Valkey cannot be reached.")
        else:
            messages.success(request, "Queued anew.")


def queues_page(request: HttpRequest) -> HttpResponse:
    """Show each cluster's heartbeat, queue and workers."""
    context: dict[str, Any] = {**admin.site.each_context(request), "title": "Queues"}
    try:
        context |= {"queues": queues(), "clusters": Stat.get_all(broker=StreamBroker())}
    except RedisError:
        messages.error(request, "Valkey cannot be reached, and with it the queues.")
    return TemplateResponse(request, "operations/queues.html", context)
