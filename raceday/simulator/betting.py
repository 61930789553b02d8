"""Who bets what and when in one race: the crowd, the arbitrage of the last minute, the informed. PURE, seeded."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from raceday.simulator.world import RacePlan, World, along, dice, normalised, scratched_by

DRIFT_SECONDS = 30.0
DRIFT_SPAN = 1_800.0
ARBITRAGE_SECONDS = 60.0
INFORMED_SECONDS = 45.0
INFORMED_CHANCE = (0.03, 0.25)  # win probabilities worth betting on quietly


@dataclass(frozen=True, slots=True)
class Bet:
    at: float  # Unix seconds
    runner: int
    cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Informed:
    """The known truth of an informed race: the backed runner, its real chance and the bets."""

    runner: int
    win_probability: float
    share_of_pool: float  # of the Win pool at the close
    bets: tuple[Bet, ...]


def _mean_bet(world: World) -> float:
    """Return the mean, in dollars, of a lognormal bet cut at the cap.

    >>> round(_mean_bet(World(bet_median=20.0, bet_sigma=1.6, bet_cap=2_500.0)))
    69
    """
    normal, cap = NormalDist(), math.log(world.bet_cap / world.bet_median) / world.bet_sigma
    below = world.bet_median * math.exp(world.bet_sigma**2 / 2) * normal.cdf(cap - world.bet_sigma)
    return below + world.bet_cap * (1 - normal.cdf(cap))


def _bet_count(world: World, cents: float, rng: random.Random) -> int:
    expected = cents / 100 / _mean_bet(world)
    return max(20, round(rng.gauss(expected, math.sqrt(expected))))


def _bet_cents(world: World, rng: random.Random) -> int:
    return round(100 * min(world.bet_cap, rng.lognormvariate(math.log(world.bet_median), world.bet_sigma)))


def _times(plan: RacePlan, world: World, count: int, rng: random.Random) -> list[float]:
    return sorted(plan.closes_at - along(world.inflow, rng.random()) for _ in range(count))


def _preferences(
    plan: RacePlan, world: World, weights: Sequence[float], rng: random.Random
) -> Callable[[float], list[float]]:
    """Return a function of time: what the crowd likes. It drifts in the last half hour."""
    step = world.drift_per_root_minute * math.sqrt(DRIFT_SECONDS / 60)
    walk = [list(weights)]
    for _ in range(int(DRIFT_SPAN / DRIFT_SECONDS)):
        walk.append([weight * math.exp(rng.gauss(0, step)) for weight in walk[-1]])

    def at(instant: float) -> list[float]:
        slot = int((instant - plan.closes_at + DRIFT_SPAN) / DRIFT_SECONDS)
        out = scratched_by(plan, instant)
        return [
            0.0 if runner in out else weight for runner, weight in enumerate(walk[min(max(slot, 0), len(walk) - 1)])
        ]

    return at


def crowd_bets(plan: RacePlan, world: World, weights: Sequence[float], cents: float, rng: random.Random) -> list[Bet]:
    likes = _preferences(plan, world, weights, rng)
    runners = range(plan.runner_count)
    times = _times(plan, world, _bet_count(world, cents, rng), rng)
    bets = [Bet(at, rng.choices(runners, likes(at))[0], _bet_cents(world, rng)) for at in times]
    return sorted([*_first_bets(plan, weights, cents, rng), *bets], key=lambda bet: bet.at)


def _first_bets(plan: RacePlan, weights: Sequence[float], cents: float, rng: random.Random) -> list[Bet]:
    """Bet 1 % of the pool early, on all runners, so that all of them soon have dividends."""
    shares = normalised(weights)
    bets = [
        Bet(plan.closes_at - rng.uniform(1_800, 20_000), runner, max(500, round(cents * share / 100)))
        for runner, share in enumerate(shares)
    ]
    return [bet for bet in bets if bet.runner not in scratched_by(plan, bet.at)]


def win_bets(plan: RacePlan, world: World, crowd: Sequence[float], view: Sequence[float], cents: float) -> list[Bet]:
    """Return the crowd's Win bets, with some of the last minute's moved to where the tote overpays.

    `view` is each runner's chance by the fixed prices.
    """
    rng = dice(plan.seed, "arbitrage")
    money = [0] * plan.runner_count
    bets: list[Bet] = []
    for bet in crowd_bets(plan, world, crowd, cents, dice(plan.seed, "win")):
        chosen = bet
        if plan.closes_at - bet.at < ARBITRAGE_SECONDS and rng.random() < world.arbitrage_share:
            chosen = Bet(bet.at, _overpaid(money, view, scratched_by(plan, bet.at), rng), bet.cents)
        money[chosen.runner] += chosen.cents
        bets.append(chosen)
    return bets


def _overpaid(money: Sequence[int], view: Sequence[float], out: frozenset[int], rng: random.Random) -> int:
    total = sum(cents for runner, cents in enumerate(money) if runner not in out) or 1
    gaps = [0.0 if runner in out else max(share - money[runner] / total, 1e-6) for runner, share in enumerate(view)]
    return rng.choices(range(len(view)), gaps)[0]


def informed_bets(plan: RacePlan, chances: Sequence[float], crowd_cents: int) -> Informed | None:
    low, high = INFORMED_CHANCE
    rng = dice(plan.seed, "informed")
    out = scratched_by(plan, plan.closes_at)
    worth = [runner for runner, chance in enumerate(chances) if low < chance < high and runner not in out]
    if plan.informed_share is None or plan.abandoned_at is not None or not worth:
        return None
    runner = rng.choice(worth)
    total = crowd_cents * plan.informed_share / (1 - plan.informed_share)
    parts = normalised([rng.uniform(0.5, 1.5) for _ in range(rng.randint(1, 6))])
    times = sorted(plan.closes_at - rng.uniform(0.5, INFORMED_SECONDS) for _ in parts)
    bets = tuple(Bet(at, runner, round(total * part)) for at, part in zip(times, parts, strict=True))
    return Informed(runner=runner, win_probability=chances[runner], share_of_pool=plan.informed_share, bets=bets)


def with_commingled(bets: Sequence[Bet], share: float, at: float, rng: random.Random) -> list[Bet]:
    """Add the money that other totes send after the close, spread roughly as the pool is."""
    totals: dict[int, int] = {}
    for bet in bets:
        totals[bet.runner] = totals.get(bet.runner, 0) + bet.cents
    more = [(runner, cents * share / (1 - share) * math.exp(rng.gauss(0, 0.15))) for runner, cents in totals.items()]
    return [*bets, *(Bet(at, runner, round(cents)) for runner, cents in more if share)]
