"""Rows to learn from: the numbers of simulated polls with the truth beside them. PURE, seeded."""

from dataclasses import dataclass

import numpy as np

from moneyflow.late_money.judge import measure
from moneyflow.late_money.numbers import NAMES
from moneyflow.late_money.records import Floats, Silence
from moneyflow.late_money.worlds.catalogue import race_of
from moneyflow.late_money.worlds.market import Race

BEFORE_CLOSE = 130.0  # seconds: earlier polls teach nothing
MOST_POLLS = 8  # of one race
SMALLEST_STAKE, LARGEST_STAKE = 0.035, 0.25  # of the pool
EASY_BELOW, EASY_KEPT = 1.5, 0.06
Z30, Z60 = NAMES.index("z30"), NAMES.index("z60")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Numbers, (rows, 30), whether a row is the informed runner's after its first bet, and what the row counts for."""

    numbers: Floats
    is_informed: Floats
    weight: Floats


def rows_of(world: str, seed: int) -> Rows:
    """Play a race, every second one informed, and return its rows.

    Rivals of an informed runner after its first bet are left out: their money is neither ordinary nor informed.
    Of the easy rows of ordinary money 6 % are kept, each for the weight of those left out.
    """
    dice = np.random.default_rng([seed])
    stake = float(np.exp(dice.uniform(np.log(SMALLEST_STAKE), np.log(LARGEST_STAKE)))) if seed % 2 else 0.0
    race = race_of(world, seed, stake)
    parts = [_rows_at(race, place) for place in _polls(race, dice)]
    rows = joined([part for part in parts if part is not None])
    easy = (rows.is_informed == 0) & (rows.numbers[:, Z30] < EASY_BELOW) & (rows.numbers[:, Z60] < EASY_BELOW)
    kept = ~easy | (dice.random(len(easy)) < EASY_KEPT)
    return Rows(
        numbers=rows.numbers[kept],
        is_informed=rows.is_informed[kept],
        weight=np.where(easy, 1 / EASY_KEPT, 1.0)[kept],
    )


def joined(parts: list[Rows]) -> Rows:
    """Put rows together in order."""
    none = Rows(numbers=np.empty((0, len(NAMES))), is_informed=np.empty(0), weight=np.empty(0))
    parts = parts or [none]
    return Rows(
        numbers=np.concatenate([part.numbers for part in parts]),
        is_informed=np.concatenate([part.is_informed for part in parts]),
        weight=np.concatenate([part.weight for part in parts]),
    )


def _polls(race: Race, dice: np.random.Generator) -> list[int]:
    """Choose polls of the last minutes: of an informed race those after the first bet and one before it."""
    times = np.array([reading.seconds_since_start for reading in race.readings])
    since = race.closes_at - BEFORE_CLOSE
    if race.first_informed_at is not None:
        since = max(since, float(times[times < race.first_informed_at].max(initial=since)))
    late = np.flatnonzero((times >= since) & (times < race.closes_at))
    return sorted(dice.permutation(late)[:MOST_POLLS].tolist())


def _rows_at(race: Race, place: int) -> Rows | None:
    found = measure(race.readings[: place + 1])
    if isinstance(found, Silence):
        return None
    kept = np.ones(len(found.numbers), bool)
    is_informed = np.zeros(len(found.numbers))
    if race.first_informed_at is not None and race.readings[place].seconds_since_start >= race.first_informed_at:
        kept = np.array(found.tape.entrant_ids) == race.informed_id
        is_informed = np.ones(len(found.numbers))
    return Rows(numbers=found.numbers[kept], is_informed=is_informed[kept], weight=np.ones(int(kept.sum())))
