"""What many tests stand on: the real samples where they lie beside the project, and partitions for past days."""

import time
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path

import pytest
from coverage import Coverage
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from pytest_django import Settings

from moneyflow.store import partitions
from raceday import clock, valkey
from raceday.api import errors
from tests.support.emptying import rows_are_deleted  # noqa: F401  # a fixture
from tests.support.paths import SAMPLES

# A busy machine is no fault.
hypothesis_settings.register_profile("raceday", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("raceday")
LONGEST = {"test_client_day.py", "test_supervisor.py", "test_resume.py", "test_benchmarks.py"}


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Long tests begin early, so that none of several processes is left alone with one at the end.

    pytest-django then puts those that roll back before those that commit, and both before the others. Those in a
    browser come last of all: Playwright leaves an event loop running in the thread of the tests, and Django refuses
    to work in one.
    """
    items.sort(key=lambda item: item.path.name not in LONGEST)
    yield
    items.sort(key=lambda item: item.path.parent.name == "browser")


@pytest.fixture(autouse=True)
def no_rate_limits(settings: Settings) -> None:
    """Many tests are one client, and one host's only one; those of the limits set their own."""
    settings.RATE_LIMIT_PER_MINUTE = settings.RATE_LIMIT_EXPENSIVE_PER_5_MINUTES = 0
    settings.FEED_REQUESTS_PER_MINUTE = 0


@pytest.fixture(autouse=True)
def quick_passwords(settings: Settings) -> None:
    """The slow hash of a password is not on trial."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def both_servers_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test takes a server to be away because it was so for the test before."""
    monkeypatch.setattr(valkey, "_away", {})
    monkeypatch.setattr(errors, "_database", {"away_until": 0.0})


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Counts no lines of a long test and its programs: short ones run them too, and counting takes half the time."""
    monkeypatch.setenv("COVERAGE_PROCESS_CONFIG", "")
    counting = Coverage.current()
    if counting:
        counting.stop()
    yield
    if counting:
        counting.start()


@pytest.fixture
def samples() -> Path:
    """The feed's recorded answers; they are not ours to ship."""
    if not SAMPLES.is_dir():
        pytest.skip("the feed's recorded answers (../shared/nztab/samples) are not on this machine")
    return SAMPLES


@pytest.fixture
def one_transaction() -> Iterator[None]:
    """Leaves the test's connection open between requests, as Django's own test client does."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def clock_goes_on_from(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Sets Raceday's clock for what wants some hours of one racing day, whatever the hour of the test's own."""

    def set_to(instant: datetime) -> None:
        monkeypatch.setattr(clock, "CLOCK", clock.Clock(real=time.time(), shown=instant.timestamp()))

    return set_to


@pytest.fixture
def clock_shows(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Sets Raceday's clock to an instant and all but stops it: one microsecond a second."""

    def show(instant: datetime) -> None:
        stopped = clock.Clock(real=time.time(), shown=instant.timestamp(), speed=1e-6)
        monkeypatch.setattr(clock, "CLOCK", stopped)

    return show


@pytest.fixture
def make_partitions(db: None) -> Callable[..., None]:
    """Gives history a place on days that today's runway does not reach: no fixed day lies within it for long."""

    def make(*days: date) -> None:
        planned = partitions.plan(partitions.existing(), days, oldest=date.min)
        with connection.cursor() as cursor:
            for partition in planned.create:  # another test's daily duty may have detached it, and kept it
                cursor.execute(f"DROP TABLE IF EXISTS {partition.name}")
        partitions.apply(planned)

    return make
