"""The record of the detector and of all baselines in one world: recall within a budget, ranking, calibration. PURE."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from moneyflow.late_money.artefact import Artefact
from moneyflow.late_money.calibration import FEWEST_RACES, Calibration
from moneyflow.late_money.records import Floats
from moneyflow.late_money.study.metrics import auc, false_alerts, false_alerts_after, kolmogorov_smirnov, share_of
from moneyflow.late_money.study.outcomes import DETECTORS, Outcome, outcome_of
from moneyflow.late_money.study.playing import in_parallel
from moneyflow.late_money.worlds.catalogue import race_of
from moneyflow.late_money.worlds.crowds import Stream, play_stream

STAKES = (0.02, 0.05, 0.10, 0.15, 0.20)  # of the pool at the close
BUDGETS = (1, 4)  # false-alert races in a day of 80
ORDINARY_SEEDS, INFORMED_SEEDS = 2_000_000, 3_000_000  # far from those of the training
NOMINAL = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """Outcomes of one world: of ordinary races, and of informed ones by stake."""

    ordinary: Sequence[Outcome]
    informed: Mapping[float, Sequence[Outcome]]


def play_world(world: str, races: int, artefact: Artefact | None) -> Played:
    """Play `races` ordinary races of a world, and a quarter as many informed ones of each stake."""
    seeds = [(0.0, ORDINARY_SEEDS + number) for number in range(races)]
    seeds += [(stake, INFORMED_SEEDS + number) for stake in STAKES for number in range(races // 4)]
    return played(in_parallel(partial(_outcome, world, artefact), seeds))


def play_stream_often(stream: Stream, refresh_seconds: float, races: int, artefact: Artefact | None) -> Played:
    """Replay a real crowd `races` times without, and a quarter as often with an informed bettor of each stake."""
    tasks = [(stake, number) for stake in (0.0, *STAKES) for number in range(races if not stake else races // 4)]
    return played(in_parallel(partial(_replay, stream, refresh_seconds, artefact), tasks))


def played(outcomes: Iterable[Outcome]) -> Played:
    """Sort outcomes by stake."""
    by_stake: dict[float, list[Outcome]] = {stake: [] for stake in (0.0, *STAKES)}
    for outcome in outcomes:
        by_stake[outcome.stake].append(outcome)
    return Played(ordinary=by_stake.pop(0.0), informed=by_stake)


def report_of(played_races: Played, artefact: Artefact | None) -> Json:
    """Return the record as JSON: races, each detector's recall and ranking, and our calibration."""
    ordinary = np.array([outcome.maxima for outcome in played_races.ordinary])
    return {
        "ordinary_races": len(ordinary),
        "informed_races_a_stake": len(next(iter(played_races.informed.values()))),
        "detectors": {
            name: _detector(ordinary[:, column], played_races.informed, column) for column, name in enumerate(DETECTORS)
        },
        "calibration": _calibration(ordinary[:, 0], artefact.calibration) if artefact else None,
    }


def _detector(ordinary: Floats, informed: Mapping[float, Sequence[Outcome]], column: int) -> Json:
    calibration = Calibration(maxima=np.sort(ordinary))
    return {
        f"{stake:.0%}": {
            "auc": auc(ordinary, np.array([race.field[column] for race in races])),
            "found": {str(budget): _found(races, column, calibration.threshold(budget)) for budget in BUDGETS},
        }
        for stake, races in informed.items()
    }


def _found(races: Sequence[Outcome], column: int, threshold: float) -> Json:
    """Return the share of informed races found before the close, and the median seconds left at the first alert."""
    left = [seconds for race in races if (seconds := race.seconds_left_at(column, threshold)) is not None]
    return asdict(share_of(len(left), len(races))) | {"seconds_left": float(np.median(left)) if left else None}


def _calibration(ordinary: Floats, shipped: Calibration) -> Json:
    p_values = shipped.p_values(ordinary)
    own = false_alerts_after(ordinary, FEWEST_RACES, 4) if len(ordinary) > 2 * FEWEST_RACES else None
    return {
        "kolmogorov_smirnov": kolmogorov_smirnov(p_values),
        "reliability": {str(nominal): float((p_values <= nominal).mean()) for nominal in NOMINAL},
        "false_alerts_a_day": {str(budget): false_alerts(p_values * -1, -budget / 80) for budget in (*BUDGETS, 10)},
        "after_200_own_races_4_asked": dict(zip(("mean", "p5", "p95"), own, strict=True)) if own else None,
    }


def _outcome(world: str, artefact: Artefact | None, task: tuple[float, int]) -> Outcome:
    stake, seed = task
    return outcome_of(race_of(world, seed, stake), artefact, stake)


def _replay(stream: Stream, refresh_seconds: float, artefact: Artefact | None, task: tuple[float, int]) -> Outcome:
    stake, seed = task
    dice = np.random.default_rng([round(stake * 100), seed])
    return outcome_of(play_stream(stream, dice, refresh_seconds, stake), artefact, stake)
