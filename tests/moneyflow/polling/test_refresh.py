"""What polls of a race say about the feed's refreshes of it."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moneyflow.polling.refresh import JITTER_SECONDS, Beat, Poll, beat_of, like_host, upcoming


def looks(refreshes: Sequence[float], times: Sequence[float], *, ahead: float | None = None) -> list[Poll]:
    """Poll at these times. `ahead`: the source stamps its refreshes, by a clock so far ahead of ours."""
    found: list[Poll] = []
    seen = None
    for at in times:
        shown = max(each for each in refreshes if each <= at)
        stamp = at if ahead is None else shown + ahead
        found.append(Poll(at, at + 0.1, seen is not None and shown != seen, stamp))
        seen = shown
    return found


def every(seconds: float, until: float, first: float = 0.0) -> list[float]:
    return [first + seconds * number for number in range(int((until - first) / seconds) + 1)]


@pytest.mark.parametrize("period", [9.0, 10.0, 12.5, 15.0, 20.0, 31.0])
def test_a_steady_source_is_expected_when_it_renews_itself(period: float) -> None:
    refreshes = every(period, 400, first=-period + 3)
    polls = looks(refreshes, every(5.0, 200, first=1.0))
    beat = beat_of(polls)
    assert beat
    assert beat.period == pytest.approx(period, rel=0.06)
    newest = max(each for each in refreshes if each <= polls[-1].asked)
    expected = upcoming(beat, newest + period / 2)
    assert expected.earliest <= newest + period <= expected.latest


def test_nothing_is_expected_of_a_source_that_was_seen_too_seldom_or_has_no_beat() -> None:
    assert beat_of([]) is None
    assert beat_of(looks(every(15.0, 100), every(5.0, 70, first=1.0))) is None
    assert beat_of(looks([0, 9, 31, 38, 70, 71, 99, 120, 155, 160, 191], every(5.0, 200, first=1.0))) is None


def test_a_refresh_that_did_not_come_ends_the_expectation() -> None:
    refreshes = every(15.0, 150)
    assert beat_of(looks(refreshes, every(5.0, 160, first=1.0)))
    assert beat_of(looks(refreshes, every(5.0, 175, first=1.0))) is None


def test_a_refresh_without_news_is_borne_once_three_others_have_followed() -> None:
    refreshes = [at for at in every(15.0, 300) if at != 120]
    assert beat_of(looks(refreshes, every(5.0, 150, first=1.0))) is None
    assert beat_of(looks(refreshes, every(5.0, 195, first=1.0)))


def test_the_newest_spans_count_once_the_period_has_changed() -> None:
    refreshes = every(15.0, 150) + every(11.0, 300, first=161.0)
    beat = beat_of(looks(refreshes, every(5.0, 240, first=1.0)))
    assert beat
    assert beat.period == pytest.approx(11, rel=0.06)


def test_stamps_of_refreshes_tell_more_than_polls_do() -> None:
    refreshes, times = every(15.0, 300), every(5.0, 150, first=1.0)
    by_polls, by_stamps = beat_of(looks(refreshes, times)), beat_of(looks(refreshes, times, ahead=0.0))
    assert by_polls
    assert by_stamps
    assert by_stamps.latest - by_stamps.earliest < 2.5 < by_polls.latest - by_polls.earliest
    assert by_stamps.earliest <= 150 <= by_stamps.latest


@pytest.mark.parametrize("ahead", [-7.0, 3600.0])
def test_stamps_of_another_clock_are_not_looked_at(ahead: float) -> None:
    refreshes, times = every(15.0, 300), every(5.0, 150, first=1.0)
    assert beat_of(looks(refreshes, times, ahead=ahead)) == beat_of(looks(refreshes, times))


BEATS = st.builds(
    lambda earliest, width, period: Beat(earliest, earliest + width, period),
    st.floats(-1e4, 1e4),
    st.floats(2 * JITTER_SECONDS, 8),
    st.floats(4, 40),
)


@given(beat=BEATS, at=st.floats(-1e5, 1e5))
def test_the_upcoming_refresh_is_the_first_that_is_not_over(beat: Beat, at: float) -> None:
    found = upcoming(beat, at)
    assert found.latest > at - 1e-6
    assert found.latest == beat.latest or found.latest - beat.period <= at + 1e-6


def test_a_race_whose_beat_is_another_than_its_hosts_has_none() -> None:
    beats = {name: Beat(0, 1, period) for name, period in {"a": 15.0, "b": 15.2, "c": 14.9, "d": 20.0}.items()}
    assert set(like_host(beats)) == {"a", "b", "c"}


def test_two_races_are_too_few_to_know_a_hosts_beat() -> None:
    beats = {"a": Beat(0, 1, 15.0), "b": Beat(0, 1, 20.0)}
    assert like_host(beats) == beats
