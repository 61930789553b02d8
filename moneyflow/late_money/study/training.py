"""From seeds to an artefact: play races, fit the net, calibrate on ordinary races of the published world."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np

from moneyflow.late_money.artefact import Artefact, packed, unpacked
from moneyflow.late_money.calibration import MOST_RACES, Calibration
from moneyflow.late_money.records import Floats
from moneyflow.late_money.score import standardised
from moneyflow.late_money.study.net import SIZES, Weights, fit_net
from moneyflow.late_money.study.outcomes import outcome_of
from moneyflow.late_money.study.playing import in_parallel
from moneyflow.late_money.study.rows import LARGEST_STAKE, SMALLEST_STAKE, Rows, joined, rows_of
from moneyflow.late_money.worlds.catalogue import TRAINED_ON, race_of

CALIBRATED_ON = TRAINED_ON[0]
CALIBRATION_SEEDS = 1_000_000  # from here on: races that were not trained on
UNCALIBRATED = Calibration(maxima=np.zeros(1))
Item = TypeVar("Item")
Report = Callable[[str, int, int], None]  # step, done, of


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What an artefact is made from. Equal recipes give equal bytes with one numpy on one kind of processor."""

    races: int = 128_000  # half of each world of TRAINED_ON, every second one informed
    epochs: int = 40
    seed: int = 3
    calibration_races: int = MOST_RACES


def train(recipe: Recipe, report: Report, *, processes: int | None = None) -> Artefact:
    """Make an artefact; `report` is told how far each step is."""
    tasks = [(TRAINED_ON[number % 2], number // 2) for number in range(recipe.races)]
    rows = joined(list(_told(in_parallel(_rows, tasks, processes), report, "races played", len(tasks))))
    mean, scale = ordinary_moments(rows)
    artefact = Artefact(
        name=f"net-{'-'.join(map(str, SIZES))}-seed-{recipe.seed}",
        provenance={
            "recipe": asdict(recipe),
            "trained_on": TRAINED_ON,
            "calibrated_on": CALIBRATED_ON,
            "informed_stakes": (SMALLEST_STAKE, LARGEST_STAKE),
            "rows": len(rows.weight),
            "informed_rows": int(rows.is_informed.sum()),
            "numpy": np.__version__,
        },
        mean=mean,
        scale=scale,
        layers=(),
        calibration=UNCALIBRATED,
    )
    inputs = standardised(rows.numbers, artefact).astype(np.float32)
    (layers,) = _told(in_parallel(partial(_fit, recipe), [(inputs, rows)], 1), report, "net fitted", 1)
    return calibrated(replace(artefact, layers=layers), recipe.calibration_races, report=report, processes=processes)


def calibrated(artefact: Artefact, races: int, *, report: Report, processes: int | None) -> Artefact:
    """Return the artefact, as a file would hold it, with the maxima of ordinary races of the training's world."""
    artefact = unpacked(packed(artefact))
    seeds = range(CALIBRATION_SEEDS, CALIBRATION_SEEDS + races)
    maxima = in_parallel(partial(_maximum, artefact), seeds, processes)
    known = [maximum for maximum in _told(maxima, report, "races calibrated on", races) if np.isfinite(maximum)]
    return unpacked(packed(replace(artefact, calibration=Calibration(maxima=np.sort(known)))))


def ordinary_moments(rows: Rows) -> tuple[Floats, Floats]:
    """Return mean and deviation of each number in rows of ordinary money."""
    ordinary = rows.is_informed == 0
    numbers, weight = rows.numbers[ordinary], rows.weight[ordinary]
    mean = np.average(numbers, 0, weight)
    return mean, np.sqrt(np.average(np.square(numbers - mean), 0, weight))


def _told(results: Iterable[Item], report: Report, step: str, count: int) -> Iterator[Item]:
    for done, result in enumerate(results, 1):
        report(step, done, count)
        yield result


def _rows(task: tuple[str, int]) -> Rows:
    return rows_of(*task)


def _fit(recipe: Recipe, task: tuple[Weights, Rows]) -> tuple[tuple[Floats, Floats], ...]:
    inputs, rows = task
    target, weight = rows.is_informed.astype(np.float32), rows.weight.astype(np.float32)
    layers = fit_net(inputs, target, weight, epochs=recipe.epochs, seed=recipe.seed)
    return tuple((weights.astype(float), biases.astype(float)) for weights, biases in layers)


def _maximum(artefact: Artefact, seed: int) -> float:
    return float(outcome_of(race_of(CALIBRATED_ON, seed), artefact).maxima[0])
