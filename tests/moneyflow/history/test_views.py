"""What the client reads of entrants and their histories."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from moneyflow.history.views import HISTORIES
from raceday.racing_day import racing_day
from races.models import Race
from tests.support.card import POLLED, START, add_money, add_odds, make_entrant, make_meeting, make_race, own_keys  # noqa: F401
from tests.support.lane import LaneClient

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_keys")]


@pytest.fixture
def race(make_partitions: Callable[..., None]) -> Race:
    make_partitions(racing_day(START))
    return make_race(make_meeting())


def test_an_entrant_has_the_fields_of_the_contract_and_its_numbers_are_numbers(client: Client, race: Race) -> None:
    make_entrant(race, 2, win_odds=Decimal("4.20"), hold_percentage=Decimal("18.00"), weight=Decimal("56.50"))
    make_entrant(race, 1, is_scratched=True)
    first, second = client.get("/api/entrants?race_id=r1").json()
    assert list(second) == [
        *["entrant_id", "name", "runner_number", "win_odds", "place_odds", "hold_percentage", "is_scratched"],
        *["jockey", "trainer_name", "barrier", "weight", "silk_colours", "silk_url_64", "silk_url_128"],
        *["fixed_win_odds", "fixed_place_odds", "pool_win_odds", "pool_place_odds"],
        *["odds_history", "money_flow_history"],
    ]
    assert (second["win_odds"], second["hold_percentage"], second["weight"]) == (4.2, 18.0, 56.5)
    assert (first["is_scratched"], first["win_odds"], first["odds_history"]) == (True, None, [])


def test_both_histories_come_newest_first_and_each_to_its_own_entrant(client: Client, race: Race) -> None:
    one, two = make_entrant(race, 1), make_entrant(race, 2)
    add_money(one, POLLED - timedelta(minutes=1), 1000, "10")
    add_money(one, POLLED, None)
    add_money(two, POLLED, 500, "5.5")
    add_odds(one, POLLED - timedelta(minutes=1), "3.10")
    add_odds(one, POLLED, "2.90")
    first, second = client.get("/api/entrants?race_id=r1").json()
    assert first["money_flow_history"] == [
        {"hold_percentage": None, "win_pool_amount": None, "timestamp": "2026-11-21T15:29:00.000+13:00"},
        {"hold_percentage": 10.0, "win_pool_amount": 1000, "timestamp": "2026-11-21T15:28:00.000+13:00"},
    ]
    assert [point["odds"] for point in first["odds_history"]] == [2.9, 3.1]
    assert first["odds_history"][0]["type"] == "fixed_win"
    assert [point["win_pool_amount"] for point in second["money_flow_history"]] == [500]


@pytest.mark.parametrize(("history", "amounts"), [(0, []), (1, [2]), (2000, [2, 1, 0])])
def test_history_limits_the_points_of_each_entrant_to_the_newest(
    client: Client, race: Race, history: int, amounts: list[int]
) -> None:
    entrant = make_entrant(race, 1)
    for minute in range(3):
        add_money(entrant, POLLED + timedelta(minutes=minute), minute)
    (body,) = client.get(f"/api/entrants?race_id=r1&history={history}").json()
    assert [point["win_pool_amount"] for point in body["money_flow_history"]] == amounts


def test_history_reaches_from_eight_days_before_the_start_to_two_days_after(
    client: Client, race: Race, make_partitions: Callable[..., None]
) -> None:
    make_partitions(*(racing_day(START) + timedelta(days=offset) for offset in (-9, -8, 2, 3)))
    entrant = make_entrant(race, 1)
    for days in (-9, -7.9, 1.9, 3):
        add_odds(entrant, START + timedelta(days=days), str(days + 20))
    (body,) = client.get("/api/entrants?race_id=r1").json()
    assert [point["odds"] for point in body["odds_history"]] == [21.9, 12.1]


@pytest.mark.parametrize("query", ["history=-1", "history=2001", "history=many", "history=", "history=1&history=2"])
def test_a_history_that_cannot_be_is_refused(client: Client, query: str) -> None:
    answer = client.get(f"/api/entrants?race_id=r1&{query}")
    assert (answer.status_code, list(answer.json()["details"])) == (400, ["history"])


@pytest.mark.parametrize("runners", [1, 16])
def test_entrants_cost_two_queries_whatever_the_field_and_none_when_kept(
    race: Race, django_assert_num_queries: DjangoAssertNumQueries, runners: int
) -> None:
    client = LaneClient()
    for number in range(runners):
        add_money(make_entrant(race, number), POLLED, number)
    with django_assert_num_queries(2):
        fresh = client.get("/api/entrants?race_id=r1")
    with django_assert_num_queries(0):
        kept = client.get("/api/entrants?history=50&raceId=r1")
    assert (fresh["X-Cache"], kept["X-Cache"], fresh.content) == ("MISS", "HIT", kept.content)


def test_entrants_of_an_unknown_race_are_none_and_not_kept(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(2):
        with django_assert_num_queries(1):
            answer = client.get("/api/entrants?race_id=nowhere")
        assert (answer.json(), answer["X-Cache"]) == ([], "MISS")


def test_only_partitions_near_the_start_are_read(race: Race, make_partitions: Callable[..., None]) -> None:
    make_partitions(*(racing_day(START) + timedelta(days=offset) for offset in (-1, 1)))
    span: dict[str, Any] = {"race_id": "r1", "since": START, "until": START + timedelta(hours=1), "history": 50}
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + HISTORIES, span)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "history_2026_11_21" in plan
    assert "history_2026_11_20" not in plan
    assert "history_2026_11_22" not in plan
