"""django-q2's queue on Redis Streams: a task stays in Valkey until acknowledged. What tasks mean is not known here."""

import time
from functools import cache
from typing import Any

import structlog
from django.conf import settings
from django_q.brokers import Broker
from django_q.conf import Conf
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as Unreachable
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

GROUP = "workers"
READER = "pusher"  # one name for every worker, so that restarts leave no dead consumers in the group
FIELD = b"task"
CLAIM_EVERY_SECONDS = 1.0
PAUSE_SECONDS = 0.1
TRIES = 10  # with the pause a second: a restart of Valkey is over before that

log = structlog.get_logger(__name__)


@cache
def _client(url: str) -> Redis:
    # Try again if a server is away. Do not if it hangs, or ten time-outs would follow each other.
    retry = Retry(ConstantBackoff(PAUSE_SECONDS), TRIES, supported_errors=(Unreachable,))
    return Redis.from_url(url, socket_connect_timeout=1, socket_timeout=2, retry=retry)


def valkey() -> Redis:
    """Return this process's connections to Valkey; after a fork redis-py opens its own."""
    return _client(settings.REDIS_URL)


class StreamBroker(Broker):  # type: ignore[misc]
    """A queue of django-q2 that delivers again what no worker has acknowledged within Conf.RETRY seconds."""

    def __init__(self, list_key: str | None = None) -> None:
        super().__init__(list_key=list_key)
        self.stream = f"raceday:queue:{self.list_key}"
        self.newest: bytes | None = None  # the entry this broker enqueued last
        self._next_claim = 0.0

    @staticmethod
    def get_connection(list_key: str | None = None) -> Redis:
        return valkey()

    def __setstate__(self, state: Any) -> None:
        self.__init__(state[0])  # type: ignore[misc]

    def enqueue(self, task: str) -> bytes:
        """Add a signed task and return its entry; redis' ConnectionError after a second's tries."""
        self.newest = self.connection.xadd(self.stream, {FIELD: task})
        return self.newest

    def dequeue(self) -> list[tuple[bytes, bytes]] | None:
        """Wait Conf.POLL seconds for tasks, as (entry, signed task).

        It never raises while Valkey is away or its disk is full: q2's pusher answers an exception with 10 s of sleep.
        """
        try:
            return self._claim() or self._read()
        except RedisError as fault:
            try:
                if not str(fault).startswith("NOGROUP"):
                    raise
                self._make_group()
            except RedisError as lasting:
                log.warning("queue_unreachable", queue=self.list_key, fault=str(lasting))
                time.sleep(PAUSE_SECONDS)
        return None

    def _read(self) -> list[tuple[bytes, bytes]]:
        block = max(1, int(Conf.POLL * 1000))
        answer = self.connection.xreadgroup(GROUP, READER, {self.stream: ">"}, count=Conf.BULK, block=block)
        return [(entry, fields[FIELD]) for _, entries in answer for entry, fields in entries]

    def _claim(self) -> list[tuple[bytes, bytes]]:
        """Take over overdue tasks by XPENDING and XCLAIM: XAUTOCLAIM does not say how often one was delivered."""
        if time.monotonic() < self._next_claim:
            return []
        self._next_claim = time.monotonic() + CLAIM_EVERY_SECONDS
        idle = int(Conf.RETRY * 1000)
        overdue = self.connection.xpending_range(self.stream, GROUP, "-", "+", 100, idle=idle)
        again = [entry["message_id"] for entry in overdue if not self._is_given_up(entry)]
        if not again:
            return []
        log.warning("tasks_delivered_again", queue=self.list_key, tasks=len(again))
        claimed = self.connection.xclaim(self.stream, GROUP, READER, idle, again)
        return [(entry, fields[FIELD]) for entry, fields in claimed]

    def _is_given_up(self, entry: dict[str, Any]) -> bool:
        """A task that kills its worker is never saved by q2, which therefore never counts its attempts."""
        if not Conf.MAX_ATTEMPTS or entry["times_delivered"] < Conf.MAX_ATTEMPTS:
            return False
        log.error("task_given_up", queue=self.list_key, deliveries=entry["times_delivered"])
        self.acknowledge(entry["message_id"])
        return True

    def _make_group(self) -> None:
        try:
            self.connection.xgroup_create(self.stream, GROUP, id="0", mkstream=True)
        except ResponseError as fault:
            if not str(fault).startswith("BUSYGROUP"):  # another worker was first
                raise

    def acknowledge(self, task_id: bytes) -> None:
        """Remove a task for good. While Valkey is away it only warns: the task comes again."""
        try:
            with self.connection.pipeline(transaction=True) as pipeline:
                pipeline.xack(self.stream, GROUP, task_id)
                pipeline.xdel(self.stream, task_id)
                pipeline.execute()
        except RedisError as fault:
            log.warning("task_not_acknowledged", queue=self.list_key, fault=str(fault))

    def delete(self, task_id: bytes) -> None:
        self.acknowledge(task_id)

    def fail(self, task_id: bytes) -> None:
        """Remove a task q2 cannot read: delivering it again would not help."""
        self.acknowledge(task_id)

    def holds(self, task_id: bytes) -> bool:
        """Say whether a task is still waiting or running."""
        return bool(self.connection.xrange(self.stream, task_id, task_id))

    def queue_size(self) -> int:
        """Count the tasks that no worker has taken yet."""
        return int(self.connection.xlen(self.stream)) - self.lock_size()

    def lock_size(self) -> int:
        """Count the tasks taken and not acknowledged yet."""
        try:
            return int(self.connection.xpending(self.stream, GROUP)["pending"])
        except ResponseError:  # no worker has come yet
            return 0

    def taken(self, most: int = 10_000) -> list[tuple[bytes, int, float]]:
        """List tasks taken and not acknowledged yet, oldest first.

        Each is (signed task, deliveries, seconds since the last delivery).
        """
        try:
            pending = self.connection.xpending_range(self.stream, GROUP, "-", "+", most)
        except ResponseError:  # no worker has come yet
            return []
        with self.connection.pipeline(transaction=False) as pipeline:
            for entry in pending:
                pipeline.xrange(self.stream, entry["message_id"], entry["message_id"])
            found = pipeline.execute()
        return [
            (entries[0][1][FIELD], entry["times_delivered"], entry["time_since_delivered"] / 1000)
            for entry, entries in zip(pending, found, strict=True)
            if entries  # else it was acknowledged just now
        ]

    def delete_queue(self) -> None:
        self.connection.delete(self.stream)

    def purge_queue(self) -> None:
        self.delete_queue()

    def ping(self) -> bool:
        """Ask Valkey whether it is there; redis' ConnectionError if it is not."""
        return bool(self.connection.ping())

    def info(self) -> str:
        return f"Valkey {self.connection.info('server')['redis_version']} streams"

    def set_stat(self, key: str, value: str, timeout: int) -> None:
        """Store what a cluster says about itself; q2's own way is a list that two clusters overwrite."""
        self.connection.set(key, value, timeout)

    def get_stat(self, key: str) -> bytes | None:
        stat: bytes | None = self.connection.get(key)
        return stat

    def get_stats(self, pattern: str) -> list[bytes]:
        keys = list(self.connection.scan_iter(match=pattern, count=1000))
        return [stat for stat in self.connection.mget(keys) if stat] if keys else []
