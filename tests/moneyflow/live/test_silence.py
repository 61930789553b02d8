from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from math import inf
from typing import Any

import pytest
from django.test import Client

from moneyflow.late_money.records import Silence
from moneyflow.live.silence import silent_because, until_it_matters
from races.models import Entrant, PollMark, Race, RacePool
from tests.support.card import POLLED, START, make_entrant, make_meeting, make_race, own_keys  # noqa: F401  # a fixture

DIVIDENDS = ["2.0", "3.1", "2.9"]


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        ({}, None),
        ({"now": START + timedelta(seconds=240)}, None),
        ({"now": START - timedelta(seconds=180)}, None),
        ({"now": START - timedelta(seconds=181)}, Silence.TOO_EARLY),
        ({"status": "Closed"}, Silence.NOT_OPEN),
        ({"pool_cents": None}, Silence.POOL_UNKNOWN),
        ({"pool_cents": 49_999}, Silence.POOL_TOO_SMALL),
        ({"dividends": []}, Silence.DIVIDENDS_INCOMPLETE),
        ({"dividends": ["2.0", None, "2.9"]}, Silence.DIVIDENDS_INCOMPLETE),
        ({"is_stale": True}, Silence.STALE),
        ({"status": "Final", "is_stale": True}, Silence.NOT_OPEN),
    ],
)
def test_the_first_reason_for_silence_is_told(seen: dict[str, Any], reason: Silence | None) -> None:
    whole = {"now": START, "status": "Open", "pool_cents": 50_000, "dividends": DIVIDENDS, "is_stale": False, **seen}
    race = Race(start_time=START, status=whole.pop("status"))
    entrants = [
        Entrant(entrant_id=f"e{place}", pool_win_odds=dividend and Decimal(dividend))
        for place, dividend in enumerate(whole.pop("dividends"))
    ]
    assert silent_because(race, entrants, **whole) is reason


@pytest.mark.parametrize(("seconds", "left"), [(200, 20), (180, inf), (-5, inf)])
def test_the_clock_ends_a_silence_once(seconds: int, left: float) -> None:
    assert until_it_matters(START - timedelta(seconds=seconds), START) == left


@pytest.mark.django_db
@pytest.mark.usefixtures("own_keys")
def test_a_live_race_says_why_late_money_is_silent(client: Client, clock_shows: Callable[[datetime], None]) -> None:
    clock_shows(POLLED)
    race = make_race(make_meeting())
    PollMark.objects.filter(race=race).update(generated_at=POLLED)
    for number, dividend in enumerate(DIVIDENDS):
        make_entrant(race, number, pool_win_odds=Decimal(dividend))
    make_entrant(race, 9, pool_win_odds=Decimal("1.1"), is_scratched=True)
    address = "/api/races/r1/live"
    assert client.get(address).json()["silent_because"] == "the Win pool is unknown"
    RacePool.objects.create(race=race, win_pool_total=9000, last_updated=POLLED)
    assert client.get(address).json()["silent_because"] is None
    clock_shows(START - timedelta(minutes=4))
    assert client.get(address).json()["silent_because"] == "more than three minutes before the advertised start"
