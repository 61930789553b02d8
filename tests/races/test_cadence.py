"""How often a race is polled: every tier by name, the grid by property."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raceday.feed.records import RaceStatus
from races.cadence import TIER_BOUNDARIES, CadenceSeconds, cadence, next_poll

SECONDS = CadenceSeconds(far=60, near=30, soon=15, closing=5, settling=16)
START = datetime(2026, 11, 21, 2, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def seconds_of(status: str, to_start: float) -> float | None:
    interval = cadence(status, timedelta(seconds=to_start), SECONDS)
    return None if interval is None else interval.total_seconds()


@pytest.mark.parametrize(
    ("to_start", "expected"),
    [
        (86400, 60),
        (900.001, 60),
        (900, 30),
        (300.001, 30),
        (300, 15),
        (90.001, 15),
        (90, 5),
        (0, 5),
        (-1800, 5),
        (-1800.001, 60),
        (-43200, 60),
        (-43200.001, None),
    ],
)
def test_an_open_race_is_polled_faster_towards_its_start_until_it_is_forgotten(
    to_start: float, expected: float | None
) -> None:
    assert seconds_of("Open", to_start) == expected


@pytest.mark.parametrize("status", ["Closed", "Interim", "Live", "Running", "", "something new"])
@pytest.mark.parametrize("to_start", [3600, 0, -3600])
def test_a_race_under_way_is_polled_at_the_settling_cadence(status: str, to_start: float) -> None:
    assert seconds_of(status, to_start) == 16


@pytest.mark.parametrize("to_start", [3600, 10, -3600])
def test_a_postponed_race_is_polled_at_the_far_cadence(to_start: float) -> None:
    assert seconds_of("Postponed", to_start) == 60


@pytest.mark.parametrize("status", ["Final", "Abandoned"])
@pytest.mark.parametrize("to_start", [86400, 0, -86400])
def test_an_ended_race_is_polled_no_more(status: str, to_start: float) -> None:
    assert seconds_of(status, to_start) is None


@pytest.mark.parametrize("status", ["Closed", "Interim", "Postponed", "something new"])
def test_no_race_is_polled_half_a_day_after_its_start(status: str) -> None:
    assert seconds_of(status, -43201) is None


def due_after(due: float, now: float, status: str = "Open") -> float | None:
    """All in seconds to the advertised start, as one reads them off a clock that counts down."""
    nxt = next_poll(
        START - timedelta(seconds=due),
        START - timedelta(seconds=now),
        status=status,
        advertised_start=START,
        seconds=SECONDS,
    )
    return None if nxt is None else (START - nxt).total_seconds()


@pytest.mark.parametrize(
    ("due", "now", "expected"),
    [
        (7200, 7199.9, 7140),  # on time
        (7200, 7130, 7080),  # one poll missed, skipped
        (7200, 7140, 7080),  # a poll that is due now is over
        (930, 929, 900),  # 15 min stands before the next interval
        (310, 309, 300),
        (100, 99, 90),
        (900, 899.9, 870),
        (90, 89.9, 85),
        (2, 1, -3),
        (-1799, -1801, -1859),  # forgotten: the far cadence on the same grid
    ],
)
def test_the_next_poll_of_an_open_race(due: float, now: float, expected: float) -> None:
    assert due_after(due, now) == expected


def test_a_race_that_left_open_knows_no_boundaries() -> None:
    assert due_after(95, 94, "Closed") == 79


def test_an_ended_race_has_no_next_poll() -> None:
    assert due_after(100, 99, "Final") is None


statuses = st.sampled_from([*RaceStatus, "something new"])
offsets = st.timedeltas(min_value=timedelta(hours=-14), max_value=timedelta(hours=30))
lateness = st.timedeltas(min_value=timedelta(0), max_value=timedelta(hours=3))


@given(status=statuses, due_at=offsets, late=lateness)
def test_the_next_poll_is_on_the_grid_or_on_a_boundary_and_never_behind(
    status: str, due_at: timedelta, late: timedelta
) -> None:
    due, now = START - due_at, START - due_at + late
    interval = cadence(status, START - now, SECONDS)
    nxt = next_poll(due, now, status=status, advertised_start=START, seconds=SECONDS)
    if interval is None:
        assert nxt is None
        return
    assert nxt is not None
    assert now < nxt <= now + interval
    boundaries = [START - tier for tier in TIER_BOUNDARIES]
    assert (nxt - due) % interval == timedelta(0) or (status == "Open" and nxt in boundaries)
    assert status != "Open" or not any(now < boundary < nxt for boundary in boundaries)


@given(due_at=offsets, delays=st.lists(st.floats(min_value=0, max_value=20), max_size=30))
def test_lateness_never_adds_up(due_at: timedelta, delays: list[float]) -> None:
    due = START - due_at
    first = due
    for delay in delays:
        nxt = next_poll(due, due + delay * SECOND, status="Postponed", advertised_start=START, seconds=SECONDS)
        if nxt is None:
            return
        assert (nxt - first) % (60 * SECOND) == timedelta(0)
        due = nxt
