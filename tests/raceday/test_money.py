"""Money as people read it."""

from decimal import Decimal

import pytest

from raceday.money import cents, dollars


@pytest.mark.parametrize(
    ("amount", "decimals", "written"),
    [
        (Decimal("12345.6"), 2, "$12,345.60"),
        (Decimal(-1), 2, "−$1.00"),
        (Decimal("-0.1"), 0, "$0"),
        (Decimal("-0.004"), 2, "$0.00"),
        (None, 2, "–"),
    ],
)
def test_money_has_its_sign_first_unless_it_rounds_to_nothing(
    amount: Decimal | None, decimals: int, written: str
) -> None:
    assert dollars(amount, decimals=decimals) == written


def test_cents_are_written_as_dollars() -> None:
    assert (cents(1534299), cents(1534299.4, decimals=0), cents(None)) == ("$15,342.99", "$15,343", "–")
