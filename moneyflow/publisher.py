"""Room 5 as the cluster `publish` runs it: outdated topics, the oldest first, and each once for all who asked for it.

No topic leaves the backlog before it is published. While PostgreSQL or Valkey is away, the publisher waits.
"""

import time
from collections.abc import Iterable
from functools import partial

import structlog
from redis.exceptions import RedisError

from moneyflow import answers, publishing
from raceday.outage import is_outage, outlast
from raceday.queue import backlog, cluster
from raceday.queue.backlog import MOST_TRIES, Item
from raceday.queue.broker import valkey

TOPICS = "raceday:outdated"
AT_ONCE = 100
POLLS_FIRST_SECONDS = 0.2
LOOK_SECONDS = 0.02

Asking = dict[str, list[bytes]]  # by topic: the items of the backlog that ask for it
log = structlog.get_logger(__name__)


def ask_to_publish(topics: Iterable[str]) -> None:
    """Have the bodies of these topics made by the cluster `publish`."""
    with valkey().pipeline(transaction=False) as pipe:
        for topic in topics:
            pipe.xadd(TOPICS, {"topic": topic})
        pipe.execute()


def waiting() -> int:
    """Count who asked for a publication that is still to come; redis.RedisError when Valkey is away."""
    return int(valkey().xlen(TOPICS))


def run() -> None:
    """Publish what is outdated until the cluster stops: all that its worker does."""
    log.info("publisher_begins")
    is_first = True
    while not cluster.is_stopping():
        cluster.show_life()
        if items := outlast(partial(backlog.take, TOPICS, AT_ONCE), is_over=cluster.is_stopping):
            asking = by_topic(items)
            if is_first:
                outlast(partial(drop_poison, asking), is_over=cluster.is_stopping)
                is_first = False
            outlast(partial(work_off, asking), is_over=cluster.is_stopping)


def by_topic(items: Iterable[Item]) -> Asking:
    """Return who asked for each topic, the one that has waited longest first."""
    asking: Asking = {}
    for item, fields in items:
        asking.setdefault(fields[b"topic"].decode(), []).append(item)
    return asking


def drop_poison(asking: Asking) -> None:
    """Give up the topic at the head of the backlog if it has ended each publisher that began with it."""
    topic, asked = next(iter(asking.items()))
    if backlog.count_try(TOPICS, asked[0]) > MOST_TRIES:
        log.error("publication_given_up", topic=topic)
        backlog.done(TOPICS, *asking.pop(topic))


def work_off(asking: Asking) -> None:
    """Publish each topic once, after the polls that are on their way to a commit, and take out who asked for it."""
    give_up = time.monotonic() + POLLS_FIRST_SECONDS
    while asking:
        topic, asked = next(iter(asking.items()))
        _let_polls_pass(give_up)
        if _is_over(topic, asked[0]):
            backlog.done(TOPICS, *asked)
        del asking[topic]


def _is_over(topic: str, asked: bytes) -> bool:
    """Publish a topic; return False if it is to be tried again. Given up, its bodies stay outdated, and requests fail.

    A server that stood still cancels what it was doing when it goes on: that is over at the next try.
    """
    cluster.show_life(cluster.OUTAGE_SECONDS)
    try:
        publishing.publish(topic)
    except Exception as fault:
        if is_outage(fault):
            raise
        log.exception("publication_failed", topic=topic)
        return backlog.count_try(TOPICS, asked) >= MOST_TRIES
    return True


def _let_polls_pass(give_up: float) -> None:
    """Wait while answers are on their way to a commit: races that are polled while bodies are made commit later."""
    while time.monotonic() < give_up and _has_waiting_answers():
        time.sleep(LOOK_SECONDS)


def _has_waiting_answers() -> bool:
    try:
        return answers.waiting() > 0
    except RedisError:
        return False
