"""Which faults are a server's that is away, and what is done until it is back."""

import django.db
import psycopg
import pytest
from psycopg import errors
from redis import exceptions

from raceday.outage import is_outage, outlast


def of_django(cause: psycopg.Error) -> django.db.Error:
    """As Django hands on what psycopg raised."""
    fault = {psycopg.InterfaceError: django.db.InterfaceError, psycopg.InternalError: django.db.InternalError}
    wrapped = fault.get(type(cause), django.db.OperationalError)("told")
    wrapped.__cause__ = cause
    return wrapped


@pytest.mark.parametrize(
    "fault",
    [
        psycopg.OperationalError("connection refused"),
        of_django(psycopg.OperationalError("server closed the connection unexpectedly")),
        of_django(psycopg.InterfaceError("the connection is closed")),
        of_django(errors.AdminShutdown()),
        of_django(errors.CannotConnectNow()),
        of_django(errors.TooManyConnections()),
        of_django(errors.DiskFull()),
        of_django(errors.IoError()),
        of_django(errors.DeadlockDetected()),
        of_django(errors.LockNotAvailable()),
        of_django(errors.ReadOnlySqlTransaction()),
        exceptions.ConnectionError(),
        exceptions.TimeoutError(),
        exceptions.BusyLoadingError(),
        exceptions.OutOfMemoryError(),
        exceptions.ReadOnlyError(),
        exceptions.ResponseError("MISCONF Errors writing to the AOF file: No space left on device"),
    ],
    ids=lambda fault: type(fault.__cause__ or fault).__name__,
)
def test_a_server_that_is_away_full_or_busy_is_an_outage(fault: Exception) -> None:
    assert is_outage(fault)


@pytest.mark.parametrize(
    "fault",
    [
        ZeroDivisionError(),
        OSError(),
        of_django(errors.QueryCanceled()),
        of_django(errors.NumericValueOutOfRange()),
        of_django(errors.UndefinedTable()),
        of_django(errors.StatementTooComplex()),
        exceptions.DataError(),
        exceptions.ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"),
    ],
    ids=lambda fault: type(fault.__cause__ or fault).__name__,
)
def test_a_fault_of_what_was_asked_is_none(fault: Exception) -> None:
    assert not is_outage(fault)


def failing(times: int, fault: Exception) -> "list[Exception]":
    return [fault] * times


@pytest.mark.django_db  # between tries it looks at the connections that other tests left
def test_work_is_done_again_until_the_server_is_back() -> None:
    faults = failing(3, exceptions.ConnectionError())

    def work() -> str:
        if faults:
            raise faults.pop()
        return "done"

    assert outlast(work, is_over=lambda: False) == "done"


@pytest.mark.django_db  # between tries it looks at the connections that other tests left
def test_it_is_given_up_only_when_its_time_is_over() -> None:
    tries: list[int] = []

    def work() -> None:
        tries.append(1)
        raise exceptions.ConnectionError

    with pytest.raises(exceptions.ConnectionError):
        outlast(work, is_over=lambda: len(tries) == 3)
    assert len(tries) == 3


@pytest.mark.django_db  # between tries it looks at the connections that other tests left
def test_what_is_no_outage_is_raised_at_once() -> None:
    tries: list[int] = []

    def work() -> None:
        tries.append(1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        outlast(work, is_over=lambda: False)
    assert len(tries) == 1
