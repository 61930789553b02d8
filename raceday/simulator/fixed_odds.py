"""The bookmaker's fixed prices of a race as dated histories. PURE, seeded."""

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from raceday.simulator.world import RacePlan, dice, normalised, scratched_by

OVERROUND = 1.18
OPENS_SECONDS = 20 * 3600.0  # before the advertised start
OPENING_NOISE = 0.3
# Seconds before the advertised start near which prices are set; the last ones fall into the delay of the start.
REPRICED_SECONDS = (43_200, 14_400, 5_400, 2_700, 1_500, 840, 540, 360, 240, 150, 90, 45, 10, -20, -50, -100, -160)
_STEPS = ((1.01, 0.01, 1.2), (1.2, 0.02, 1.3), (1.3, 0.05, 2.5), (2.5, 0.1, 5), (5, 0.5, 10), (10, 1, 21), (21, 2, 35))
_LONG = (41, 46, 51, 61, 67, 71, 81, 91, 101, 126, 151, 201, 251, 301, 401, 501)
LADDER = (
    *sorted({round(low + n * step, 2) for low, step, high in _STEPS for n in range(round((high - low) / step))}),
    35.0,
    *(float(price) for price in _LONG),
)


@dataclass(frozen=True, slots=True)
class PriceChange:
    """A fixed-win price set at an instant (Unix seconds), with that instant as the feed prints it."""

    at: float
    price: float
    stamp: str


def ladder_price(chance: float) -> float:
    """Return the bookmaker's price of a chance, on the steps a bookmaker uses.

    >>> ladder_price(0.2)  # 1/(0.2 · 1.18) = 4.24
    4.2
    """
    fair = 1 / (chance * OVERROUND)
    return LADDER[max(bisect.bisect_right(LADDER, fair) - 1, 0)]


def place_price(win_price: float) -> float:
    """Return the fixed place price that goes with a fixed win price.

    >>> place_price(5.0)
    1.8
    """
    return round(max(1.01, min(1 + (win_price - 1) * 0.2, 1 + math.sqrt(win_price - 1) * 1.1)), 2)


def ns_stamp(at: float, nanoseconds: int) -> str:
    """Print Unix seconds as the feed does: ISO in UTC with nine decimals."""
    return f"{datetime.fromtimestamp(int(at), UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"


def price_histories(plan: RacePlan, chances: Sequence[float], noise: float) -> tuple[tuple[PriceChange, ...], ...]:
    """Return each runner's changes of price, oldest first; none for a runner that never starts.

    Prices start `OPENING_NOISE` (log) from the truth and end `noise` from it; a scratching shortens all others.
    """
    rng = dice(plan.seed, "fixed")
    opened = plan.advertised_at - OPENS_SECONDS
    refunds = [each.at + 3 for each in plan.scratchings if each.at > opened]
    ordinary = [plan.advertised_at - before * rng.uniform(0.85, 1.1) for before in REPRICED_SECONDS]
    times = sorted(at for at in (*ordinary, *refunds) if at < plan.closes_at)
    errors = [rng.gauss(0, OPENING_NOISE) for _ in chances]
    finals = [rng.gauss(0, noise) for _ in chances]
    histories: list[list[PriceChange]] = [[] for _ in chances]
    for number, at in enumerate([opened, *times]):
        known = number / max(len(times), 1)
        out = scratched_by(plan, at)
        view = normalised(
            [
                0.0 if runner in out else chance * math.exp(errors[runner] * (1 - known) + finals[runner] * known)
                for runner, chance in enumerate(chances)
            ]
        )
        for runner, chance in enumerate(view):
            wobbled = chance * math.exp(rng.gauss(0, 0.02))
            waits = rng.random() < 0.5 and at not in refunds and number > 0
            if chance and not waits:
                _reprice(histories[runner], at + rng.uniform(0, 2), ladder_price(wobbled), rng.randrange(10**9))
    return tuple(map(tuple, histories))


def _reprice(history: list[PriceChange], at: float, price: float, nanoseconds: int) -> None:
    if not history or history[-1].price != price:
        history.append(PriceChange(at, price, ns_stamp(at, nanoseconds)))
