"""The races around now that have not ended."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from raceday.published import shelf
from races import examples
from races.models import Race
from tests.support.card import START, make_meeting, make_race, own_keys  # noqa: F401  # a fixture
from tests.support.lane import LaneClient

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_keys")]
MIDNIGHT = datetime(2026, 11, 21, 11, tzinfo=UTC)  # in New Zealand
UPCOMING = "/api/races/upcoming"
Shows = Callable[[datetime], None]


def make_races(now: datetime, *minutes: float, status: str = "Open") -> None:
    """A race for each number of minutes from now, with the number for its id."""
    meeting = make_meeting(meeting_id=status)
    for minute in minutes:
        make_race(meeting, race_id=str(minute), start_time=now + timedelta(minutes=minute), status=status)


def upcoming(client: Client, query: str = "") -> list[str]:
    return [race["race_id"] for race in client.get(UPCOMING + query).json()["races"]]


def test_upcoming_has_the_fields_of_the_contract_in_one_query_and_none_when_kept(
    clock_shows: Shows, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = LaneClient()
    clock_shows(START)
    make_races(START, 10)
    with django_assert_num_queries(1):
        body = client.get(UPCOMING).json()
    with django_assert_num_queries(0):
        assert client.get(f"{UPCOMING}/?windowMinutes=120&lookbackMinutes=5&limit=50").json() == body
    assert list(body) == list(examples.UPCOMING)
    assert list(body["races"][0]) == list(examples.UPCOMING_RACE)
    assert body["races"][0]["meeting_name"] == "Awapuni"
    assert (body["total"], body["timestamp"]) == (1, "2026-11-21T15:30:00.000+13:00")
    assert body["window"] == {
        "lower_bound": "2026-11-21T15:25:00.000+13:00",
        "upper_bound": "2026-11-21T17:30:00.000+13:00",
        "window_minutes": 120,
        "lookback_minutes": 5,
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["-4", "0", "1", "119"]),
        ("?lookback_minutes=0&window_minutes=1", ["1"]),
        ("?lookbackMinutes=120&windowMinutes=480", ["-119", "-6", "-4", "0", "1", "119", "121", "479"]),
        ("?window_minutes=0", ["-4", "0"]),
    ],
)
def test_the_window_bounds_what_is_upcoming_by_start_time(
    client: Client, clock_shows: Shows, query: str, expected: list[str]
) -> None:
    clock_shows(START + timedelta(milliseconds=1))
    make_races(START, 479, 121, 119, 1, 0, -4, -6, -119, -121, 481)
    assert upcoming(client, query) == expected


@pytest.mark.parametrize(("status", "expected"), [("Abandoned", []), ("Final", []), ("Interim", ["1"])])
def test_what_has_ended_is_not_upcoming(client: Client, clock_shows: Shows, status: str, expected: list[str]) -> None:
    clock_shows(START)
    make_races(START, 1, status=status)
    assert upcoming(client) == expected


def test_a_limit_shortens_the_list_and_not_the_total(client: Client, clock_shows: Shows) -> None:
    clock_shows(START)
    make_races(START, 3, 1, 2)
    body = client.get(f"{UPCOMING}?limit=2").json()
    assert ([race["race_id"] for race in body["races"]], body["total"]) == (["1", "2"], 3)


def test_upcoming_crosses_the_midnight_of_new_zealand(client: Client, clock_shows: Shows) -> None:
    clock_shows(MIDNIGHT)
    make_races(MIDNIGHT, -2, 3)
    body = client.get(UPCOMING).json()
    starts = [race["start_time"] for race in body["races"]]
    assert starts == ["2026-11-21T23:58:00.000+13:00", "2026-11-22T00:03:00.000+13:00"]


def test_a_change_of_the_card_changes_what_is_upcoming_at_once(clock_shows: Shows) -> None:
    client = LaneClient()
    clock_shows(START)
    make_races(START, 1)
    assert upcoming(client) == ["1"]
    Race.objects.update(status="Abandoned")
    assert upcoming(client) == ["1"]
    shelf.outdate({"card": None})
    client.forget()
    assert (upcoming(client), client.get(UPCOMING).json()["total"]) == ([], 0)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        *[("windowMinutes=481", "window_minutes"), ("window_minutes=-1", "window_minutes"), ("limit=0", "limit")],
        *[("lookback_minutes=121", "lookback_minutes"), ("lookback_minutes=-1", "lookback_minutes")],
        *[("limit=101", "limit"), ("limit=all", "limit"), ("country=NZ", "country")],
    ],
)
def test_a_window_that_cannot_be_is_refused_by_name(client: Client, query: str, name: str) -> None:
    answer = client.get(f"{UPCOMING}?{query}")
    assert (answer.status_code, list(answer.json()["details"])) == (400, [name])
