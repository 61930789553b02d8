"""What the client reads of meetings."""

from datetime import date, timedelta

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from raceday import clock
from raceday.published import shelf
from raceday.racing_day import racing_day
from tests.support.card import START, make_meeting, make_race, own_keys  # noqa: F401  # a fixture
from tests.support.lane import LaneClient

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_keys")]
DAY = "/api/meetings?date=2026-11-21"


def test_a_meeting_has_the_fields_of_the_contract(client: Client) -> None:
    make_race(make_meeting(track_condition="Good4"))
    assert client.get(DAY).json() == [
        {
            "meeting_id": "m1",
            "meeting_name": "Awapuni",
            "country": "NZ",
            "race_type": "thoroughbred",
            "date": "2026-11-21",
            "status": "active",
            "first_race_time": "2026-11-21T15:30:00.000+13:00",
            "track_condition": "Good4",
            "weather": None,
        }
    ]


def test_without_a_date_the_meetings_are_those_of_today_in_new_zealand(client: Client) -> None:
    today = racing_day(clock.now())
    make_meeting(meeting_id="today", date=today)
    make_meeting(meeting_id="yesterday", date=today - timedelta(days=1))
    assert [meeting["meeting_id"] for meeting in client.get("/api/meetings").json()] == ["today"]


@pytest.mark.parametrize(
    "query", ["race_type=harness", "raceType=harness", "country=AUS", "country=AUS&raceType=harness"]
)
def test_meetings_are_filtered_by_code_and_country(client: Client, query: str) -> None:
    make_meeting()
    make_meeting(meeting_id="m2", race_type="harness", country="AUS")
    assert [meeting["meeting_id"] for meeting in client.get(f"{DAY}&{query}").json()] == ["m2"]


def test_meetings_come_by_name_and_the_first_race_is_the_earliest(client: Client) -> None:
    make_meeting(meeting_name="Zabeel")
    early = make_meeting(meeting_id="m2", meeting_name="Addington")
    make_race(early, start_time=START + timedelta(hours=1))
    make_race(early, race_id="r0", start_time=START)
    first, second = client.get(DAY).json()
    assert first["first_race_time"] == "2026-11-21T15:30:00.000+13:00"
    assert (second["meeting_name"], second["first_race_time"]) == ("Zabeel", None)


@pytest.mark.parametrize(
    ("query", "name"),
    [("date=21-11-2026", "date"), ("race_type=T", "race_type"), ("country=new", "country"), ("country=", "country")],
)
def test_a_bad_value_is_refused_by_name(client: Client, query: str, name: str) -> None:
    answer = client.get(f"/api/meetings?{query}")
    assert answer.status_code == 400
    assert list(answer.json()["details"]) == [name]


def test_one_meeting_carries_its_stamps_and_an_unknown_one_is_a_404(client: Client) -> None:
    make_meeting()
    meeting = client.get("/api/meetings/m1/").json()
    assert (meeting["meeting_id"], meeting["date"]) == ("m1", str(date(2026, 11, 21)))
    assert {"created_at", "updated_at", "track_condition", "weather"} < set(meeting)
    assert client.get("/api/meetings/nowhere").status_code == 404


def test_meetings_cost_one_query_and_none_when_kept(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    client = LaneClient()
    for number in range(5):
        make_meeting(meeting_id=f"m{number}")
    with django_assert_num_queries(1):
        fresh = client.get(DAY)
    with django_assert_num_queries(0):
        kept = client.get(f"{DAY.replace('?', '/?')}")
    assert (fresh["X-Cache"], kept["X-Cache"]) == ("MISS", "HIT")
    assert fresh.content == kept.content


def test_a_changed_card_is_seen_once_the_process_asks_again() -> None:
    client = LaneClient()
    make_meeting()
    assert len(client.get(DAY).json()) == 1
    make_meeting(meeting_id="m2")
    assert len(client.get(DAY).json()) == 1
    shelf.outdate({"card": None})
    client.forget()
    assert len(client.get(DAY).json()) == 2
