"""Late-money alerts as clients read them, and the record of how often they were right."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from moneyflow.alerts import examples
from moneyflow.alerts.record import won_over_expected
from races.models import Race
from tests.support.card import POLLED, START, make_alert, make_entrant, make_meeting, make_race, own_keys  # noqa: F401

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_keys")]
ALERTS, RECORD = "/api/late-money", "/api/late-money/record"


@pytest.fixture
def race(clock_shows: Callable[[datetime], None]) -> Race:
    """Two alerts on a runner of r1 and one on a runner of r2, a day later."""
    clock_shows(START)
    race = make_race(make_meeting())
    runner = make_entrant(race, 7)
    make_alert(runner, severity=1, raised_at=POLLED)
    make_alert(runner, severity=3, raised_at=POLLED + timedelta(seconds=15))
    other = make_race(race.meeting, race_id="r2", start_time=START + timedelta(days=1))
    Race.objects.filter(pk=other.pk).update(race_date_nz=race.race_date_nz + timedelta(days=1))
    make_alert(make_entrant(other, 1), raised_at=POLLED + timedelta(days=1))
    return race


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [("r1", 3), ("r1", 1)]),
        ("date=2026-11-22", [("r2", 1)]),
        ("date=2026-11-23", []),
        ("race_id=r2", [("r2", 1)]),
        ("raceId=r1&minSeverity=2", [("r1", 3)]),
        (f"since={quote(POLLED.isoformat())}", [("r2", 1), ("r1", 3)]),
        (f"since={quote(POLLED.isoformat())}&date=2026-11-21", [("r1", 3)]),
        ("race_id=nowhere", []),
    ],
)
def test_alerts_are_found_newest_first(client: Client, race: Race, query: str, found: list[tuple[str, int]]) -> None:
    alerts = client.get(f"{ALERTS}?{query}").json()
    assert [(alert["race_id"], alert["severity"]) for alert in alerts] == found


@pytest.mark.parametrize("query", ["min_severity=4", "min_severity=0", "date=today", "since=2026-11-21", "user=1"])
def test_a_query_that_makes_no_sense_is_refused_by_name(client: Client, query: str) -> None:
    refused = client.get(f"{ALERTS}?{query}")
    assert (refused.status_code, list(refused.json()["details"])) == (400, [query.partition("=")[0]])


def test_an_alert_names_its_race_and_runner_and_costs_one_query(
    client: Client, race: Race, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        alert = client.get(ALERTS).json()[0]
    assert list(alert) == list(examples.RACE_ALERT)
    assert (alert["runner_number"], alert["name"], alert["race_name"]) == (7, "Horse 7", "Maiden")
    assert (alert["meeting_name"], alert["start_time"]) == ("Awapuni", "2026-11-21T15:30:00.000+13:00")
    assert alert["outcome"] is None
    live = client.get("/api/races/r1/live").json()["alerts"]
    assert live[1] == {name: alert[name] for name in examples.ALERT}


def settle(runner: Any, severity: int, *, won: bool, at_end: str, when_raised: str) -> None:
    shares = {"final_share_percentage": Decimal(at_end), "share_after_percentage": Decimal(when_raised)}
    make_alert(runner, severity=severity, won=won, placed=won, final_pool_cents=4_000_000, **shares)


def test_the_record_counts_winners_against_those_expected_by_severity(client: Client, race: Race) -> None:
    for number, won in enumerate([True, False, False, False], 20):
        settle(make_entrant(race, number), 2, won=won, at_end="20", when_raised="12.5")
    make_alert(make_entrant(race, 30), severity=2)  # not settled
    make_alert(make_entrant(race, 31), severity=2, won=True)  # no dividends at the end: nothing to compare with
    low, middle, high = client.get(RECORD).json()["buckets"]
    assert list(middle) == list(examples.BUCKET)
    assert [bucket["alerts_a_day"] for bucket in (low, middle, high)] == [10, 4, 1]
    assert (low["settled"], low["expected"], low["won_over_expected"]) == (0, None, None)
    assert (middle["settled"], middle["won"], middle["expected"]) == (4, 1, 0.8)
    assert middle["expected_when_raised"] == 0.5
    assert middle["won_over_expected"]["ratio"] == 1.25
    assert middle["won_over_expected_when_raised"]["ratio"] == 2.0


def test_an_outcome_says_what_came_of_runner_and_pool(client: Client, race: Race) -> None:
    settle(make_entrant(race, 20), 1, won=True, at_end="20", when_raised="12.5")
    (outcome,) = [alert["outcome"] for alert in client.get(ALERTS).json() if alert["outcome"]]
    assert outcome == {
        **{"won": True, "placed": True, "final_dividend": None, "final_odds": None, "final_share_percentage": 20.0},
        **{"final_pool_cents": 4_000_000, "pool_moved_cents": 1_000_000},
    }


@pytest.mark.parametrize(
    ("won", "settled", "expected", "ratio", "low", "high"),
    [
        (30, 100, 25.0, 1.2, 0.876, 1.584),  # Wilson's 21.9 to 39.6 winners
        (0, 10, 1.0, 0.0, 0.0, 2.775),
        (10, 10, 5.0, 2.0, 1.445, 2.0),
    ],
)
def test_the_interval_is_wilsons(
    won: int, settled: int, expected: float, ratio: float, low: float, high: float
) -> None:
    found = won_over_expected(won, settled, expected)
    assert found
    assert (found.ratio, found.low, found.high) == pytest.approx((ratio, low, high), abs=0.001)


@pytest.mark.parametrize("expected", [None, 0.0])
def test_without_anything_expected_there_is_no_ratio(expected: float | None) -> None:
    assert won_over_expected(0, 0, expected) is None
