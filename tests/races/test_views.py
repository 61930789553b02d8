"""What the client reads of races, pools and results."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from raceday.published import shelf
from raceday.published.resources import mark_of
from races.models import Race, RacePool, RaceResult
from tests.support.card import POLLED, START, make_entrant, make_meeting, make_race, own_keys  # noqa: F401  # a fixture
from tests.support.lane import LaneClient

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_keys")]
PLACING = {"position": 1, "runner_number": 2, "name": "Horse 2", "entrant_id": "r1-e2", "barrier": 7}
DIVIDEND = {
    "id": "d1",
    "product_name": "Pool Win",
    "status": "Final",
    "dividend": "4.20",
    "pool_size": "9151.38",
    "positions": [{"runner_number": 2, "position": 1}],
    "description": None,
}


@pytest.fixture
def race() -> Race:
    return make_race(make_meeting())


def make_result(race: Race, **columns: Any) -> RaceResult:
    default = {"results": [PLACING], "dividends": [DIVIDEND], "result_status": "final", "result_time": POLLED}
    return RaceResult.objects.create(race=race, **{**default, **columns})


def test_races_of_a_meeting_come_by_number_with_the_fields_of_the_contract(client: Client, race: Race) -> None:
    make_race(race.meeting, race_id="r2", race_number=2, start_time=START - timedelta(hours=1))
    first, second = client.get("/api/races?meetingId=m1").json()
    assert first == {
        "race_id": "r1",
        "name": "Maiden",
        "race_number": 1,
        "start_time": "2026-11-21T15:30:00.000+13:00",
        "status": "Open",
        "meeting_id": "m1",
    }
    assert second["race_number"] == 2


def test_races_without_a_meeting_are_refused_and_of_an_unknown_one_are_none(client: Client, race: Race) -> None:
    refused = client.get("/api/races")
    assert (refused.status_code, list(refused.json()["details"])) == (400, ["meeting_id"])
    assert client.get("/api/races?meeting_id=nowhere").json() == []


def test_a_race_counts_its_runners_without_the_scratched(
    client: Client, race: Race, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in (1, 2, 3):
        make_entrant(race, number, is_scratched=number == 3)
    with django_assert_num_queries(1):
        body = client.get("/api/races/r1").json()
    assert list(body) == [
        *["race_id", "meeting_id", "name", "race_number", "start_time", "actual_start", "status", "distance"],
        *["track_condition", "weather", "race_type", "type", "runner_count", "created_at", "updated_at"],
    ]
    assert (body["runner_count"], body["actual_start"]) == (2, None)
    assert body["race_type"] == body["type"] == "thoroughbred"


def test_what_leads_nowhere_is_a_404_and_never_kept(race: Race) -> None:
    client = LaneClient()
    for path in ("/api/races/nowhere", "/api/race-pools?race_id=nowhere", "/api/meetings/nowhere"):
        for _ in range(2):
            answer = client.get(path)
            assert (answer.status_code, list(answer.json()), answer["X-Cache"]) == (404, ["error"], "MISS")


@pytest.mark.parametrize("path", ["/api/race-pools?race_id=r1", "/api/race-results?raceId=r1"])
def test_that_a_polled_race_has_none_yet_is_kept_until_the_race_changes(race: Race, path: str) -> None:
    client = LaneClient()
    shelf.outdate({"race:r1": "first poll"}, mark_of(POLLED, keep_seconds=60))
    first, second = client.get(path), client.get(path)
    assert [(answer.status_code, answer["X-Cache"]) for answer in (first, second)] == [(404, "MISS"), (404, "HIT")]
    assert (second.content, second["X-Polled-At"]) == (first.content, first["X-Polled-At"])
    RacePool.objects.create(race=race, win_pool_total=Decimal("1.10"), last_updated=POLLED)
    make_result(race)
    shelf.outdate({"race:r1": "second poll"})
    client.forget()
    assert client.get(path).status_code == 200


def test_pools_are_exact_cents_and_the_unknown_stays_null(
    client: Client, race: Race, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    RacePool.objects.create(
        race=race,
        win_pool_total=Decimal("9999999999.99"),
        place_pool_total=Decimal("1.10"),
        total_race_pool=Decimal("0.00"),
        data_quality_score=80,
        last_updated=POLLED,
    )
    with django_assert_num_queries(1):
        body = client.get("/api/race-pools?race_id=r1").json()
    assert body == {
        "race_id": "r1",
        "win_pool_total": 999_999_999_999,
        "place_pool_total": 110,
        "quinella_pool_total": None,
        "trifecta_pool_total": None,
        "exacta_pool_total": None,
        "first4_pool_total": None,
        "total_race_pool": 0,
        "currency": "$",
        "data_quality_score": 80,
        "extracted_pools": 2,
        "last_updated": "2026-11-21T15:29:00.000+13:00",
    }


def test_a_result_has_numbers_cents_and_prices_by_runner_number(
    client: Client, race: Race, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_entrant(race, 2, fixed_win_odds=Decimal("4.50"))
    make_result(race, photo_finish=True)
    with django_assert_num_queries(2):
        body = client.get("/api/race-results?race_id=r1").json()
    assert body["results_data"] == [{**PLACING, "margin_length": None}]
    assert body["dividends_data"][0] == {
        "product_name": "Pool Win",
        "dividend": 4.2,
        "positions": [{"runner_number": 2, "position": 1}],
        "pool_size": 915_138,
        "status": "Final",
        "description": None,
    }
    assert body["fixed_odds_data"] == {
        "2": {"fixed_win_odds": 4.5, "fixed_place_odds": None, "runner_name": "Horse 2", "entrant_id": "r1-e2"}
    }
    assert (body["results_available"], body["result_status"]) == (True, "final")
    assert (body["photo_finish"], body["protest_lodged"]) == (True, None)


def test_an_interim_result_gives_way_to_the_final_one_at_its_publication(race: Race) -> None:
    client = LaneClient()
    result = make_result(race, result_status="interim")
    assert client.get("/api/race-results?race_id=r1").json()["result_status"] == "interim"
    result.result_status = "final"
    result.save()
    assert client.get("/api/race-results?race_id=r1").json()["result_status"] == "interim"
    shelf.outdate({"race:r1": "final"})
    client.forget()
    assert client.get("/api/race-results?race_id=r1").json()["result_status"] == "final"
