"""Which races stand beside a race, and which one is next on the card."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from raceday import clock
from raceday.published import shelf
from races import examples, neighbours
from races.models import Race
from tests.support.card import START, make_meeting, make_race, own_keys  # noqa: F401  # a fixture
from tests.support.lane import LaneClient

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_keys")]
NAVIGATION = "/api/races/navigation?raceId="
NEXT = "/api/races/next-scheduled"


def make_races(*races: tuple[str, datetime], status: str = "Open") -> None:
    """Each race at a meeting of its own."""
    for race_id, start in races:
        meeting = make_meeting(meeting_id=f"at-{race_id}", meeting_name=f"Track {race_id}")
        make_race(meeting, race_id=race_id, name=f"Race {race_id}", start_time=start, status=status)


def ids(body: dict[str, Any]) -> list[str | None]:
    return [race and race["race_id"] for race in body.values()]


def test_neighbours_come_from_all_meetings_with_the_names_of_the_contract(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    minute = timedelta(minutes=1)
    make_races(("a", START - 9 * minute), ("b", START - minute), ("c", START), ("d", START + minute))
    with django_assert_num_queries(2):
        body = client.get(NAVIGATION + "c").json()
    assert list(body) == list(examples.NAVIGATION) == ["previousRace", "nextRace", "nextScheduledRace"]
    assert ids(body)[:2] == ["b", "d"]
    assert body["nextRace"] == {
        "race_id": "d",
        "name": "Race d",
        "start_time": "2026-11-21T15:31:00.000+13:00",
        "meeting_name": "Track d",
    }


@pytest.mark.parametrize(("race_id", "expected"), [("a", [None, "b"]), ("b", ["a", "c"]), ("c", ["b", None])])
def test_races_that_start_together_stand_in_the_order_of_their_ids(
    client: Client, race_id: str, expected: list[str | None]
) -> None:
    make_races(("c", START), ("a", START), ("b", START))
    assert ids(client.get(NAVIGATION + race_id).json())[:2] == expected


def test_an_abandoned_and_a_final_race_stay_neighbours_and_are_never_scheduled(client: Client) -> None:
    start = clock.now() + timedelta(hours=1)
    make_races(("a", start), status="Abandoned")
    make_races(("c", start + timedelta(minutes=2)), status="Final")
    make_races(("b", start + timedelta(minutes=1)), ("d", start + timedelta(minutes=3)))
    assert ids(client.get(NAVIGATION + "b").json()) == ["a", "c", "b"]
    assert client.get(NEXT).json()["race_id"] == "b"


def test_neighbours_cross_the_midnight_of_new_zealand(client: Client) -> None:
    midnight = datetime(2026, 11, 21, 11, tzinfo=UTC)
    make_races(("late", midnight - timedelta(minutes=2)), ("early", midnight), ("morning", midnight + START.resolution))
    body = client.get(NAVIGATION + "early").json()
    assert body["previousRace"]["start_time"] == "2026-11-21T23:58:00.000+13:00"
    assert body["nextRace"]["start_time"] == "2026-11-22T00:00:00.000+13:00"


def test_navigation_needs_a_race_that_there_is(client: Client) -> None:
    assert client.get(NAVIGATION + "nowhere").json() == {"error": "no such race"}
    assert list(client.get("/api/races/navigation").json()["details"]) == ["race_id"]


def test_the_next_scheduled_race_is_live_and_after_now(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    client = LaneClient()
    now = clock.now()
    make_races(("past", now - timedelta(seconds=1)), ("later", now + timedelta(hours=3)))
    make_races(("soon", now + timedelta(hours=2)), status="Postponed")
    with django_assert_num_queries(1):
        body = client.get(NEXT).json()
    with django_assert_num_queries(0):
        assert client.get(f"{NEXT}/").json() == body
    assert (body["race_id"], list(body)) == ("soon", list(examples.UPCOMING_RACE))
    assert (body["meeting_name"], body["country"]) == ("Track soon", "NZ")
    assert body["race_type"] == body["type"] == "thoroughbred"


def test_the_next_scheduled_race_is_null_when_there_is_none_until_the_card_has_one() -> None:
    client = LaneClient()
    assert [client.get(NEXT).content for _ in range(2)] == [b"null", b"null"]
    make_races(("a", clock.now() + timedelta(hours=1)))
    shelf.outdate({"card": None})
    client.forget()
    assert client.get(NEXT).json()["race_id"] == "a"


def test_what_starts_next_is_not_kept_past_its_start(client: Client, clock_shows: Callable[[datetime], None]) -> None:
    clock_shows(START)
    make_races(("a", START + timedelta(milliseconds=900)))
    for address in (NEXT, NAVIGATION + "a"):
        assert [client.get(address)["X-Cache"] for _ in range(2)] == ["MISS", "MISS"]


def test_each_neighbour_is_found_by_index(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    make_races(("a", START))
    race = Race.objects.get()
    with django_assert_num_queries(1):
        neighbours.read_neighbours(race.pk, START)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {neighbours.NEIGHBOURS}", neighbours.parameters(race.pk, START))
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert [plan.count(name) for name in ("races_start_time", "races_live", "Seq Scan")] == [2, 1, 0]
