"""A race's history as columns, and which partitions the histories touch."""

import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from moneyflow.history import columns
from raceday.racing_day import racing_day
from races.models import Race
from tests.support.card import POLLED, START, add_money, add_odds, make_entrant, make_meeting, make_race, own_keys  # noqa: F401
from tests.support.lane import LaneClient

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_keys")]

DAY = racing_day(START)
WIN = ["hold_percentage", "win_pool_amount", "win_pool_percentage", "incremental_win_amount"]
PLACE = ["place_pool_amount", "place_pool_percentage", "incremental_place_amount"]


@pytest.fixture
def race(make_partitions: Callable[..., None]) -> Race:
    make_partitions(DAY - timedelta(days=3), DAY)
    return make_race(make_meeting())


def ms(minutes: float) -> int:
    return round((POLLED + timedelta(minutes=minutes)).timestamp() * 1000)


def history(client: Client, query: str = "") -> dict[str, Any]:
    body: dict[str, Any] = client.get(f"/api/races/r1/history{query}").json()
    return body


def test_runners_share_the_instants_and_have_a_null_where_they_have_no_reading(client: Client, race: Race) -> None:
    two, one = make_entrant(race, 2), make_entrant(race, 1)
    add_money(two, POLLED, 500, "5.5")
    add_money(two, POLLED + timedelta(minutes=1), None)
    add_money(one, POLLED + timedelta(minutes=2), 700, "7")
    body = history(client)
    assert (body["race_id"], body["pool_type"], body["timestamps"]) == ("r1", None, [ms(0), ms(1), ms(2)])
    assert [entrant["runner_number"] for entrant in body["entrants"]] == [1, 2]
    assert [entrant["win_pool_amount"] for entrant in body["entrants"]] == [[None, None, 700], [500, None, None]]
    assert body["entrants"][1]["hold_percentage"] == [5.5, None, None]


def test_prices_have_instants_of_their_own_by_type(client: Client, race: Race) -> None:
    entrant = make_entrant(race, 1)
    add_odds(entrant, POLLED + timedelta(minutes=1), "2.90")
    add_odds(entrant, POLLED - timedelta(days=3), "3.10")
    add_odds(entrant, POLLED, "1.50", "pool_place")
    (told,) = history(client)["entrants"]
    assert told["odds"] == {
        "fixed_win": {"timestamps": [ms(-3 * 24 * 60), ms(1)], "odds": [3.1, 2.9]},
        "pool_place": {"timestamps": [ms(0)], "odds": [1.5]},
    }


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", [*WIN, *PLACE, "odds"]),
        ("?pool_type=win", WIN),
        ("?poolType=place", ["hold_percentage", *PLACE]),
        ("?pool_type=odds", ["odds"]),
    ],
)
def test_a_pool_type_leaves_only_its_columns(client: Client, race: Race, query: str, names: list[str]) -> None:
    entrant = make_entrant(race, 1)
    add_money(entrant, POLLED, 500)
    add_odds(entrant, POLLED, "2")
    body = history(client, query)
    assert list(body["entrants"][0]) == ["entrant_id", "runner_number", *names]
    assert body["timestamps"] == ([] if names == ["odds"] else [ms(0)])


def test_since_the_last_timestamp_told_there_is_only_what_is_new(client: Client, race: Race) -> None:
    entrant = make_entrant(race, 1)
    for microseconds in (214_999, 215_000):
        add_money(entrant, POLLED + timedelta(microseconds=microseconds), microseconds)
        add_odds(entrant, POLLED + timedelta(microseconds=microseconds), str(microseconds))
    told = history(client)["timestamps"]
    assert told == [ms(0) + 214, ms(0) + 215]
    body = history(client, "?since=2026-11-21T15:29:00.214%2B13:00")
    assert body["timestamps"] == [ms(0) + 215]
    assert body["entrants"][0]["odds"]["fixed_win"] == {"timestamps": [ms(0) + 215], "odds": [215_000]}
    assert history(client, "?since=2026-11-21T15:29:00.215+13:00")["entrants"][0]["win_pool_amount"] == []


def test_a_race_without_readings_has_its_entrants_with_empty_columns(client: Client, race: Race) -> None:
    assert history(client)["entrants"] == []
    make_entrant(race, 1)
    assert history(client, "?pool_type=win")["entrants"] == [
        {"entrant_id": "r1-e1", "runner_number": 1, **{name: [] for name in WIN}}
    ]


def test_only_the_newest_of_each_are_told(client: Client, race: Race, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "MOST_READINGS", 2)
    entrant = make_entrant(race, 1)
    for minute in range(3):
        add_money(entrant, POLLED + timedelta(minutes=minute), minute)
        add_odds(entrant, POLLED + timedelta(minutes=minute), str(minute + 1))
    (told,) = history(client)["entrants"]
    assert (told["win_pool_amount"], told["odds"]["fixed_win"]["odds"]) == ([1, 2], [2, 3])


def test_a_history_costs_two_queries_whatever_the_field_and_none_when_kept(
    race: Race, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = LaneClient()
    for number in range(5):
        add_money(make_entrant(race, number), POLLED, number)
    with django_assert_num_queries(2):
        fresh = client.get("/api/races/r1/history")
    with django_assert_num_queries(0):
        kept = client.get("/api/races/r1/history/")
    assert (fresh["X-Cache"], kept["X-Cache"], fresh.content) == ("MISS", "HIT", kept.content)
    assert "X-Polled-At" in kept


@pytest.mark.parametrize(
    ("url", "status", "details"),
    [
        ("/api/races/r2/history", 404, []),
        *[
            (f"/api/races/r1/history?since={text}", 400, ["since"])
            for text in ("now", "2026-11-21T15:30:00", "2026-11-21", "", "T" * 50)
        ],
        ("/api/races/r1/history?pool_type=exacta", 400, ["pool_type"]),
        ("/api/races/r1/history?history=5", 400, ["history"]),
    ],
)
def test_what_cannot_be_told_is_an_error(client: Client, race: Race, url: str, status: int, details: list[str]) -> None:
    answer = client.get(url)
    assert (answer.status_code, list(answer.json().get("details", {}))) == (status, details)


# ── Partitions ──────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "url",
    [
        "/api/races/r1/history",
        "/api/races/r1/history?since=2026-11-01T00:00:00.000%2B13:00",
        "/api/money-flow-timeline?race_id=r1&entrants=r1-e1",
    ],
)
def test_of_thirty_days_of_rows_only_the_partitions_near_the_start_are_touched(
    client: Client, race: Race, make_partitions: Callable[..., None], url: str
) -> None:
    make_partitions(*(DAY + timedelta(days=offset) for offset in range(-29, 4)))
    entrant = make_entrant(race, 1)
    for offset in range(-29, 1):
        add_money(entrant, POLLED + timedelta(days=offset), 1)
        add_odds(entrant, POLLED + timedelta(days=offset), "2")
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert client.get(url).status_code == 200
    statements = [
        query["sql"] for query in asked.captured_queries if "_history" in (query["sql"] or "")
    ]  # none: it was prepared
    days = set(touched(statements))
    assert days == {DAY + timedelta(days=offset) for offset in range(-8, 3)}


def touched(statements: list[str]) -> Iterator[date]:
    for statement in statements:
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN " + statement)
            plan = "\n".join(line for (line,) in cursor.fetchall())
        for day in re.findall(r" on \w+_history_(\d{4}_\d\d_\d\d)", plan):
            yield date(*map(int, day.split("_")))
