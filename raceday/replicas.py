"""SERVE: choose the PostgreSQL for a read: a replica that is near enough, else the primary. It never writes.

Only reads inside `read` may use a replica. Polls, publications, staff and sessions use the primary.
"""

import random
from collections.abc import Callable
from contextvars import ContextVar
from threading import Lock
from time import monotonic
from typing import Any, NamedTuple, TypeVar

import structlog
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from raceday import clock

LOOK_SECONDS = 2.0  # between looks at how far a replica is behind
REST_SECONDS = 15.0  # for one that did not answer: connecting to a dead host delays one request by two seconds

log = structlog.get_logger(__name__)
T = TypeVar("T")
_asked: ContextVar[str] = ContextVar("asked", default=DEFAULT_DB_ALIAS)
_looks: dict[str, "Look"] = {}
_looking = Lock()


class Look(NamedTuple):
    """What the last check of a replica found, and until when it counts by the machine's monotonic clock.

    lag_seconds: how much older its newest poll is than the primary's, in the machine's seconds. None: unknown, or no
    polls.
    """

    is_reachable: bool
    lag_seconds: float | None
    until: float

    @property
    def is_near(self) -> bool:
        return self.lag_seconds is not None and self.lag_seconds <= settings.REPLICA_MAX_LAG_SECONDS


class Router:
    """Django's question which database a model's rows come from."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return _asked.get()

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return DEFAULT_DB_ALIAS

    def allow_relation(self, one: Any, other: Any, **hints: Any) -> bool:
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == DEFAULT_DB_ALIAS


def connection() -> BaseDatabaseWrapper:
    """Return the connection for a statement of one's own: the primary's outside of `read`."""
    return connections[_asked.get()]


def names() -> list[str]:
    """Return the aliases of the replicas, in the order they are set."""
    return [alias for alias in connections if alias != DEFAULT_DB_ALIAS]


def read(question: Callable[[], T], *, is_enough: Callable[[T], bool] = lambda _: True) -> T:
    """Return what `question` reads, from a replica where one is near and its answer enough.

    Else from the primary; so `question` may run twice, and should answer rather than raise for what is not there.
    Inside a transaction it is the primary, which alone knows what was written there.
    """
    alias = None if connections[DEFAULT_DB_ALIAS].in_atomic_block else _choose()
    if alias is None:
        return question()
    token = _asked.set(alias)
    try:
        answer = question()
    except Error as fault:
        _rest(alias, fault)
    else:
        if is_enough(answer):
            return answer
    finally:
        _asked.reset(token)
    return question()


def states() -> list[dict[str, Any]]:
    """Tell where each replica is, whether it answers, how far it is behind, whether it is used."""
    told = []
    for alias in names():
        place, look = connections[alias].settings_dict, _look(alias)
        told.append(
            {
                "name": alias,
                "host": place["HOST"] or None,
                "is_reachable": bool(look and look.is_reachable),
                "lag_seconds": look.lag_seconds if look else None,
                "is_used": bool(look and look.is_near),
            }
        )
    return told


def _choose() -> str | None:
    near = [alias for alias in names() if (look := _look(alias)) and look.is_near]
    return random.choice(near) if near else None  # noqa: S311  no secret


def _look(alias: str) -> Look | None:
    # One caller checks; the others use the last result, so that a dead host delays only one of them.
    look = _looks.get(alias)
    if (look and monotonic() < look.until) or not _looking.acquire(blocking=False):
        return look
    try:
        return _measure(alias)
    finally:
        _looking.release()


def _measure(alias: str) -> Look:
    newest = _newest(DEFAULT_DB_ALIAS)
    try:
        theirs = _newest(alias)
    except Error as fault:
        return _rest(alias, fault)
    return _note(alias, newest, theirs)


def _newest(alias: str) -> Any:
    # How much a client would miss, whatever the kind of replication and the reason it stopped.
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT max(polled_at) FROM poll_runs")
        return cursor.fetchone()[0]


def _note(alias: str, newest: Any, theirs: Any) -> Look:
    lag_seconds = 0.0 if newest is None else None
    if newest and theirs:
        lag_seconds = max(0.0, clock.real_seconds((newest - theirs).total_seconds()))
    look = Look(True, lag_seconds, monotonic() + LOOK_SECONDS)
    if (before := _looks.get(alias)) is None or before.is_near != look.is_near:
        log.warning("replica_near" if look.is_near else "replica_behind", replica=alias)
    _looks[alias] = look
    return look


def _rest(alias: str, fault: Exception) -> Look:
    connections[alias].close()
    if (before := _looks.get(alias)) is None or before.is_reachable:
        log.warning("replica_away", replica=alias, fault=type(fault).__name__)
    _looks[alias] = Look(False, None, monotonic() + REST_SECONDS)
    return _looks[alias]
