from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raceday.racing_day import day_bounds, nz_instant, nz_iso, racing_day


@pytest.mark.parametrize(
    ("day", "hours"),
    [(date(2026, 11, 21), 24), (date(2026, 9, 27), 23), (date(2026, 4, 5), 25)],
    ids=["an ordinary day", "23 hours: clocks go forward", "25 hours: clocks go back"],
)
def test_a_racing_day_runs_from_midnight_to_midnight_in_new_zealand(day: date, hours: int) -> None:
    start, end = day_bounds(day)
    assert end - start == timedelta(hours=hours)
    assert racing_day(start) == day == racing_day(end - timedelta(microseconds=1))
    assert racing_day(end) == day + timedelta(days=1)


def test_summer_and_winter_midnights_are_different_instants() -> None:
    assert nz_instant(date(2026, 11, 21)) == datetime(2026, 11, 20, 11, tzinfo=UTC)
    assert nz_instant(date(2026, 7, 17), time(6)) == datetime(2026, 7, 16, 18, tzinfo=UTC)


def test_the_client_reads_instants_with_the_offset_of_new_zealand() -> None:
    assert nz_iso(datetime(2026, 11, 21, 2, 30, tzinfo=UTC)) == "2026-11-21T15:30:00.000+13:00"


@given(st.integers(946_684_800, 4_102_444_800))
def test_every_instant_lies_in_its_racing_day(epoch_seconds: int) -> None:
    instant = datetime.fromtimestamp(epoch_seconds, UTC)
    start, end = day_bounds(racing_day(instant))
    assert start <= instant < end
