"""Measures of a detector: recall within a budget of false alerts, intervals, ranking and calibration. PURE, numpy."""

from dataclasses import dataclass

import numpy as np

from moneyflow.late_money.calibration import RACES_A_DAY, Calibration
from moneyflow.late_money.records import Floats

Z95 = 1.96


@dataclass(frozen=True, slots=True)
class Share:
    """A share of races, with its Wilson 95 % interval."""

    value: float
    low: float
    high: float


def share_of(count: int, races: int) -> Share:
    """Return count/races with Wilson's interval, which holds near 0 and 1 too. 0 of 10: 0 to 0.28."""
    value, spread = count / races, Z95 * Z95 / races
    middle = (value + spread / 2) / (1 + spread)
    half = Z95 * np.sqrt(value * (1 - value) / races + spread / races / 4) / (1 + spread)
    return Share(value, max(0.0, float(middle - half)), min(1.0, float(middle + half)))


def auc(ordinary: Floats, informed: Floats) -> float:
    """Return the chance that an informed race's maximum is above an ordinary one's, ties half."""
    below = np.searchsorted(np.sort(ordinary), informed, "left")
    upto = np.searchsorted(np.sort(ordinary), informed, "right")
    return float((below + upto).mean() / 2 / len(ordinary))


def kolmogorov_smirnov(p_values: Floats) -> float:
    """Return the largest distance between the p-values' distribution and the uniform one: 0 is calibrated."""
    ordered, count = np.sort(p_values), len(p_values)
    steps = np.arange(1, count + 1) / count
    return float(max((steps - ordered).max(), (ordered - steps + 1 / count).max()))


def false_alerts(ordinary: Floats, threshold: float) -> float:
    """Return how many ordinary races of a day of 80 reach the threshold."""
    return float((ordinary >= threshold).mean()) * RACES_A_DAY


def false_alerts_after(ordinary: Floats, races: int, budget: float) -> tuple[float, float, float]:
    """Calibrate on `races` ordinary races, judge the others, again and again: mean, 5 % and 95 % of false alerts."""
    dice = np.random.default_rng(1)
    seen = []
    for _ in range(400):
        mixed = dice.permutation(ordinary)
        threshold = Calibration(maxima=np.sort(mixed[:races])).threshold(budget)
        seen.append(false_alerts(mixed[races:], threshold))
    return float(np.mean(seen)), float(np.quantile(seen, 0.05)), float(np.quantile(seen, 0.95))
