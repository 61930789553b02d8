"""Rooms 2 to 5 as the clusters `write-0` and `write-1` run them: one answer of their shard after the other, in order.

No answer leaves its shard before it is stored. While PostgreSQL or Valkey is away its writer waits, with it in hand.
"""

import itertools
from functools import partial

import structlog
from django_q.conf import Conf
from msgspec import DecodeError

from moneyflow.alerts.calibrating import judge_calibrated
from moneyflow.answers import Entry, FeedResult, Shard
from moneyflow.pipeline import crashed, process_answer
from moneyflow.publisher import ask_to_publish
from moneyflow.tasks import ask_to_send
from raceday import clock
from raceday.feed.client import FeedError
from raceday.outage import outlast
from raceday.queue import cluster
from raceday.queue.backlog import MOST_TRIES

log = structlog.get_logger(__name__)


class WriterKilledError(RuntimeError):
    """An answer ended its writer each time it was tried."""


def run() -> None:
    """Write the answers of this cluster's shard until the cluster stops: all that its worker does."""
    shard = Shard(shard_of(Conf.CLUSTER_NAME))
    log.info("writer_begins", shard=shard.stream)
    is_first = True
    while not cluster.is_stopping():
        cluster.show_life()
        entries = outlast(shard.take, is_over=cluster.is_stopping)
        for entry in entries:
            write_patiently(shard, entry, is_suspect=is_first)
            is_first = False


def shard_of(cluster_name: str) -> int:
    """Return the shard that a cluster writes.

    >>> shard_of("write-1")
    1
    """
    return int(cluster_name.rpartition("-")[2])


def write_patiently(shard: Shard, entry: Entry, *, is_suspect: bool) -> None:
    """Store an answer and take it out of its shard, waiting while a server is away.

    `is_suspect`: it was at the head of the shard when this writer began. The one before may have stored it already, or
    may have been ended by it.
    """
    is_poison = is_suspect and outlast(partial(shard.count_try, entry), is_over=cluster.is_stopping) > MOST_TRIES
    tries = itertools.count(int(is_suspect))

    def write() -> None:
        cluster.show_life(cluster.OUTAGE_SECONDS)
        found = unpacked(entry)
        if is_poison:
            walked = crashed(entry.race_id, found, WriterKilledError(f"its writer ended {MOST_TRIES} times"))
        else:
            walked = process_answer(entry.race_id, found, is_again=next(tries) > 0, judge=judge_calibrated)
        ask_to_publish(walked.outdated)
        if walked.alerts:
            ask_to_send()
        shard.done(entry)

    outlast(write, is_over=cluster.is_stopping)


def unpacked(entry: Entry) -> FeedResult:
    """Return the answer of an entry; one packed by another version becomes an error of the feed."""
    try:
        return entry.unpack()
    except DecodeError as fault:
        reason = f"an answer that another version of Raceday left behind: {fault}"
        return FeedError(reason=reason, http_status=None, retry_after=None, polled_at=clock.now(), fetch_ms=0.0)
