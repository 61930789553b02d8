"""The page of clusters, their queues and what tasks do."""

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django_q.models import Failure
from redis.exceptions import RedisError

from moneyflow.polling.leader import next_daily
from operations.admin import task_words
from operations.admin.redelivery import taken_tasks
from operations.admin.tables import Table
from raceday import clock
from raceday.queue.broker import StreamBroker
from raceday.queue.cluster import heartbeat_ages
from raceday.staff.pieces import nz_time, told

SILENT_SECONDS = 15.0  # without a heartbeat; /api/health has the same limit
TASKS_SHOWN = 50


def queues_page(request: HttpRequest) -> HttpResponse:
    """Show what tasks do, what clusters do, and what they are at."""
    tables = [duties_table()]
    try:
        tables = [clusters_table(), taken_table(), *tables]
    except RedisError:
        messages.error(request, "Valkey cannot be reached, and with it the queues.")
    context = {**admin.site.each_context(request), "title": "Tasks and queues", "tables": tables}
    return TemplateResponse(request, "operations/queues.html", context)


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


def taken_table() -> Table:
    """Show the tasks that are being done, or wait to be delivered again; redis.RedisError when Valkey is away."""
    taken = taken_tasks()
    shown = taken[:TASKS_SHOWN]
    words = task_words.describe((task["func"], task["args"]) for _, task, _, _ in shown)
    rows = [
        [said, cluster, deliveries, told(f"{seconds:.0f}", "s ago")]
        for said, (cluster, _, deliveries, seconds) in zip(words, shown, strict=True)
    ]
    return Table(f"Tasks taken and not finished: {len(taken)}", ["Task", "Cluster", "Delivery", "Delivered"], rows)


def duties_table() -> Table:
    """Show what kinds of tasks there are, when each runs, and how many of each failed."""
    failed = list(Failure.objects.values_list("func", flat=True))
    next_at = {task_words.DAILY: told(nz_time(next_daily(clock.now())))}
    rows = [
        [duty.kind, duty.purpose, duty.runs, told(next_at.get(function)), failed.count(function)]
        for function, duty in task_words.DUTIES.items()
    ]
    return Table("What tasks do", ["Task", "What it does", "Runs", "Next, NZ", "Failed"], rows)
