"""How readers and writers of the API ask Valkey: by django-redis's client, and without it when it does not answer."""

import time
from collections.abc import Callable, Sequence
from threading import local
from typing import Any, TypeVar

import structlog
from django.core.cache import caches
from redis.exceptions import ConnectionError as Unreachable
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as Overdue

VALKEY_FAULTS = (RedisError, OSError)
REST_SECONDS = 0.5  # between questions to a Valkey that refuses: it restarts in less
HANGING_REST_SECONDS = 5.0  # to one that hangs, where each question takes its whole timeout
PAUSE_SECONDS = 0.1
TRIES = 10

log = structlog.get_logger(__name__)
T = TypeVar("T")
_own = local()
_away: dict[str, float] = {}  # while Valkey does not answer: "until" when it is left alone


def client() -> Any:
    """This function will return django-redis's own client, for what the cache interface has no word for.

    A redis.Redis, whose annotations tell of every answer that it may be text or bytes, and lose track of a pipeline.
    """
    cache: Any = caches["default"]
    return cache.client.get_client(write=True)


def key(name: str) -> str:
    """This function will return the name under which Valkey keeps it."""
    return str(caches["default"].make_key(name))


def read_hash(name: str, fields: Sequence[str]) -> list[bytes | None] | None:
    """This function will read fields of a hash, None where there is no answer: what each hit of the API waits for.

    On a connection of this thread's own, django-redis's pool and redis-py's commands would take half as long again.
    """
    return ask(lambda client: _read_hash(client.connection_pool, ("HMGET", name, *fields)))


def _read_hash(pool: Any, command: tuple[str, ...]) -> list[bytes | None]:
    if getattr(_own, "pool", None) is not pool:
        _own.pool, _own.connection = pool, pool.connection_class(**pool.connection_kwargs)
    connection = _own.connection
    for is_last in (False, True):
        try:
            connection.send_packed_command(connection.pack_command(*command))
            answer: list[bytes | None] = connection.read_response(disable_decoding=True)
            return answer
        except VALKEY_FAULTS as fault:
            connection.disconnect()  # an answer that comes late must not be taken for the next one's
            if is_last or not isinstance(fault, Unreachable):
                raise
    raise AssertionError("the last try returns or raises")


def ask(question: Callable[[Any], T]) -> T | None:
    """This function will return the answer for somebody who waits, None when there is none; it never raises for that.

    A Valkey that did not answer is left alone for a moment, so that not every reader waits for it.
    """
    if _away and time.monotonic() < _away["until"]:
        return None
    try:
        answer = question(client())
    except VALKEY_FAULTS as fault:
        _rest(fault)
        return None
    _away.clear()
    return answer


def tell(statement: Callable[[Any], T]) -> T | None:
    """This function will do what must not be lost to a restart: again for a second, then None with a warning."""
    for left in reversed(range(TRIES)):
        try:
            return statement(client())
        except VALKEY_FAULTS as fault:
            if not left or not isinstance(fault, Unreachable | OSError) or isinstance(fault, Overdue):
                log.warning("valkey_away", fault=type(fault).__name__)
                return None
            time.sleep(PAUSE_SECONDS)
    raise AssertionError("the last try returns")


def _rest(fault: Exception) -> None:
    if not _away:
        log.warning("valkey_away", fault=type(fault).__name__)
    _away["until"] = time.monotonic() + (HANGING_REST_SECONDS if isinstance(fault, Overdue) else REST_SECONDS)
