"""Around midnight in New Zealand: the new card is there, and the old one's races stay until they have ended."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from django.test import Client

from raceday.racing_day import nz_instant
from tests.support.card import make_meeting, make_race, own_keys  # noqa: F401  # a fixture
from tests.support.lane import LaneClient

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_keys")]
DAYS = [
    date(2026, 11, 22),
    date(2026, 9, 27),
    date(2026, 9, 28),
    date(2027, 4, 4),
    date(2027, 4, 5),
]  # two of 23 and 25 h


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_the_card_turns_over_at_midnight_and_unfinished_races_stay(
    day: date, clock_shows: Callable[[datetime], None]
) -> None:
    midnight, yesterday = nz_instant(day), day - timedelta(days=1)
    make_meeting(meeting_id="new", date=day)
    old = make_meeting(meeting_id="old", date=yesterday)
    for name, minutes in (("late", -3), ("next", 20)):
        make_race(old, race_id=name, start_time=midnight + timedelta(minutes=minutes))
    client = LaneClient()
    for seconds, meetings in ((-1, ["old"]), (1, ["new"])):
        clock_shows(midnight + timedelta(seconds=seconds))
        assert [meeting["meeting_id"] for meeting in client.get("/api/meetings").json()] == meetings
        upcoming = Client().get("/api/races/upcoming").json()
        assert [race["race_id"] for race in upcoming["races"]] == ["late", "next"]
        assert Client().get("/api/races/next-scheduled").json()["race_id"] == "next"
