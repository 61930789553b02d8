"""How the API uses Valkey: through django-redis's client, and without it if it does not answer."""

import socket
import struct
import time
from collections.abc import Callable, Sequence
from math import modf
from threading import local
from typing import Any, TypeVar

import hiredis
import structlog
from django.core.cache import caches
from redis.exceptions import ConnectionError as Unreachable
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as Overdue

VALKEY_FAULTS = (RedisError, OSError)
REST_SECONDS = 0.5  # between questions to a Valkey that refuses: it restarts in less
HANGING_REST_SECONDS = 5.0  # for a server that hangs: each request would take the whole timeout
RECEIVED_BYTES = 65_536
PAUSE_SECONDS = 0.1
TRIES = 10

log = structlog.get_logger(__name__)
T = TypeVar("T")
_own = local()
_away: dict[str, float] = {}  # while Valkey does not answer: "until" when it is left alone


def client() -> Any:
    """Return django-redis's own client, for operations that the cache interface does not have.

    It is a redis.Redis. Its annotations say of every answer that it may be text or bytes, and do not know pipelines.
    """
    cache: Any = caches["default"]
    return cache.client.get_client(write=True)


def key(name: str) -> str:
    """Return the full name of a key in Valkey."""
    return str(caches["default"].make_key(name))


def read_hash(name: str, fields: Sequence[str]) -> list[bytes | None] | None:
    """Read fields of a hash, None where there is no answer: what each hit of the API waits for.

    `name` as `key` takes it. On a line of this thread's own: django-redis's pool and redis-py's commands would take as
    long again.
    """
    return _answer(lambda: _read(caches["default"], name, fields))


def _read(cache: Any, name: str, fields: Sequence[str]) -> Any:
    for is_last in (False, True):
        line: Line | None = getattr(_own, "line", None)
        if line is None or line.cache is not cache:
            line = _own.line = Line(cache)
        try:
            return line.ask("HMGET", line.prefix + name, *fields)
        except VALKEY_FAULTS as fault:
            _own.line = None  # an answer that comes late must not be taken for the next one's
            if is_last or isinstance(fault, Overdue):
                raise
    raise AssertionError("the last try returns or raises")


class Line:
    """A connection on which one thread sends commands. redis-py creates it, as the cache's pool would."""

    def __init__(self, cache: Any) -> None:
        pool = cache.client.get_client(write=True).connection_pool
        self.cache, self.prefix = cache, key("")
        self.connection = pool.connection_class(**pool.connection_kwargs)
        self.connection.connect()
        self.socket: socket.socket = self.connection._sock
        self.reader = hiredis.Reader()
        # The kernel's time-outs, for with Python's a poll() comes before each call.
        fraction, whole = modf(pool.connection_kwargs["socket_timeout"])
        timeval = struct.pack("ll", int(whole), int(fraction * 1_000_000))
        self.socket.settimeout(None)
        for way in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self.socket.setsockopt(socket.SOL_SOCKET, way, timeval)

    def ask(self, *command: str) -> Any:
        """Return the answer; raise Unreachable, Overdue, or RedisError if the answer is an error."""
        try:
            self.socket.sendall(hiredis.pack_command(command))  # type: ignore[arg-type]  # its stub has tuples of one
            while (answer := self.reader.gets()) is False:
                if not (part := self.socket.recv(RECEIVED_BYTES)):
                    raise Unreachable("the connection was closed")
                self.reader.feed(part)
        except BlockingIOError as fault:
            raise Overdue("no answer in time") from fault
        if isinstance(answer, hiredis.HiredisError):
            raise RedisError(str(answer))
        return answer


def ask(question: Callable[[Any], T]) -> T | None:
    """Return Valkey's answer for a request that waits, or None if there is none; it never raises for that.

    A Valkey that did not answer is left alone for a moment, so that not every request waits for it.
    """
    return _answer(lambda: question(client()))


def _answer(question: Callable[[], T]) -> T | None:
    if _away and time.monotonic() < _away["until"]:
        return None
    try:
        answer = question()
    except VALKEY_FAULTS as fault:
        _rest(fault)
        return None
    _away.clear()
    return answer


def tell(statement: Callable[[Any], T]) -> T | None:
    """Do what must not be lost to a restart: again for a second, then None with a warning."""
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
