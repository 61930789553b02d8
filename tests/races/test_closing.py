"""When races usually close: as published, and by our own archive once it has enough races."""

from datetime import timedelta
from typing import Any

import pytest

from raceday import clock
from races import closing
from races.closing import Closing, usual_closing
from tests.support.card import make_meeting, make_race

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_known_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing, "_archive", {})
    monkeypatch.setattr(closing, "FEWEST_RACES", 10)


def close(meeting: Any, number: int, seconds: float | None, **columns: Any) -> None:
    start = clock.now() - timedelta(days=1)
    closed = None if seconds is None else start + timedelta(seconds=seconds)
    default = {"race_id": f"{meeting.pk}-{number}", "start_time": start, "actual_start": closed, "status": "Final"}
    make_race(meeting, polled_at=None, **{**default, **columns})


def test_published_figures_count_until_the_archive_has_enough_races_of_the_code() -> None:
    harness = make_meeting(meeting_id="h", race_type="harness")
    for number in range(9):
        close(harness, number, 10 * number)
    assert usual_closing("harness") == closing.PUBLISHED["harness"]
    assert usual_closing("greyhound") == closing.UNKNOWN


def test_the_archive_counts_once_it_has_them() -> None:
    harness = make_meeting(meeting_id="h", race_type="harness")
    for number in range(10):
        close(harness, number, 10 * number)
    assert usual_closing("harness") == Closing(half_seconds=40, most_seconds=80, races=10)
    assert usual_closing("thoroughbred") == closing.PUBLISHED["thoroughbred"]


def test_races_without_a_close_or_long_ago_do_not_count() -> None:
    harness = make_meeting(meeting_id="h", race_type="harness")
    for number in range(10):
        close(harness, number, 30)
    close(harness, 10, None)
    close(harness, 11, 500, status="Open")
    long_ago = clock.now() - timedelta(days=91)
    close(harness, 12, None, start_time=long_ago, actual_start=long_ago + timedelta(seconds=500))
    assert usual_closing("harness") == Closing(half_seconds=30, most_seconds=30, races=10)


def test_the_archive_is_not_asked_for_each_page(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        usual_closing("harness")
        usual_closing("thoroughbred")
