"""What becomes of a failed task if nobody acts: django-q2 delivers it again until it has had its attempts."""

from collections.abc import Mapping
from typing import Any

from django_q.conf import Conf
from django_q.models import Failure, Task
from django_q.signing import SignedPackage
from redis.exceptions import RedisError

from raceday.queue.broker import StreamBroker
from raceday.queue.cluster import CLUSTERS

MOST_ATTEMPTS = Conf.MAX_ATTEMPTS
Taken = Mapping[str, tuple[int, float]]  # by the task's id: deliveries, and seconds since the last


def taken_tasks() -> list[tuple[str, dict[str, Any], int, float]]:
    """List the tasks that clusters have taken: cluster, task, deliveries, seconds since the last delivery."""
    return [
        (cluster, SignedPackage.loads(signed.decode()), deliveries, seconds)
        for cluster in CLUSTERS
        for signed, deliveries, seconds in StreamBroker(list_key=cluster).taken()
    ]


def taken_by_id() -> Taken | None:
    """Look up the tasks that are not done; None when Valkey is away."""
    try:
        return {task["id"]: (deliveries, seconds) for _, task, deliveries, seconds in taken_tasks()}
    except RedisError:
        return None


def is_tried_again(failure: Task, taken: Taken) -> bool:
    """Tell whether a failed task is being tried again, or will be, by itself."""
    deliveries, _ = taken.get(failure.id, (0, 0.0))
    return bool(0 < deliveries < MOST_ATTEMPTS or failure.attempt_count < deliveries)


def outlook(failure: Task, taken: Taken | None) -> str:
    """Say what comes of a failed task if nobody acts."""
    if taken is None:
        return "not known: Valkey cannot be reached"
    if not is_tried_again(failure, taken):
        return "failed for good"
    deliveries, seconds = taken[failure.id]
    if failure.attempt_count < deliveries:  # the newest attempt has not ended yet
        return f"is being tried again, attempt {deliveries} of {MOST_ATTEMPTS}"
    wait = max(0.0, Conf.RETRY - seconds)
    return f"will be tried again in {wait:.0f} s, attempt {deliveries + 1} of {MOST_ATTEMPTS}"


def failures_in_words() -> str:
    """Count the failed tasks, and those of them that are tried again."""
    number = Failure.objects.count()
    taken = (taken_by_id() if number else None) or {}
    again = sum(is_tried_again(failure, taken) for failure in Failure.objects.filter(pk__in=taken))
    return f"{number}, {again} of them tried again" if again else str(number)
