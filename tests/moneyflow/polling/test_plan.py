"""When a race is polled next: examples of each rule, and what holds whatever is expected."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moneyflow.polling.plan import FLOOR_SECONDS, LiveRace, Turn, next_turn
from moneyflow.polling.refresh import Beat
from races.cadence import CadenceSeconds

SECONDS = CadenceSeconds(far=60, near=30, soon=15, closing=5, settling=16)
START = datetime(2026, 11, 21, 2, 30, tzinfo=UTC)


def due_after(last: float, beat: Beat | None, *, now: float | None = None, seconds: CadenceSeconds = SECONDS) -> float:
    """Return when an Open race is due, all in seconds after its advertised start; `now` is at once after `last`."""
    turn = next_turn(Turn(at(last), at(last)), at(last if now is None else now), race(), shifted(beat), seconds)
    assert turn
    return (turn.due - START).total_seconds()


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def race(status: str = "Open") -> LiveRace:
    return LiveRace("r1", START, status)


def shifted(beat: Beat | None) -> Beat | None:
    return beat and Beat(beat.earliest + START.timestamp(), beat.latest + START.timestamp(), beat.period)


NARROW = Beat(-45.0, -44.0, 15.0)
WIDE = Beat(-47.0, -43.0, 15.0)


@pytest.mark.parametrize(
    ("last", "beat", "due"),
    [
        (-60, None, -55),  # the grid
        (-58.9, NARROW, -51.4),  # one poll between two refreshes
        (-51.4, NARROW, -43.9),
        (-43.9, NARROW, -36.4),  # the refresh was looked for: now the next one
        (-52, WIDE, -45),  # the middle of a wide expectation
        (-45, WIDE, -42.9),  # and its end
        (-45.2, NARROW, -43.9),
        (-44.5, NARROW, -43.5),  # never two polls within a second
        (-60, Beat(-55.0, -54.0, 6.0), -55),  # refreshes come too often to wait for them
        (-58.9, Beat(-40.0, -39.0, 20.0), -52.2333),  # polls are at least a cadence apart, and so many that fit
    ],
)
def test_a_race_that_closes_is_polled_just_after_its_refreshes(last: float, beat: Beat | None, due: float) -> None:
    assert due_after(last, beat) == pytest.approx(due, abs=1e-3)


def test_a_poll_that_was_missed_is_not_caught_up() -> None:
    assert due_after(-60, NARROW, now=-43.95) == pytest.approx(-36.4, abs=0.1)


@pytest.mark.parametrize(
    ("last", "beat", "due"),
    [(-400, None, -370), (-250, None, -245), (-170, None, -165), (-170, Beat(-165, -164, 15), -163.9)],
)
def test_the_beat_is_learned_from_the_last_five_minutes_on(last: float, beat: Beat | None, due: float) -> None:
    assert due_after(last, beat) == pytest.approx(due, abs=1e-3)


def test_a_grid_that_sees_each_refresh_at_once_learns_nothing() -> None:
    often = replace(SECONDS, closing=2)
    assert due_after(-250, None, seconds=often) == -235
    assert due_after(-60, NARROW, seconds=often) == -58


@pytest.mark.parametrize(
    ("status", "to_start", "after"), [("Closed", 60, 16), ("Postponed", 60, 60), ("Open", 400, 30)]
)
def test_the_beat_counts_only_for_an_open_race_about_to_close(status: str, to_start: float, after: float) -> None:
    now = at(-to_start)
    turn = next_turn(Turn(now, now), now, race(status), shifted(NARROW), SECONDS)
    assert turn
    assert turn.due - now == timedelta(seconds=after)


@pytest.mark.parametrize("status", ["Final", "Abandoned"])
def test_a_race_that_has_ended_is_polled_no_more(status: str) -> None:
    assert next_turn(Turn(START, START), START, race(status), shifted(NARROW), SECONDS) is None


EXPECTATIONS = st.builds(
    lambda earliest, width, period: Beat(earliest, earliest + width, period),
    st.floats(-300, 60),
    st.floats(0.5, 10),
    st.floats(4, 40),
)


@given(
    beats=st.lists(st.one_of(st.none(), EXPECTATIONS), min_size=30, max_size=60),
    lateness=st.lists(st.floats(0, 3), min_size=60, max_size=60),
)
def test_whatever_is_expected_a_race_is_never_polled_more_often_than_on_the_grid(
    beats: list[Beat | None], lateness: list[float]
) -> None:
    turn = Turn(at(-85), at(-85))
    dues = [turn.due]
    for beat, late in zip(beats, lateness, strict=False):
        now = turn.due + timedelta(seconds=late)
        found = next_turn(turn, now, race(), shifted(beat), SECONDS)
        assert found
        assert found.due > now
        turn = found
        dues.append(turn.due)
    seconds = [due.timestamp() for due in dues]
    for first, since in enumerate(seconds):
        for last, until in enumerate(seconds[first + 1 :], first + 1):
            assert last - first <= (until - since) / 5 + 3
            assert until - since > FLOOR_SECONDS - 1e-3
