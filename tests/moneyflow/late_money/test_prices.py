"""Shares from dividends and chances from fixed odds, worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moneyflow.late_money.prices import inverse, pool_shares, rounding_variance, shin_chances

NONE = np.full((1, 3), 1 / 3)


def test_shares_come_from_dividends_raised_by_half_a_step() -> None:
    assert pool_shares(np.array([2.0, 4.0])) == pytest.approx([4.05 / 6.10, 2.05 / 6.10])


@pytest.mark.parametrize("unknown", [np.nan, 0.0])
def test_a_runner_without_a_dividend_has_no_share(unknown: float) -> None:
    assert pool_shares(np.array([2.0, unknown, 2.0])) == pytest.approx([0.5, 0, 0.5])


def test_a_field_without_dividends_has_no_shares() -> None:
    assert pool_shares(np.array([np.nan, np.nan])).tolist() == [0, 0]


def test_the_inverse_of_unknown_odds_is_nothing() -> None:
    assert inverse(np.array([4.0, 0.0, np.nan])).tolist() == [0.25, 0, 0]


def test_the_cut_to_ten_cents_leaves_a_variance() -> None:
    # $2,000 at 5.0: a step of 10 c is 2 % of the dividend, so $40, uniform: 40²/12
    assert rounding_variance(np.array([2_000.0]), np.array([5.0])) == pytest.approx([1600 / 12])


def test_odds_without_a_margin_are_chances() -> None:
    assert shin_chances(np.array([[2.0, 4.0, 4.0]]), NONE)[0] == pytest.approx([0.5, 0.25, 0.25])


def test_the_margin_is_taken_from_long_shots_more_than_from_favourites() -> None:
    odds = np.array([[1.5, 3.6, 7.5, 15.0]])
    plain = (1 / odds) / (1 / odds).sum()
    chances = shin_chances(odds, np.full((1, 4), 0.25))
    assert chances.sum() == pytest.approx(1)
    assert chances[0, 0] > plain[0, 0]
    assert chances[0, 3] < 0.9 * plain[0, 3]


def test_chances_solve_shins_equation() -> None:
    odds = np.array([[2.4, 3.6, 5.0, 8.0, 11.0, 21.0, 31.0]])
    price = 1 / odds[0]
    z = 0.0
    for _ in range(500):
        z = (np.sqrt(z * z + 4 * (1 - z) * price**2 / price.sum()).sum() - 2) / (len(price) - 2)
    exact = (np.sqrt(z * z + 4 * (1 - z) * price**2 / price.sum()) - z) / (2 * (1 - z))
    assert shin_chances(odds, np.full((1, 7), 1 / 7))[0] == pytest.approx(exact, rel=2e-3)


def test_a_runner_without_fixed_odds_takes_its_chance_from_the_pool() -> None:
    chances = shin_chances(np.array([[2.0, 2.0, np.nan]]), np.array([[0.4, 0.4, 0.2]]))
    assert chances[0] == pytest.approx([0.5 / 1.2, 0.5 / 1.2, 0.2 / 1.2])
    assert shin_chances(np.full((1, 3), np.nan), np.array([[0.4, 0.4, 0.2]]))[0] == pytest.approx([0.4, 0.4, 0.2])


@given(st.lists(st.floats(1.01, 501), min_size=2, max_size=20))
def test_chances_of_any_odds_are_chances_in_the_order_of_the_odds(odds: list[float]) -> None:
    chances = shin_chances(np.array([odds]), np.full((1, len(odds)), 1 / len(odds)))[0]
    assert chances.sum() == pytest.approx(1)
    assert (chances >= 0).all()
    assert (np.diff(chances[np.argsort(odds)]) <= 1e-12).all()
