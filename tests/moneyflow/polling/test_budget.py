"""Who goes first while requests are short, and what is said of those who waited."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from moneyflow.polling.budget import NAME, Stretched, read_stretched, seconds_late, urgency
from raceday.clock import Clock
from raceday.feed.client import FeedAnswer
from raceday.queue.broker import valkey

NOW = datetime(2026, 11, 21, 2, 30, tzinfo=UTC)


def order(*races: tuple[str, float]) -> list[tuple[str, float]]:
    """Sort races, each a status and the minutes to its start, by who goes first."""
    return sorted(races, key=lambda race: urgency(race[0], NOW + timedelta(minutes=race[1]), NOW))


def test_the_race_nearest_its_close_goes_first_and_the_far_ones_last() -> None:
    late, closing, soon, near, far = ("Open", -3.0), ("Open", 0.0), ("Open", 4.0), ("Open", 14.0), ("Open", 300.0)
    settling, forgotten = ("Interim", -5.0), ("Open", -31.0)
    assert order(far, near, settling, soon, closing, late) == [late, closing, soon, near, settling, far]
    assert order(far, forgotten, near) == [near, forgotten, far]
    assert order(far, ("Postponed", 2.0), near) == [near, ("Postponed", 2.0), far]


def test_a_race_keeps_its_place_while_it_waits() -> None:
    start = NOW + timedelta(hours=1)
    assert urgency("Open", start, NOW) == urgency("Open", start, NOW + timedelta(minutes=50))


def test_lateness_is_from_when_a_request_was_due_until_it_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = FeedAnswer(body=b"", encoding="identity", polled_at=NOW + timedelta(seconds=3), fetch_ms=500.0)
    assert seconds_late(NOW, answer) == 2.5
    monkeypatch.setattr("raceday.clock.CLOCK", Clock(speed=2.0))
    assert seconds_late(NOW, answer) == 1.0  # the answer took half a second of the machine


@pytest.fixture
def nothing_said() -> Iterator[None]:
    valkey().delete(NAME)
    yield
    valkey().delete(NAME)


def report(*polls: tuple[float, float]) -> Any:
    """Report polls, each the seconds of its cadence and of its lateness, and return what can be read."""
    stretched = Stretched()
    for cadence_seconds, late_seconds in polls:
        stretched.note(cadence_seconds, late_seconds)
    asyncio.run(stretched.report())
    asyncio.run(stretched.report())  # nothing new does not hide the newest
    return read_stretched()


@pytest.mark.usefixtures("nothing_said")
def test_stretched_cadences_are_told_with_their_polls_and_the_longest_wait() -> None:
    assert report((60, 4.0), (60, 7.04), (30, 1.0), (5, 0.9)) == {
        "30": {"polls": 1, "longest_seconds": 1.0},
        "60": {"polls": 2, "longest_seconds": 7.0},
    }


@pytest.mark.usefixtures("nothing_said")
def test_polls_in_time_are_not_told() -> None:
    assert report((60, 0.2), (5, 0.0)) == {}
