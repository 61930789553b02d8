"""What the detector and the baselines make of simulated races, poll by poll before the close. PURE, seeded."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from moneyflow.late_money.artefact import Artefact
from moneyflow.late_money.baselines import baselines
from moneyflow.late_money.judge import measure, scores_of
from moneyflow.late_money.records import Floats, Silence
from moneyflow.late_money.worlds.market import Race

OURS = "late money"
DETECTORS = (OURS, "scan S", "naive G", "increment share", "hold rise", "odds drop")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """A race as it was scored before the close. Not scored: −inf.

    `scores`, (polls, detectors), are the highest of any runner; in an informed race of the informed runner alone,
    after its first bet. `field` holds each detector's highest score of any runner at any poll.
    """

    scores: Floats
    field: Floats
    seconds_left: Floats  # (polls,), until the close
    stake: float  # of the pool, as asked for; 0 in an ordinary race

    @property
    def maxima(self) -> Floats:
        """Return each detector's highest score before the close."""
        return self.scores.max(0, initial=-np.inf)  # type: ignore[no-any-return]

    def seconds_left_at(self, detector: int, threshold: float) -> float | None:
        """Return how long before the close a detector first reached a threshold; None: it did not."""
        reached = np.flatnonzero(self.scores[:, detector] >= threshold)
        return float(self.seconds_left[reached[0]]) if len(reached) else None


def outcome_of(race: Race, artefact: Artefact | None, stake: float = 0.0) -> Outcome:
    """Score a race as live polls would, poll by poll until the close."""
    places = [place for place, each in enumerate(race.readings) if each.seconds_since_start < race.closes_at]
    rows = np.array([_scores_at(race, place, artefact) for place in places]).reshape(-1, 2, len(DETECTORS))
    return Outcome(
        scores=rows[:, 0],
        field=rows[:, 1].max(0, initial=-np.inf),
        seconds_left=race.closes_at - np.array([race.readings[place].seconds_since_start for place in places]),
        stake=stake,
    )


def _scores_at(race: Race, place: int, artefact: Artefact | None) -> Sequence[list[float]]:
    """Return each detector's highest score of the runners that count, and of all runners."""
    found = measure(race.readings[: place + 1])
    if isinstance(found, Silence):
        return [[-np.inf] * len(DETECTORS)] * 2
    scores = {OURS: scores_of(found, artefact)} | baselines(found.tape, found.money)
    counted = np.ones(len(found.numbers), bool)
    if race.first_informed_at is not None:
        has_bet = race.readings[place].seconds_since_start >= race.first_informed_at
        counted = (np.array(found.tape.entrant_ids) == race.informed_id) & has_bet
    return [
        [float(scores[name][counted].max(initial=-np.inf)) for name in DETECTORS],
        [float(scores[name].max(initial=-np.inf)) for name in DETECTORS],
    ]
