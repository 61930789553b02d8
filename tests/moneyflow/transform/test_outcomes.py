from decimal import Decimal

import pytest

from moneyflow.late_money.alerts import RaisedAlert
from moneyflow.transform.outcomes import alert_outcomes, paid
from moneyflow.transform.records import RaceEnd, RaceState
from raceday.feed.records import Dividend, DividendPosition, Result
from tests.support.snapshots import START, entrant, snapshot

ALERTED = RaceState(alerts=(RaisedAlert("e1", 1), RaisedAlert("e1", 3), RaisedAlert("e2", 2)))
ENDED = snapshot(entrant(1, pool_win_odds=2.0), entrant(2, pool_win_odds=3.1), entrant(3), status="Final")


def dividend(product: str, number: int, pays: str, status: str = "Final") -> Dividend:
    return Dividend(
        id=f"{product}{number}{status}",
        product_name=product,
        status=status,
        dividend=Decimal(pays),
        pool_size=None,
        positions=(DividendPosition(number, 1),),
        description=None,
    )


def end(*dividends: Dividend, first: tuple[str, ...] = ("e1",)) -> RaceEnd:
    placings = tuple(
        Result(position=1, runner_number=int(name[1:]), name=f"Runner {name}", entrant_id=name) for name in first
    )
    return RaceEnd(results=placings, dividends=dividends, result_status="final", result_time=START)


def test_each_runner_with_alerts_has_one_outcome() -> None:
    win, place = dividend("Pool Win", 1, "2.1"), dividend("Pool Place", 1, "1.2")
    first, second = alert_outcomes(ENDED, ALERTED, end(win, place))
    assert (first.entrant_id, first.won, first.placed, first.final_dividend, first.final_odds) == (
        *("e1", True, True, 2.1, 2.0),
    )
    assert (second.entrant_id, second.won, second.placed, second.final_dividend) == ("e2", False, False, None)
    assert (first.final_share_percentage or 0) + (second.final_share_percentage or 0) == pytest.approx(100)
    assert first.final_pool_cents == 100_000


def test_in_a_dead_heat_both_have_won() -> None:
    found = end(dividend("Pool Win", 1, "1.1"), dividend("Pool Win", 2, "1.6"), first=("e1", "e2"))
    assert [(each.won, each.final_dividend) for each in alert_outcomes(ENDED, ALERTED, found)] == [
        (True, 1.1),
        (True, 1.6),
    ]


def test_what_the_answer_does_not_say_is_unknown() -> None:
    bare = snapshot(entrant(1), entrant(2), status="Final", pools=None)
    first, _ = alert_outcomes(bare, ALERTED, end())
    assert first.won
    assert (first.placed, first.final_dividend, first.final_odds) == (None, None, None)
    assert (first.final_share_percentage, first.final_pool_cents) == (None, None)


@pytest.mark.parametrize(
    ("state", "found"), [(ALERTED, None), (ALERTED, end(first=())), (RaceState(), end())], ids=["open", "no", "quiet"]
)
def test_without_placings_or_alerts_there_is_no_outcome(state: RaceState, found: RaceEnd | None) -> None:
    assert alert_outcomes(ENDED, state, found) == ()


@pytest.mark.parametrize("order", [1, -1])
def test_a_final_dividend_stands_before_an_interim_one(order: int) -> None:
    rows = [dividend("Pool Win", 1, "2.4", "Interim"), dividend("Pool Win", 1, "2.1"), dividend("Pool Place", 2, "9")]
    assert paid(rows[::order], "Pool Win") == {1: 2.1}
