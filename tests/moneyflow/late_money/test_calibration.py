"""From a score to "1 in N races", and which races that rests on."""

import numpy as np
import pytest

from moneyflow.late_money.calibration import SCAN, Calibration, rolling, severity
from moneyflow.late_money.records import Severity

TENS = Calibration(maxima=np.arange(10.0))  # races that reached 0, 1 … 9


@pytest.mark.parametrize(("score", "p_value"), [(-1, 1.0), (0, 1.0), (0.5, 10 / 11), (9, 2 / 11), (9.5, 1 / 11)])
def test_a_p_value_counts_the_ordinary_races_that_reach_the_score(score: float, p_value: float) -> None:
    assert TENS.p_values(np.array([score])).tolist() == pytest.approx([p_value])


def test_a_threshold_is_reached_by_as_many_races_as_the_budget_says() -> None:
    races = Calibration(maxima=np.sort(np.random.default_rng(1).normal(size=800)))
    for budget, reached in ((1, 10), (4, 40), (10, 100)):
        assert (races.maxima >= races.threshold(budget)).sum() == reached


def test_a_threshold_has_the_p_value_of_its_budget() -> None:
    races = Calibration(maxima=np.sort(np.random.default_rng(1).normal(size=1999)))
    for budget in Severity:
        assert races.p_values(np.array([races.threshold(budget)]))[0] == pytest.approx(budget / 80, abs=2 / 2000)


@pytest.mark.parametrize(
    ("p_value", "expected"),
    [
        (1 / 81, Severity.RARE), (1 / 80, Severity.RARE), (1 / 79, Severity.UNUSUAL), (4 / 80, Severity.UNUSUAL),
        (4.1 / 80, Severity.NOTABLE), (10 / 80, Severity.NOTABLE), (10.1 / 80, None), (1.0, None),
    ],
)  # fmt: skip
def test_the_severity_is_the_smallest_budget_that_includes_the_alert(p_value: float, expected: Severity | None) -> None:
    assert severity(p_value) is expected


def test_fewer_than_200_archived_races_leave_the_trainings_calibration() -> None:
    assert rolling([1.0] * 199, TENS) is TENS
    assert len(rolling([1.0] * 200, TENS).maxima) == 200


def test_the_newest_2000_races_count_in_ascending_order() -> None:
    found = rolling([9e9] * 50 + list(range(2_000, 0, -1)), TENS)
    assert found.maxima.tolist() == list(range(1, 2_001))


def test_the_scans_own_calibration_spans_a_race_day() -> None:
    assert len(SCAN.maxima) >= 80
    assert (np.diff(SCAN.maxima) >= 0).all()
