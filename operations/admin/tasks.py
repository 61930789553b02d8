"""django-q2 as staff see it: its clusters and queues, what failed, and how to try that again."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django_q.conf import Conf
from django_q.models import Failure, Task
from django_q.signing import SignedPackage
from django_q.tasks import async_task
from redis.exceptions import RedisError
from unfold.admin import ModelAdmin

from moneyflow.polling.poller import next_daily
from operations.admin import task_words
from operations.admin.names import NamedChangeList
from operations.admin.tables import Table
from raceday import clock
from raceday.queue.broker import StreamBroker
from raceday.queue.cluster import CLUSTERS, heartbeat_ages
from raceday.staff.pieces import ReadOnly, nz_time, record, told

SILENT_SECONDS = 15.0  # without a heartbeat; /api/health has the same limit
MOST_SEARCHED = 1000
MOST_ATTEMPTS = Conf.MAX_ATTEMPTS


def clusters_table() -> Table:
    """Show each cluster's purpose, heartbeat and queue; redis.RedisError when Valkey is away."""
    rows = []
    for cluster, age in heartbeat_ages().items():
        queue = StreamBroker(list_key=cluster)
        state = "never ran" if age is None else "works" if age < SILENT_SECONDS else "silent"
        heartbeat = told(None if age is None else f"{age:.1f}", "s ago")
        waiting, taken = queue.queue_size(), queue.lock_size()
        rows.append([cluster, task_words.CLUSTERS[cluster], state, heartbeat, waiting, taken])
    headers = ["Cluster", "What it does", "State", "Heartbeat", "Tasks waiting", "Tasks taken"]
    return Table("Clusters and their queues", headers, rows)


def taken_tasks() -> list[tuple[str, dict[str, Any], int, float]]:
    """List the tasks that clusters have taken: cluster, task, deliveries, seconds since the last delivery."""
    return [
        (cluster, SignedPackage.loads(signed.decode()), deliveries, seconds)
        for cluster in CLUSTERS
        for signed, deliveries, seconds in StreamBroker(list_key=cluster).taken()
    ]


def taken_table() -> Table:
    """Show the tasks that are being done, or wait to be delivered again; redis.RedisError when Valkey is away."""
    taken = taken_tasks()
    words = task_words.describe((task["func"], task["args"]) for _, task, _, _ in taken)
    rows = [
        [said, cluster, deliveries, told(f"{seconds:.0f}", "s ago")]
        for said, (cluster, _, deliveries, seconds) in zip(words, taken, strict=True)
    ]
    return Table("Tasks taken and not finished", ["Task", "Cluster", "Delivery", "Delivered"], rows)


def duties_table() -> Table:
    """Show what kinds of tasks there are, when each runs, and how many of each failed."""
    failed = list(Failure.objects.values_list("func", flat=True))
    next_at = {task_words.DAILY: told(nz_time(next_daily(clock.now())))}
    rows = [
        [duty.kind, duty.purpose, duty.runs, told(next_at.get(function)), failed.count(function)]
        for function, duty in task_words.DUTIES.items()
    ]
    return Table("What tasks do", ["Task", "What it does", "Runs", "Next, NZ", "Failed"], rows)


# ── What failed ─────────────────────────────────────────────────────────────────────────────────
Taken = Mapping[str, tuple[int, float]]  # by the task's id: deliveries, and seconds since the last


def taken_by_id() -> Taken | None:
    """Look up the tasks that are not done; None when Valkey is away."""
    try:
        return {task["id"]: (deliveries, seconds) for _, task, deliveries, seconds in taken_tasks()}
    except RedisError:
        return None


def is_tried_again(failure: Task, taken: Taken) -> bool:
    """Tell whether a failed task is still delivered again by itself."""
    return failure.id in taken and taken[failure.id][0] < MOST_ATTEMPTS


def outlook(failure: Task, taken: Taken | None) -> str:
    """Say what comes of a failed task if nobody acts."""
    if taken is None:
        return "not known: Valkey cannot be reached"
    if not is_tried_again(failure, taken):
        return "failed for good"
    deliveries, seconds = taken[failure.id]
    wait = max(0.0, task_words.retry_seconds(failure.cluster) - seconds)
    return f"will be tried again in {wait:.0f} s, attempt {deliveries + 1} of {MOST_ATTEMPTS}"


def failures_in_words() -> str:
    """Count the failed tasks, and those of them that are tried again."""
    failures = list(Failure.objects.only("id"))
    taken = taken_by_id() if failures else {}
    again = sum(is_tried_again(failure, taken or {}) for failure in failures)
    return f"{len(failures)}, {again} of them will be tried again" if again else str(len(failures))


def queue_again(failure: Task) -> None:
    """Queue a failed task anew, on the cluster it ran on.

    Its options travel in `q_options`, so that an argument of the same name stays an argument.
    """
    options = {"hook": failure.hook, "group": failure.group, "cluster": failure.cluster, "task_name": failure.name}
    given = {name: value for name, value in options.items() if value}
    async_task(failure.func, *(failure.args or ()), q_options=given, **(failure.kwargs or {}))


# ── The pages ───────────────────────────────────────────────────────────────────────────────────
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
            messages.warning(request, f"Left alone: {left}, which will be tried again without you.")


def queues_page(request: HttpRequest) -> HttpResponse:
    """Show what tasks do, what clusters do, and what they are at."""
    tables = [duties_table()]
    try:
        tables = [clusters_table(), taken_table(), *tables]
    except RedisError:
        messages.error(request, "Valkey cannot be reached, and with it the queues.")
    context = {**admin.site.each_context(request), "title": "Tasks and queues", "tables": tables}
    return TemplateResponse(request, "operations/queues.html", context)
