"""A parimutuel market for one race: state = f(plan, world, instant). PURE: seeded, no clock, no I/O."""

import bisect
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from raceday.simulator.betting import (
    ARBITRAGE_SECONDS,
    Bet,
    Informed,
    crowd_bets,
    informed_bets,
    win_bets,
    with_commingled,
)
from raceday.simulator.fixed_odds import PriceChange, price_histories
from raceday.simulator.world import RacePlan, World, dice, normalised, scratched_by

NOTABLE_CENTS = 10_000
DIVIDENDS_FROM_CENTS = 10_000  # the tote shows no dividends on a smaller pool
EXOTIC_RATIOS = {"Quinella": 0.35, "Trifecta": 0.6, "FirstFour": 0.3}  # of the Win pool


@dataclass(frozen=True, slots=True)
class Ledger:
    """The money on one runner: when bets came and what they had summed to, in cents."""

    times: tuple[float, ...]
    sums: tuple[int, ...]

    def cents_at(self, at: float) -> int:
        """Return the money bet until an instant."""
        count = bisect.bisect_right(self.times, at)
        return self.sums[count - 1] if count else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """One race's whole market, made once. Lists are by runner."""

    plan: RacePlan
    world: World
    chances: tuple[float, ...]
    win: tuple[Ledger, ...]
    place: tuple[Ledger, ...]
    exotic_ratios: dict[str, float]
    prices: tuple[tuple[PriceChange, ...], ...]
    informed: Informed | None
    finish: tuple[int, ...]  # runners in finishing order
    notable_bets: tuple[Bet, ...]  # Win bets of $100 and more placed here, oldest first


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketState:
    """What the source shows between two refreshes. Money in cents, dividends in ten-cent steps, None where unknown."""

    at: float
    status: str
    scratched: frozenset[int]
    win_cents: tuple[int, ...]
    place_cents: tuple[int, ...]
    pools: dict[str, int]
    win_dividends: tuple[int | None, ...]
    place_dividends: tuple[int | None, ...]
    prices: tuple[tuple[PriceChange, ...], ...]  # each runner's changes so far


@lru_cache(maxsize=256)
def market_of(plan: RacePlan, world: World) -> Market:
    """Make the market of a race: chances, bets, fixed prices and the finish, from its seed alone."""
    rng = dice(plan.seed, "market")
    chances = _chances(rng, plan.runner_count)
    crowd = normalised([chance**0.92 * math.exp(rng.gauss(0, 0.3)) for chance in chances])
    prices = price_histories(plan, chances, world.fixed_noise)
    pool_cents = 100 * world.pool_median * math.exp(rng.gauss(0, world.pool_sigma))
    mingled = rng.uniform(0.5, 1.5) * world.commingled_mean if rng.random() < world.commingled_chance else 0.0
    at_close = pool_cents * (1 - mingled)
    view = _fixed_view(prices, plan.closes_at - ARBITRAGE_SECONDS)
    win = win_bets(plan, world, crowd, view, at_close)
    informed = informed_bets(plan, chances, sum(bet.cents for bet in win))
    win += informed.bets if informed else ()
    place_cents = at_close * rng.uniform(0.25, 0.5)
    place = crowd_bets(plan, world, [share**0.75 for share in crowd], place_cents, dice(plan.seed, "place"))
    mingled_at = plan.closes_at + rng.uniform(8, 40)
    return Market(
        plan=plan,
        world=world,
        chances=tuple(chances),
        win=_ledgers(plan, with_commingled(win, mingled, mingled_at, rng)),
        place=_ledgers(plan, with_commingled(place, mingled, mingled_at, rng)),
        exotic_ratios={name: ratio * math.exp(rng.gauss(0, 0.3)) for name, ratio in EXOTIC_RATIOS.items()},
        prices=prices,
        informed=informed,
        finish=_finish(plan, chances, rng),
        notable_bets=tuple(sorted((bet for bet in win if bet.cents >= NOTABLE_CENTS), key=lambda bet: bet.at)),
    )


def shown_at(plan: RacePlan, world: World, at: float) -> float:
    """Return the instant of the source's last refresh: what it shows at `at` is the state then."""
    phase = _refresh_phase(plan.seed) * world.refresh_seconds
    return phase + math.floor((at - phase) / world.refresh_seconds) * world.refresh_seconds


@lru_cache(maxsize=1024)
def _refresh_phase(seed: str) -> float:
    return dice(seed, "phase").random()


def state_at(market: Market, at: float) -> MarketState:
    """Return the state of a race at an instant (Unix seconds), in microseconds of work."""
    plan = market.plan
    betting_at = at if plan.abandoned_at is None else min(at, plan.abandoned_at)
    scratched = scratched_by(plan, betting_at)
    win, place = (
        tuple(0 if runner in scratched else ledger.cents_at(betting_at) for runner, ledger in enumerate(ledgers))
        for ledgers in (market.win, market.place)
    )
    pools = {"Win": sum(win), "Place": sum(place)}
    pools |= {name: int(pools["Win"] * ratio) for name, ratio in market.exotic_ratios.items()}
    return MarketState(
        at=at,
        status=status_at(plan, at),
        scratched=scratched,
        win_cents=win,
        place_cents=place,
        pools=pools,
        win_dividends=dividends(win, market.world.takeout, 1),
        place_dividends=dividends(place, market.world.takeout, places_paid(plan.runner_count - len(scratched))),
        prices=tuple(_until(changes, betting_at) for changes in market.prices),
    )


def status_at(plan: RacePlan, at: float) -> str:
    """Return Open, Closed, Interim, Final or Abandoned."""
    if plan.abandoned_at is not None:
        return "Open" if at < plan.abandoned_at else "Abandoned"
    steps = ((plan.final_at, "Final"), (plan.interim_at, "Interim"), (plan.closes_at, "Closed"))
    return next((name for since, name in steps if at >= since), "Open")


def dividends(money: Sequence[int], takeout: float, places: int) -> tuple[int | None, ...]:
    """Return what $1 on each runner would pay, in ten-cent steps, cut down and never below $1.

    One worked: $300 of $1,000 at 16.3 % pays 1000·0.837/300 = 2.79, cut to 2.70: 27 steps.
    """
    net = sum(money) * (1 - takeout)
    if sum(money) < DIVIDENDS_FROM_CENTS or not places:
        return (None,) * len(money)
    return tuple(max(10, int(10 * net / places / cents)) if cents else None for cents in money)


def places_paid(starters: int) -> int:
    """Return how many places the tote pays: 3 from 8 starters, 2 from 5, else none."""
    return 3 if starters >= 8 else 2 if starters >= 5 else 0


def _chances(rng: random.Random, count: int) -> list[float]:
    return normalised([max(rng.gammavariate(1.2, 1), 0.05) for _ in range(count)])


def _finish(plan: RacePlan, chances: Sequence[float], rng: random.Random) -> tuple[int, ...]:
    starters = {
        runner: chances[runner] for runner in set(range(plan.runner_count)) - scratched_by(plan, plan.closes_at)
    }
    order: list[int] = []
    while starters:
        order.append(rng.choices(list(starters), list(starters.values()))[0])
        del starters[order[-1]]
    return tuple(order)


def _fixed_view(prices: Sequence[Sequence[PriceChange]], at: float) -> list[float]:
    standing = [_until(tuple(changes), at) for changes in prices]
    return normalised([1 / changes[-1].price if changes else 0.0 for changes in standing])


def _ledgers(plan: RacePlan, bets: Sequence[Bet]) -> tuple[Ledger, ...]:
    by_runner: list[list[Bet]] = [[] for _ in range(plan.runner_count)]
    for bet in sorted(bets, key=lambda bet: bet.at):
        by_runner[bet.runner].append(bet)
    return tuple(
        Ledger(tuple(bet.at for bet in mine), tuple(accumulate(bet.cents for bet in mine))) for mine in by_runner
    )


def _until(changes: tuple[PriceChange, ...], at: float) -> tuple[PriceChange, ...]:
    return changes[: bisect.bisect_right(changes, at, key=lambda change: change.at)]
