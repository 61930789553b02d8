from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from math import inf
from typing import Any

import pytest
from django.test import Client

from moneyflow.live.silence import Silence, silent_because, until_it_matters
from races.models import PollMark, RacePool
from tests.support.card import POLLED, START, make_entrant, make_meeting, make_race, own_keys  # noqa: F401  # a fixture

HEARD: dict[str, Any] = {
    **{"status": "Open", "to_start": timedelta(seconds=30), "pool_dollars": Decimal(500), "is_stale": False},
    "dividends": [Decimal("2.0"), Decimal("3.1"), Decimal("2.9")],
}


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        ({}, None),
        ({"to_start": timedelta(seconds=-240)}, None),
        ({"to_start": timedelta(seconds=180)}, None),
        ({"to_start": timedelta(seconds=181)}, Silence.TOO_EARLY),
        ({"status": "Closed"}, Silence.NOT_OPEN),
        ({"pool_dollars": None}, Silence.POOL_UNKNOWN),
        ({"pool_dollars": Decimal("499.99")}, Silence.POOL_TOO_SMALL),
        ({"dividends": []}, Silence.DIVIDENDS_INCOMPLETE),
        ({"dividends": [Decimal("2.0"), None, Decimal("2.9")]}, Silence.DIVIDENDS_INCOMPLETE),
        ({"is_stale": True}, Silence.STALE),
        ({"status": "Final", "is_stale": True}, Silence.NOT_OPEN),
    ],
)
def test_the_first_reason_for_silence_is_told(seen: dict[str, Any], reason: Silence | None) -> None:
    assert silent_because(**{**HEARD, **seen}) is reason


@pytest.mark.parametrize(("seconds", "left"), [(200, 20), (180, inf), (-5, inf)])
def test_the_clock_ends_a_silence_once(seconds: int, left: float) -> None:
    assert until_it_matters(START - timedelta(seconds=seconds), START) == left


@pytest.mark.django_db
@pytest.mark.usefixtures("own_keys")
def test_a_live_race_says_why_late_money_is_silent(client: Client, clock_shows: Callable[[datetime], None]) -> None:
    clock_shows(POLLED)
    race = make_race(make_meeting())
    PollMark.objects.filter(race=race).update(generated_at=POLLED)
    for number, dividend in enumerate(["2.0", "3.1", "2.9"]):
        make_entrant(race, number, pool_win_odds=Decimal(dividend))
    make_entrant(race, 9, pool_win_odds=Decimal("1.1"), is_scratched=True)
    address = "/api/races/r1/live"
    assert client.get(address).json()["silent_because"] == "the Win pool is unknown"
    RacePool.objects.create(race=race, win_pool_total=9000, last_updated=POLLED)
    assert client.get(address).json()["silent_because"] is None
    clock_shows(START - timedelta(minutes=4))
    assert client.get(address).json()["silent_because"] == "more than three minutes before the advertised start"
