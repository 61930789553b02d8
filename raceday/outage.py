"""What to do while PostgreSQL or Valkey is away: keep the work, and try again until the server is back."""

import time
from collections.abc import Callable
from typing import TypeVar

import django.db
import psycopg
import structlog
from django.db import close_old_connections
from redis.exceptions import ConnectionError as Unreachable
from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as Overdue

PAUSE_SECONDS = 0.1
# Of PostgreSQL's error codes: connections, deadlocks, resources (a full disk among them), locks, shutdowns, I/O; and
# read_only_sql_transaction, the answer of a server that is not the primary any more.
AWAY = ("08", "40", "53", "55P03", "57P", "58", "25006")
DISK_FULL = "MISCONF"  # Valkey, when it cannot write its journal
NAMELESS = (  # what a client reports when a connection broke or could not be opened
    django.db.OperationalError,
    django.db.InterfaceError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
)
log = structlog.get_logger(__name__)
T = TypeVar("T")


def is_outage(fault: BaseException) -> bool:
    """Tell whether a fault means that a server is away, full or busy, and not that the request was wrong."""
    if isinstance(fault, Unreachable | Overdue | OutOfMemoryError | ReadOnlyError):
        return True
    if isinstance(fault, ResponseError):
        return str(fault).startswith(DISK_FULL)
    code = sqlstate(fault)
    if code is not None:
        return code.startswith(AWAY)
    return isinstance(fault, NAMELESS)


def sqlstate(fault: BaseException) -> str | None:
    """Return PostgreSQL's error code, None for a fault that it did not name, as a broken connection."""
    cause = fault.__cause__ if isinstance(fault, django.db.Error) else fault
    return cause.sqlstate if isinstance(cause, psycopg.Error) else None


def outlast(work: Callable[[], T], *, is_over: Callable[[], bool]) -> T:
    """Return what `work` returns, doing it again while a server is away; raise the fault once `is_over`.

    The first new try comes at once: most often only a connection is dead, and another can be had.
    """
    pause_seconds = 0.0
    while True:
        try:
            return work()
        except Exception as fault:
            if not is_outage(fault) or is_over():
                raise
            if not pause_seconds:
                log.warning("server_away", fault=f"{type(fault).__name__}: {fault}".partition("\n")[0])
        close_old_connections()
        time.sleep(pause_seconds)
        pause_seconds = PAUSE_SECONDS
