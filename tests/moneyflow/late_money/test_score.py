"""The net in numpy, worked by hand, and what a score rests on."""

import numpy as np
import pytest

from moneyflow.late_money.artefact import Artefact
from moneyflow.late_money.calibration import Calibration
from moneyflow.late_money.numbers import GROUPS, NAMES
from moneyflow.late_money.records import Floats
from moneyflow.late_money.score import falls, net_scores, standardised


def net(*layers: tuple[Floats, Floats]) -> Artefact:
    return Artefact(
        name="by hand",
        provenance={},
        mean=np.full(30, 2.0),
        scale=np.full(30, 4.0),
        layers=layers,
        calibration=Calibration(maxima=np.zeros(1)),
    )


def first_two() -> Artefact:
    """Return a net of one hidden unit: max(0, n0 − 2·n1 + 1) · 3 − 5."""
    hidden = np.zeros((30, 1))
    hidden[:2, 0] = (1, -2)
    return net((hidden, np.array([1.0])), (np.array([[3.0]]), np.array([-5.0])))


@pytest.mark.parametrize(("number", "expected"), [(2, 0), (6, 1), (-2, -1), (50, 10), (-50, -6)])
def test_numbers_are_standardised_and_cut(number: float, expected: float) -> None:
    assert standardised(np.full((1, 30), float(number)), first_two()).tolist() == [[expected] * 30]


@pytest.mark.parametrize(("first", "second", "score"), [(0, 0, -2), (2, 0, 4), (2, 1, -2), (0, 2, -5), (-1, 0, -5)])
def test_hidden_units_are_rectified_and_the_last_is_not(first: float, second: float, score: float) -> None:
    inputs = np.zeros((1, 30))
    inputs[0, :2] = (first, second)
    assert net_scores(inputs, first_two()).tolist() == [score]


def test_the_score_falls_by_what_a_group_of_numbers_gave_it() -> None:
    weights = np.zeros((30, 1))
    weights[NAMES.index("z30")], weights[NAMES.index("u30")], weights[NAMES.index("q1")] = 2, 1, -1
    found = falls(np.ones(30), net((weights, np.array([7.0]))))
    assert set(found) == set(GROUPS)
    assert (found["30 s"], found["last readings"], found["90 s"]) == (3, -1, 0)
