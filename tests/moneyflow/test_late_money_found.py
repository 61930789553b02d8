"""The detector itself in the pipeline: a great bet near the close raises an alert, ordinary money raises none."""

from collections.abc import Callable, Sequence
from datetime import datetime
from math import floor

import pytest

from moneyflow.models import LateMoneyAlert
from tests.support.late_polls import START, poll
from tests.support.snapshots import runner

pytestmark = pytest.mark.django_db(transaction=True)
SHARES = (0.30, 0.20, 0.15, 0.12, 0.09, 0.07, 0.05, 0.02)
TAKEOUT = 0.163
TIMES = range(-165, 46, 15)  # seconds since the advertised start


@pytest.fixture(autouse=True)
def noon(clock_goes_on_from: Callable[[datetime], None]) -> None:
    clock_goes_on_from(START)


def play(bet_dollars: float) -> None:
    """Poll a race whose pool grows by the standing shares, with one bet on runner 5 in the last 15 s."""
    held = [6000 * share for share in SHARES]
    for after in TIMES:
        inflow = 300 + 2 * (after + 165)
        held = [dollars + inflow * share for dollars, share in zip(held, SHARES, strict=True)]
        if after == TIMES[-1]:
            held[4] += bet_dollars
        poll(round(sum(held), 2), after=after, runners=runners(held))


def runners(held: Sequence[float]) -> list[dict[str, object]]:
    """Show dividends cut to 10 c, and the bookmaker's prices, which stay."""
    pays = (1 - TAKEOUT) * sum(held)
    return [
        runner(number, pool_win=floor(10 * pays / dollars) / 10, fixed_win=round(0.87 / share, 2))
        for number, (dollars, share) in enumerate(zip(held, SHARES, strict=True), 1)
    ]


def test_a_great_bet_near_the_close_is_an_alert_with_its_evidence() -> None:
    play(bet_dollars=3500)
    alert = LateMoneyAlert.objects.latest("severity")
    assert (alert.entrant_id, alert.seconds_since_start) == ("e5", 45)
    assert alert.seen_cents > 350_000 > 5 * alert.expected_cents
    assert alert.share_after_percentage > 2 * alert.share_before_percentage
    assert (alert.tote_odds_before or 0) > 2 * (alert.tote_odds_after or 0) > 0


def test_ordinary_money_is_no_alert() -> None:
    play(bet_dollars=0)
    assert not LateMoneyAlert.objects.exists()
