"""A day's races in rows and columns."""

from datetime import date, timedelta
from typing import Any

import pytest

from board.days import Cell, day_of, places_of, rows_of
from races.models import RaceResult
from tests.support.card import POLLED, START, make_meeting, make_race

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def cells(races: list[Any], **facts: Any) -> list[Cell | None]:
    (row,) = rows_of(races, facts.get("now", START - 5 * MINUTE), facts.get("alerted", frozenset()))
    return list(row.cells)


def test_a_race_stands_in_the_column_of_its_number() -> None:
    meeting = make_meeting()
    races = [make_race(meeting, race_id=f"r{number}", race_number=number) for number in (3, 1)]
    first, second, third = cells(races)
    assert first
    assert second is None
    assert third
    assert (first.race.pk, third.race.pk) == ("r1", "r3")


def test_rows_are_as_long_as_the_longest_and_in_the_order_of_names() -> None:
    one, two = make_meeting(), make_meeting(meeting_id="m2", meeting_name="Addington")
    races = [make_race(one), make_race(two, race_id="r2", race_number=2)]
    rows = rows_of(races, START, frozenset())
    assert [(row.meeting.meeting_name, len(row.cells)) for row in rows] == [("Addington", 2), ("Awapuni", 2)]


def test_the_first_open_race_of_a_meeting_is_next() -> None:
    meeting = make_meeting()
    states = ["Final", "Closed", "Open", "Open"]
    races = [make_race(meeting, race_id=f"r{n}", race_number=n, status=status) for n, status in enumerate(states, 1)]
    assert [cell.is_next for cell in cells(races) if cell] == [False, False, True, False]


@pytest.mark.parametrize(
    ("status", "before", "is_shown"),
    [("Open", 29 * MINUTE, True), ("Open", -MINUTE, True), ("Open", 31 * MINUTE, False), ("Closed", MINUTE, False)],
)
def test_a_clock_is_shown_of_open_races_near_their_start(status: str, before: timedelta, is_shown: bool) -> None:
    (cell,) = cells([make_race(make_meeting(), status=status)], now=START - before)
    assert cell
    assert cell.has_clock is is_shown


def test_a_cell_has_the_result_and_late_money() -> None:
    race = make_race(make_meeting(), status="Final")
    placings = [{"position": place, "runner_number": 10 - place} for place in (1, 2, 3, 4)]
    RaceResult.objects.create(race=race, results=placings, dividends=[], result_status="final", result_time=POLLED)
    (cell,) = cells([race], alerted={"r1"})
    assert cell
    assert (cell.places, cell.has_late_money) == ("9·8·7", True)


def test_dead_heats_share_a_place() -> None:
    placings: list[dict[str, Any]] = [
        {"position": 1, "runner_number": 4},
        {"position": 1, "runner_number": 7},
        {"position": 3, "runner_number": 2},
        {"position": None, "runner_number": 9},
    ]
    assert places_of(placings) == "4/7·2"
    assert places_of([]) == ""


def test_a_day_knows_its_neighbours_and_whether_it_is_today() -> None:
    day = day_of(date(2026, 11, 21), START)
    assert (day.is_today, day.before, day.after) == (True, date(2026, 11, 20), date(2026, 11, 22))
    assert not day_of(date(2026, 11, 20), START).is_today
