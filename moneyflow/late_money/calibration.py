"""From a score to "1 in N races": the quantile of ordinary races' maxima before the close. PURE, numpy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from moneyflow.late_money.records import Floats, Severity
from moneyflow.late_money.scan_maxima import SCAN_MAXIMA

RACES_A_DAY = 80
FEWEST_RACES, MOST_RACES = 200, 2_000
BUDGETS = tuple(Severity)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibration:
    """The highest score before the close of each of many ordinary races, ascending."""

    maxima: Floats

    def p_values(self, scores: Floats) -> Floats:
        """Return the chance that an ordinary race reaches each score before it closes, never 0.

        With n races of which k reach the score: (k + 1)/(n + 1).
        """
        reached = len(self.maxima) - np.searchsorted(self.maxima, scores)
        return (reached + 1) / (len(self.maxima) + 1)

    def threshold(self, budget: float) -> float:
        """Return the score that `budget` ordinary races of a day of 80 reach."""
        return float(np.quantile(self.maxima, 1 - budget / RACES_A_DAY))


SCAN = Calibration(maxima=np.array(SCAN_MAXIMA))  # for the ranking while no artefact fits


def rolling(newest_maxima: Sequence[float], until_then: Calibration) -> Calibration:
    """Calibrate on the newest 200 to 2,000 archived races, oldest first; with fewer, on what the training saw."""
    known = np.sort(np.array(newest_maxima[-MOST_RACES:], float))
    return Calibration(maxima=known) if len(known) >= FEWEST_RACES else until_then


def severity(p_value: float) -> Severity | None:
    """Return the smallest budget that includes an alert: p ≤ 1, 4 or 10 in 80 races."""
    return next((budget for budget in BUDGETS if p_value <= budget / RACES_A_DAY), None)
