"""What every process of a django-q2 cluster does: die with its parent, notice its cluster's end, show its heartbeat.

The processes of a cluster talk through shared memory, so they need no server for it.
"""

import asyncio
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Any

import django_q.cluster
import structlog
from django.utils.module_loading import import_string
from django_q.conf import Conf
from django_q.signals import post_execute_in_worker, post_spawn, pre_execute
from django_q.tasks import async_task
from redis.exceptions import RedisError

from raceday import metrics
from raceday.processes import REVIVED, freeze_imports, tie_to_parent
from raceday.queue import lasting
from raceday.queue.broker import StreamBroker, valkey

RECYCLED = -2  # what q2 writes into the timer of a worker that has done its share of tasks
CLUSTERS = ("control", "write-0", "write-1", "publish", "default")
HEARTBEAT_SECONDS = 1.0  # between heartbeats in Valkey
ASK_SECONDS = 3.0  # between tasks by which a cluster finds out that its own tasks get done
STANDSTILL_SECONDS = 10.0  # without a sign of life, after which a cluster ends itself
OUTAGE_SECONDS = 60.0  # in which a worker that waits for a server is taken to be alive
NICENESS = {"publish": 19, "default": 19}  # what commits readings goes first where processors are scarce

log = structlog.get_logger(__name__)


class _Shared:
    """What all processes of this cluster see: until when its work is taken to go on, and whether it is to end."""

    def __init__(self) -> None:
        self._numbers = multiprocessing.RawArray("d", [time.monotonic() + STANDSTILL_SECONDS, 0.0])

    @property
    def alive_until(self) -> float:
        return float(self._numbers[0])

    @alive_until.setter
    def alive_until(self, moment: float) -> None:
        self._numbers[0] = moment

    @property
    def is_stopping(self) -> bool:
        return bool(self._numbers[1])

    def stop(self) -> None:
        self._numbers[1] = 1.0


_shared: list[_Shared] = []  # one, in the processes of a cluster


def connect(endless: Mapping[str, str]) -> None:
    """Prepare this process for being a cluster of django-q2; to be called once, at start.

    `endless` names, by cluster, the function that each of its workers runs for as long as it lives.
    """
    if "qcluster" not in sys.argv:
        return
    _shared.append(_Shared())
    pre_execute.connect(_show_busy, weak=False)
    post_execute_in_worker.connect(_show_idle, weak=False)
    lasting.install()
    _count_crashes()
    function = endless.get(Conf.CLUSTER_NAME)
    if function:
        post_spawn.connect(partial(_run, function), weak=False)
    _bind_children(has_endless=bool(function))
    os.nice(NICENESS.get(Conf.CLUSTER_NAME, 0))


def _run(function: str, **_: Any) -> None:
    """Run a function that never ends in a worker just spawned, before the worker looks for a task.

    As a q2 task it would need Valkey to begin, and a cluster of the same name whose worker is busy for ever could take
    it. If it raises, the worker ends, and the sentinel spawns another.
    """
    work = import_string(function)
    freeze_imports()
    work()


def _bind_children(*, has_endless: bool) -> None:
    """Let the kernel end each child that this process forks, and its children, when their parent ends.

    If q2's leader is killed, its sentinel would otherwise guard the workers for ever.
    """
    parent = {"pid": os.getpid()}

    def remember() -> None:
        parent["pid"] = os.getpid()

    def bind() -> None:
        tie_to_parent(signal.SIGKILL)
        if os.getppid() != parent["pid"]:  # it ended before the kernel knew
            os._exit(1)

    def lead() -> None:
        if multiprocessing.parent_process() is None:  # q2's leader, which forks its sentinel and no other
            _tell_of_stops()
            threading.Thread(target=_watch, args=[has_endless], daemon=True).start()

    os.register_at_fork(before=remember, after_in_child=bind, after_in_parent=lead)


class CountingSentinel(django_q.cluster.Sentinel):  # type: ignore[misc]
    """q2's sentinel, which counts the processes that it replaces because they ended by themselves."""

    def reincarnate(self, process: Any) -> None:
        if process in (self.monitor, self.pusher) or int(process.timer.value) != RECYCLED:
            metrics.CRASHES.labels(cluster=Conf.CLUSTER_NAME).inc()
        super().reincarnate(process)


def _count_crashes() -> None:
    """Count from 0, and the crash of the cluster whose place this one takes, if it does."""
    metrics.CRASHES.labels(cluster=Conf.CLUSTER_NAME).inc(REVIVED in os.environ)
    django_q.cluster.Sentinel = CountingSentinel


# ── The end of a cluster ────────────────────────────────────────────────────────────────────────
def _tell_of_stops() -> None:
    """Tell running tasks when a signal stops the cluster; q2 waits for them and tells them nothing."""
    for number in (signal.SIGTERM, signal.SIGINT):
        stop: Any = signal.getsignal(number)

        def tell(number: int, frame: FrameType | None, stop: Any = stop) -> None:
            _shared[0].stop()
            stop(number, frame)

        signal.signal(number, tell)


def is_stopping() -> bool:
    """Tell whether this worker's cluster is ending, so that a task that runs for ever must end now.

    It is always False outside a cluster.
    """
    return bool(_shared) and _shared[0].is_stopping


# ── Signs of life ───────────────────────────────────────────────────────────────────────────────
def show_life(seconds: float = STANDSTILL_SECONDS) -> None:
    """Let this cluster be taken to work on for so long, in real seconds; a task that shows nothing but this, too."""
    if _shared:
        _shared[0].alive_until = time.monotonic() + seconds


def _show_busy(task: dict[str, Any], **_: Any) -> None:
    show_life(max(0, task.get("timeout", Conf.TIMEOUT) or 0) + STANDSTILL_SECONDS)


def _show_idle(**_: Any) -> None:
    show_life()


def _watch(has_endless: bool) -> None:
    """Show the cluster's heartbeat, and end the cluster if it does no work: its supervisor then restarts it.

    This runs in a thread of q2's leader, which has nothing else to do.
    """
    try:
        queue, next_task = StreamBroker(), 0.0
        while time.monotonic() < _shared[0].alive_until or is_stopping():
            time.sleep(HEARTBEAT_SECONDS)
            try:
                if not has_endless and time.monotonic() >= next_task and not queue.queue_size():
                    enqueue(queue, "raceday.queue.cluster.show_life")
                    next_task = time.monotonic() + ASK_SECONDS
                send_heartbeat(Conf.CLUSTER_NAME)
            except RedisError:
                show_life()  # no work gets here without Valkey, and a restart would not help
        log.error("cluster_stands_still", cluster=Conf.CLUSTER_NAME, seconds=STANDSTILL_SECONDS)
    finally:
        os._exit(1)  # and with it, as they are bound to it, all it forked


def send_heartbeat(cluster: str) -> None:
    """Show in Valkey that a cluster works: real time, however fast Raceday's runs."""
    valkey().set(f"raceday:heartbeat:{cluster}", repr(time.time()))


def heartbeat_ages() -> dict[str, float | None]:
    """Return the real seconds since the last heartbeat of each cluster, None where there never was one.

    Raises redis.RedisError when Valkey does not answer.
    """
    heartbeats = valkey().mget([f"raceday:heartbeat:{cluster}" for cluster in CLUSTERS])
    now = time.time()
    return {
        cluster: None if heartbeat is None else max(0.0, now - float(heartbeat))
        for cluster, heartbeat in zip(CLUSTERS, heartbeats, strict=True)
    }


# ── Tasks ───────────────────────────────────────────────────────────────────────────────────────
def enqueue(queue: StreamBroker, task: str) -> None:
    """Enqueue a task without arguments, whose result nobody needs."""
    async_task(task, q_options={"broker": queue, "task_name": task.rpartition(".")[2], "save": False})


def enqueue_once(queue: StreamBroker, task: str) -> None:
    """Enqueue a task, unless the last one that came this way through `queue` is still there."""
    if queue.newest is None or not queue.holds(queue.newest):
        enqueue(queue, task)


async def enqueue_every(seconds: float, queue: StreamBroker, task: str) -> None:
    """Enqueue a task once in so many seconds, for ever; without Valkey, later."""
    while True:
        with suppress(RedisError):
            await asyncio.to_thread(enqueue_once, queue, task)
        await asyncio.sleep(seconds)
