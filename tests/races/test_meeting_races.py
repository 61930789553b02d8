"""A meeting's races, and whether they have ended."""

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from raceday.published import shelf
from races import examples
from races.models import Race
from tests.support.card import START, make_meeting, make_race, own_keys  # noqa: F401  # a fixture
from tests.support.lane import LaneClient

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_keys")]


def make_races(*statuses: str) -> None:
    meeting = make_meeting()
    for number, status in enumerate(statuses, start=1):
        make_race(meeting, race_id=f"r{number}", race_number=number, status=status)


def test_a_meetings_races_are_those_of_the_list_by_number(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_races("Open", "Final")
    make_race(make_meeting(meeting_id="m2"), race_id="elsewhere", start_time=START)
    with django_assert_num_queries(1):
        body = client.get("/api/meetings/m1/races").json()
    assert list(body) == list(examples.MEETING_RACES)
    assert (body["races"], body["total"]) == (client.get("/api/races?meeting_id=m1").json(), 2)
    assert body["timestamp"].endswith(("+12:00", "+13:00"))


def test_a_meeting_without_races_has_none_and_is_not_completed(client: Client) -> None:
    make_meeting()
    assert client.get("/api/meetings/m1/races/").json()["races"] == []
    assert client.get("/api/meetings/m1/status/").json() == {"isCompleted": False, "totalRaces": 0, "finalizedRaces": 0}


@pytest.mark.parametrize("part", ["races", "status"])
def test_an_unknown_meeting_is_a_404_and_a_query_is_refused(client: Client, part: str) -> None:
    unknown, refused = client.get(f"/api/meetings/nowhere/{part}"), client.get(f"/api/meetings/m1/{part}?limit=1")
    assert (unknown.status_code, unknown.json()) == (404, {"error": "no such meeting"})
    assert (refused.status_code, list(refused.json()["details"])) == (400, ["limit"])


@pytest.mark.parametrize(
    ("statuses", "is_completed", "finalized"),
    [
        (("Final", "Interim"), False, 1),
        (("Final", "Abandoned"), True, 2),
        (("Abandoned",), True, 1),
        (("Open", "Closed", "Postponed"), False, 0),
    ],
)
def test_a_meeting_is_completed_once_all_its_races_are_final_or_abandoned(
    client: Client, statuses: tuple[str, ...], is_completed: bool, finalized: int
) -> None:
    make_races(*statuses)
    body = client.get("/api/meetings/m1/status").json()
    assert list(body.items()) == [
        *[("isCompleted", is_completed), ("totalRaces", len(statuses)), ("finalizedRaces", finalized)]
    ]


def test_the_end_of_a_race_is_seen_when_its_meeting_is_published(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    client = LaneClient()
    make_races("Interim")
    with django_assert_num_queries(1):
        assert client.get("/api/meetings/m1/status").json()["isCompleted"] is False
    Race.objects.update(status="Final")
    assert client.get("/api/meetings/m1/status").json()["isCompleted"] is False
    shelf.outdate({"meeting:m1": None})
    client.forget()
    assert client.get("/api/meetings/m1/status").json()["isCompleted"] is True
