"""What a simulated race is: the world's parameters and the race's plan. PURE: the market is a function of these."""

import bisect
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

Knots = tuple[tuple[float, float], ...]  # (share, value), shares rising

# Share of the closing Win pool that is in, by seconds before the jump. 300 … 15 s as measured on the real feed (16, 54,
# 68, 73 and 78 % of a final pool of which about 12 % arrives after the close); earlier: exp(−τ/170 s) over a slow base.
_MEASURED_LATE = ((0.182, 300.0), (0.614, 120.0), (0.773, 60.0), (0.83, 30.0), (0.886, 15.0), (1.0, 0.0))
_EARLY_SECONDS = (21_600.0, 7_200.0, 3_600.0, 1_800.0, 1_200.0, 900.0, 700.0, 550.0, 420.0)


def _early(tau: float) -> float:
    return 0.165 * math.exp(-(tau - 300) / 170) + 0.017 * math.exp(-(tau - 300) / 7_200)


MEASURED_INFLOW: Knots = ((0.0, 36_000.0), *((_early(tau), tau) for tau in _EARLY_SECONDS), *_MEASURED_LATE)
EXPONENTIAL_INFLOW: Knots = (
    (0.0, 3_600.0),
    *((math.exp(-tau / 170), float(tau)) for tau in (1500, 1000, 700, 500, 400, 300, 240, 180, 120, 90, 60, 30, 15, 0)),
)
# Seconds from the advertised to the real start of NZ gallops: p5 17, median 49, p90 138, p95 188.
CLOSE_DELAY: Knots = ((0.0, 6.0), (0.05, 17.0), (0.5, 49.0), (0.9, 138.0), (0.95, 188.0), (1.0, 300.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The parameters every race of a simulated day shares. Shares are 0–1, money is dollars unless named cents."""

    refresh_seconds: float = 15.0
    bet_sigma: float = 1.6
    bet_median: float = 20.0
    bet_cap: float = 2_500.0
    pool_median: float = 15_000.0
    pool_sigma: float = 0.7
    takeout: float = 0.163
    drift_per_root_minute: float = 0.05
    arbitrage_share: float = 0.25  # of the bets of the last minute
    fixed_noise: float = 0.12
    informed_share: float = 0.25  # of races
    inflow: Knots = MEASURED_INFLOW
    commingled_chance: float = 0.8
    commingled_mean: float = 0.15  # of the final pool, where there is any


@dataclass(frozen=True, slots=True, kw_only=True)
class Scratching:
    """A runner that does not start. A late one had bets, which are refunded at `at` (Unix seconds)."""

    index: int
    at: float
    is_late: bool
    keeps_prices: bool  # the feed leaves the last prices of some late scratchings standing


@dataclass(frozen=True, slots=True, kw_only=True)
class RacePlan:
    """All that is decided of a race before a dollar is bet. Instants are Unix seconds, runners counted from 0."""

    seed: str
    runner_count: int
    advertised_at: float
    closes_at: float
    interim_at: float
    final_at: float
    abandoned_at: float | None = None
    scratchings: tuple[Scratching, ...] = ()
    informed_share: float | None = None  # of the Win pool at the close


def dice(*key: object) -> random.Random:
    """Return a random stream that depends on its key alone, the same in every process."""
    return random.Random(":".join(map(str, key)))  # noqa: S311 - a simulation, not a secret


def along(knots: Sequence[tuple[float, float]], share: float) -> float:
    """Interpolate between knots (share, value).

    >>> along(CLOSE_DELAY, 0.5)
    49.0
    """
    right = min(max(bisect.bisect_right(knots, share, key=lambda knot: knot[0]), 1), len(knots) - 1)
    (low, start), (high, end) = knots[right - 1], knots[right]
    return start + (end - start) * (share - low) / (high - low)


def normalised(weights: Sequence[float]) -> list[float]:
    """Scale weights to sum to 1."""
    total = sum(weights)
    return [weight / total for weight in weights]


def scratched_by(plan: RacePlan, at: float) -> frozenset[int]:
    """Return the runners that are out at an instant."""
    return frozenset(each.index for each in plan.scratchings if each.at <= at)
