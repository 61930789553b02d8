"""What every process of a django-q2 cluster does: it dies with its parent, sees its cluster stop, shows a heartbeat."""

import multiprocessing
import os
import signal
import socket
import sys
import time
from functools import cache, partial
from typing import Any

from django_q.conf import Conf
from django_q.signals import post_spawn, pre_execute
from django_q.status import Stat
from django_q.tasks import async_task
from redis.exceptions import RedisError

from raceday.broker import StreamBroker, valkey
from raceday.process import tie_to_parent

CLUSTERS = ("default", "control", "publish")
BEAT_SECONDS = 5.0
PUBLISH_NICENESS = 19  # what commits readings goes first where processors are scarce


def connect(poller: str) -> None:
    """This function will prepare this process for being a cluster of django-q2; to be called once, at start.

    `poller` is the dotted name of the task that each worker of the cluster `control` runs for as long as it lives.
    """
    for moment, receiver in ((post_spawn, _ask_for_poller), (pre_execute, _acknowledge_poller)):
        moment.connect(partial(receiver, poller), weak=False, dispatch_uid=receiver.__name__)
    if "qcluster" in sys.argv:
        _bind_children()
        if Conf.CLUSTER_NAME == "publish":
            os.nice(PUBLISH_NICENESS)


def _bind_children() -> None:
    """This function will let the kernel end each child this process forks, and theirs, when its parent ends.

    q2's leader, killed, would leave its sentinel guarding the workers for ever.
    """
    parent = {"pid": 0}

    def remember() -> None:
        parent["pid"] = os.getpid()

    def bind() -> None:
        tie_to_parent(signal.SIGKILL)
        if os.getppid() != parent["pid"]:  # it ended before the kernel knew
            os._exit(1)

    os.register_at_fork(before=remember, after_in_child=bind)


def _ask_for_poller(poller: str, **_: Any) -> None:
    """One task a worker: raising here ends the worker, and the sentinel spawns one that asks again."""
    if Conf.CLUSTER_NAME == "control":
        async_task(poller, q_options={"cluster": "control", "save": False, "timeout": -1, "task_name": "poller"})


def _acknowledge_poller(poller: str, task: dict[str, Any], **_: Any) -> None:
    """A poller is never delivered again: the worker that takes the place of a killed one asks for its own."""
    if task["func"] == poller and "ack_id" in task:
        StreamBroker().acknowledge(task.pop("ack_id"))


@cache
def _cluster_id(sentinel: int) -> str:
    """LookupError, which is not cached, until the sentinel has said something of itself."""
    for stat in Stat.get_all(broker=StreamBroker()):
        if stat.sentinel == sentinel and stat.host == socket.gethostname():
            return str(stat.cluster_id)
    raise LookupError(sentinel)


def is_stopping() -> bool:
    """This function will say whether the cluster of this worker is ending, so that a task without end must end now.

    q2 waits for running tasks for as long as they take, and tells them nothing. Always False outside a cluster.
    """
    sentinel = multiprocessing.parent_process()
    if sentinel is None or sentinel.pid is None:
        return False
    if os.getppid() != sentinel.pid:
        return True
    try:
        stat = Stat.get(pid=0, cluster_id=_cluster_id(sentinel.pid), broker=StreamBroker())
    except (LookupError, RedisError):
        return False
    return isinstance(stat, Stat) and str(stat.status) == str(Conf.STOPPING)


def beat(cluster: str) -> None:
    """This function will show that work gets done in `cluster`; as a task it shows it for the cluster it runs in."""
    valkey().set(f"raceday:beat:{cluster}", repr(time.time()))  # a sign of life: real time, however fast Raceday's runs


def enqueue_once(queue: StreamBroker, task: str, *args: str) -> None:
    """This function will enqueue a task, unless the last one that came this way through `queue` is still there."""
    if queue.newest is None or not queue.holds(queue.newest):
        async_task(task, *args, q_options={"broker": queue, "task_name": task.rpartition(".")[2], "save": False})


def ask_for_beat(queue: StreamBroker) -> None:
    """This function will have the cluster of `queue` show its heartbeat; what nobody answers does not pile up."""
    enqueue_once(queue, "raceday.cluster.beat", queue.list_key)


def beat_ages() -> dict[str, float | None]:
    """This function will return the real seconds since the last beat of each cluster, None where there never was one.

    Raises redis.RedisError when Valkey does not answer.
    """
    beats = valkey().mget([f"raceday:beat:{cluster}" for cluster in CLUSTERS])
    now = time.time()
    return {
        cluster: None if beat is None else max(0.0, now - float(beat))
        for cluster, beat in zip(CLUSTERS, beats, strict=True)
    }
