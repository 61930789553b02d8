"""How often alerts were right: winners against those expected, with an interval. PURE."""

from math import sqrt
from typing import Any

from msgspec import Struct

BUDGETS = {1: 10, 2: 4, 3: 1}  # severity: alerts a race day
Z = 1.959964  # of a 95 % interval


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
    share, spread = won / settled, Z * Z / settled
    middle = (share + spread / 2) / (1 + spread)
    half = Z / (1 + spread) * sqrt(share * (1 - share) / settled + spread / (4 * settled))
    return Ratio(won / expected, *(max(0.0, bound) * settled / expected for bound in (middle - half, middle + half)))


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
