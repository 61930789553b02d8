"""The evidence of an alert and the baselines, worked by hand."""

import math

import numpy as np
import pytest

from moneyflow.late_money.baselines import baselines
from moneyflow.late_money.evidence import e_value, evidence_of, widest_excess
from moneyflow.late_money.numbers import WINDOWS, numbers
from tests.support.late_money import tape

AT = [-90, -60, -45, -30, -15, 0]
HELD = [[500, 500], [600, 600], [700, 700], [800, 800], [900, 900], [1300, 900]]


def test_the_window_is_the_one_with_the_largest_excess() -> None:
    found = tape(AT, HELD, [0.5, 0.5])
    assert WINDOWS[widest_excess(numbers(found)[1])[0]] == 15
    spread = tape(AT, [[500, 500], [600, 600], [700, 700], [900, 700], [1100, 700], [1300, 700]], [0.5, 0.5])
    assert WINDOWS[widest_excess(numbers(spread)[1])[0]] == 45


def test_evidence_names_shares_and_odds_before_and_after() -> None:
    found = tape(AT, HELD, [0.5, 0.5])
    found.fixed_odds[:, 0] = [4, 4, 4, 4, 3, 2]
    evidence = evidence_of(found, numbers(found)[1], 0, {"15 s": 1.0})
    assert [evidence.share_before, evidence.share_after] == pytest.approx([0.5, 13 / 22])
    assert [evidence.tote_before, evidence.tote_after] == pytest.approx([2.0, 22 / 13])
    assert (evidence.fixed_before, evidence.fixed_after) == (3.0, 2.0)
    assert evidence.falls == {"15 s": 1.0}


def test_unknown_fixed_odds_stay_unknown() -> None:
    found = tape(AT, HELD, [0.5, 0.5])
    found.fixed_odds[:] = np.nan
    evidence = evidence_of(found, numbers(found)[1], 0, {})
    assert (evidence.fixed_before, evidence.fixed_after) == (None, None)


def test_no_money_gives_an_e_value_of_one() -> None:
    assert e_value(np.zeros(3), np.array([0.5, 0.3, 0.2])) == pytest.approx(1)


def test_an_e_value_by_hand() -> None:
    # Two bets on the first of two even runners: (50·51)/(100·101) / 0.5²
    assert e_value(np.array([460.0, 0.0]), np.array([0.5, 0.5])) == pytest.approx(50 * 51 / (100 * 101) / 0.25)


def test_its_mean_is_one_when_money_follows_prices() -> None:
    chances = np.array([0.6, 0.4])
    by_count = [(n, math.comb(8, n) * 0.6**n * 0.4 ** (8 - n)) for n in range(9)]
    mean = sum(weight * e_value(np.array([230.0 * n, 230.0 * (8 - n)]), chances) for n, weight in by_count)
    assert mean == pytest.approx(1)


def test_much_money_on_a_long_shot_gives_a_large_but_finite_e_value() -> None:
    assert 1e6 < e_value(np.array([1e9, 0.0]), np.array([0.01, 0.99])) < math.inf


def test_money_leaving_a_runner_counts_as_none() -> None:
    assert e_value(np.array([-500.0, 0.0]), np.array([0.5, 0.5])) == pytest.approx(1)


def test_the_baselines_by_hand() -> None:
    found = tape(AT, HELD, [0.5, 0.5])
    found.fixed_odds[:, 0] = [4, 4, 4, 4, 3, 2]
    scores = baselines(found, numbers(found)[1])
    surprise = 400 * math.log(2) - 200
    assert scores["increment share"][0] == pytest.approx(1 - 0.5)
    assert scores["hold rise"][0] == pytest.approx(13 / 22 - 0.5)
    assert scores["odds drop"][0] == pytest.approx(0.5)  # fixed odds fell from 4 to 2; the tote's by 15 %
    assert scores["naive G"][0] == pytest.approx(surprise / 230)
    assert scores["scan S"][0] == pytest.approx(surprise / 240)


def test_without_fixed_odds_the_totes_drop_counts() -> None:
    found = tape(AT, HELD, [0.5, 0.5])
    found.fixed_odds[:] = np.nan
    assert baselines(found, numbers(found)[1])["odds drop"][0] == pytest.approx(1 - 22 / 13 / 2)
