"""How often alerts were right: winners against those expected, with an interval. PURE."""

from typing import Any

from msgspec import Struct

from moneyflow.late_money.calibration import RACES_A_DAY
from moneyflow.late_money.study.metrics import Share, share_of

BUDGETS = {1: 10, 2: 4, 3: 1}  # severity: alerts a race day


class Ratio(Struct, frozen=True):
    """Winners over expected winners, with its 95 % interval; above 1: the prices underrated these runners."""

    ratio: float
    low: float
    high: float


def won_over_expected(won: int, settled: int, expected: float | None) -> Ratio | None:
    """Return winners over expected winners; None while nothing was expected.

    The interval is Wilson's for the share of winners. One worked: 30 of 100 won and 25 were expected: 1.2, from 0.88 to
    1.58.
    """
    if not expected:
        return None
    share = share_of(won, settled)
    return Ratio(won / expected, share.low * settled / expected, share.high * settled / expected)


def share_if_any(count: int, races: int) -> Share | None:
    """Return count/races with its 95 % interval; None of no races."""
    return share_of(count, races) if races else None


def a_day(share: Share | None) -> Ratio | None:
    """Return how many races of a day of 80 a share is, with its interval; None of no share."""
    if share is None:
        return None
    return Ratio(*(RACES_A_DAY * part for part in (share.value, share.low, share.high)))


def by_severity(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Complete the record of each severity, also of one that has no settled alerts yet."""
    known = {row["severity"]: row for row in rows}
    nothing = {"settled": 0, "won": 0, "expected": None, "expected_when_raised": None}
    return [_bucket(severity, {**nothing, **known.get(severity, {})}) for severity in BUDGETS]


def _bucket(severity: int, row: dict[str, Any]) -> dict[str, Any]:
    won, settled = row["won"], row["settled"]
    return {
        **row,
        "severity": severity,
        "alerts_a_day": BUDGETS[severity],
        "won_over_expected": won_over_expected(won, settled, _number(row["expected"])),
        "won_over_expected_when_raised": won_over_expected(won, settled, _number(row["expected_when_raised"])),
    }


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
