"""One simulated race of a world: who bets what and when, and what a tote and a bookmaker show of it. PURE, seeded."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
from msgspec import structs

from moneyflow.late_money.records import Flags, Floats, Indexes, Reading
from raceday.simulator.fixed_odds import LADDER, OVERROUND
from raceday.simulator.world import CLOSE_DELAY

Dice = np.random.Generator
Book = Callable[[Floats], Floats]  # from seconds before the close to chances, (readings, runners)
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)  # simulated races have no date of their own
SLOT_SECONDS = 30.0  # the crowd's preferences drift in steps
SLOTS = 24
ARBITRAGE_STEPS = 20
INFORMED_CHANCE = (0.03, 0.25)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a race is drawn from. Shares are 0–1, money is dollars; seconds before the close."""

    pareto: float | None = None  # tail of the stakes; None: lognormal
    bet_median: float = 6.3
    bet_sigma: float = 1.6
    bet_cap: float = 2_500.0
    pool_median: float = 15_000.0
    pool_sigma: float = 0.7
    takeout: float = 0.163
    inflow_seconds: float = 170.0
    drift: float = 0.05  # of log preference, per root minute
    arbitrage: float = 0.25  # share of the bets of the last seconds that go where the tote overpays
    arbitrage_seconds: float = 60.0
    arbitrage_view: str = "book"  # book, pool or truth
    fixed_noise: float = 0.12
    follow: float = 0.0  # how far the bookmaker follows the tote, with a lag
    follow_seconds: float = 30.0
    refresh_seconds: float = 15.0
    jitter: float = 0.0  # of a refresh, in shares of it
    missed: float = 0.0  # share of polls
    tipster: float | None = None  # factor by which a crowd likes one runner more for a while, minutes before
    lump: float | None = None  # share of the pool that a host sends at once
    scratches: bool = False
    delay_shift: float = 0.0  # seconds
    informed_seconds: tuple[float, float] = (0.0, 45.0)
    most_informed_bets: int = 6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Race:
    """A simulated race, and the truth about it. Seconds since the advertised start."""

    readings: tuple[Reading, ...]  # until the one that holds the close
    closes_at: float
    informed_id: str | None = None
    first_informed_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bets:
    """Bets in order of time: seconds before the close, runner, dollars."""

    before: Floats
    runner: Indexes
    dollars: Floats

    def joined(self, other: "Bets") -> "Bets":
        before = np.concatenate((self.before, other.before))
        order = np.argsort(-before, kind="stable")
        return Bets(
            before=before[order],
            runner=np.concatenate((self.runner, other.runner))[order],
            dollars=np.concatenate((self.dollars, other.dollars))[order],
        )


def play(world: World, dice: Dice, informed_share: float = 0.0) -> Race:
    """Play one race of a world. An informed bettor's stakes are `informed_share` of the pool at the close."""
    count = int(dice.integers(7, 17))
    chances = np.maximum(dice.dirichlet(np.full(count, 1.2)), 0.002)
    chances /= chances.sum()
    liked = chances**0.92 * np.exp(dice.normal(0, 0.3, count))
    view = chances * np.exp(dice.normal(0, world.fixed_noise, count))
    view /= view.sum()
    pool = world.pool_median * np.exp(dice.normal(0, world.pool_sigma)) * (1 - informed_share)
    bets = with_arbitrage(world, dice, crowd(world, dice, liked / liked.sum(), pool), (chances, view))
    return watched(world, dice, with_lump(world, dice, bets, count), (chances, steady(view)), informed_share)


def watched(world: World, dice: Dice, bets: Bets, beliefs: tuple[Floats, Book], informed_share: float) -> Race:
    """Add the informed bettor, if any, to a crowd's bets, and return what polls of the race show.

    `beliefs` are the runners' true chances and the bookmaker's view of them.
    """
    chances, book = beliefs
    closes_at = close_delay(world, dice)
    runner, first_at = None, None
    if informed_share:
        runner = backed(dice, chances)
        quiet = informed(world, dice, runner, bets.dollars.sum() * informed_share / (1 - informed_share))
        bets, first_at = bets.joined(quiet), closes_at - float(quiet.before[0])
    times = beat(world, dice, closes_at)
    scratched = scratchings(world, dice, closes_at - times, len(chances), runner)
    return Race(
        readings=shown(world, bets, book, (times, scratched), closes_at),
        closes_at=closes_at,
        informed_id=None if runner is None else str(runner + 1),
        first_informed_at=first_at,
    )


def polled_each(race: Race, seconds: float, phase: float) -> Race:
    """Return a race as polls on a grid see it: each shows what the source last renewed."""
    renewed = np.array([each.seconds_since_start for each in race.readings])
    grid = np.arange(renewed[0] + phase, race.closes_at + seconds, seconds)
    readings = tuple(
        structs.replace(
            race.readings[int(np.searchsorted(renewed, at, "right")) - 1],
            seconds_since_start=at,
            polled_at=EPOCH + timedelta(seconds=at),
            status="Open" if at < race.closes_at else "Closed",
        )
        for at in grid.tolist()
    )
    return replace(race, readings=readings)


def steady(view: Floats) -> Book:
    """Return a bookmaker whose view never changes."""
    return lambda before: np.tile(view, (len(before), 1))


def backed(dice: Dice, chances: Floats) -> int:
    """Choose the runner of an informed bettor: neither a favourite nor without a chance, if there is such a one."""
    low, high = INFORMED_CHANCE
    worth = np.flatnonzero((chances > low) & (chances < high))
    return int(dice.choice(worth)) if len(worth) else int(np.abs(chances - 0.1).argmin())


def close_delay(world: World, dice: Dice) -> float:
    shares, seconds = np.array(CLOSE_DELAY).T
    return float(np.interp(dice.random(), shares, seconds)) + world.delay_shift


def stakes(world: World, dice: Dice, count: int) -> Floats:
    """Draw stakes in dollars, heavy-tailed and cut at the cap."""
    if world.pareto is None:
        drawn = world.bet_median * np.exp(dice.normal(0, world.bet_sigma, count))
    else:
        drawn = world.bet_median / 2 * (1 + dice.pareto(world.pareto, count))
    return np.minimum(drawn, world.bet_cap)


def crowd(world: World, dice: Dice, liked: Floats, pool: float) -> Bets:
    """Draw the crowd's bets of a whole pool: first 1 % spread over all runners, then bet by bet."""
    count = max(20, int(dice.poisson(pool / stakes(world, dice, 2000).mean())))
    before = np.sort(dice.exponential(world.inflow_seconds, count))[::-1]
    slot = np.minimum((before / SLOT_SECONDS).astype(int), SLOTS - 1)
    steps = dice.normal(0, world.drift * np.sqrt(SLOT_SECONDS / 60), (SLOTS, len(liked)))
    walk = np.log(liked) + np.cumsum(steps, 0)[::-1]
    if world.tipster:
        first = int(dice.integers(2, 12))
        walk[first : first + int(dice.integers(1, 4)), int(dice.integers(len(liked)))] += np.log(world.tipster)
    drawn = Bets(before=before, runner=drawn_by(dice, np.exp(walk), slot), dollars=stakes(world, dice, count))
    first_bets = Bets(
        before=np.full(len(liked), 3_000.0), runner=np.arange(len(liked)), dollars=np.maximum(5, pool * liked / 100)
    )
    return first_bets.joined(drawn)


def drawn_by(dice: Dice, weights: Floats, slot: Indexes) -> Indexes:
    """Draw a runner for each bet by the weights, (slots, runners), of the bet's slot."""
    sums = np.cumsum(weights, -1)
    sums /= sums[:, -1:]
    return np.minimum((dice.random(len(slot))[:, None] > sums[slot]).sum(-1), weights.shape[1] - 1)  # type: ignore[no-any-return]


def with_arbitrage(world: World, dice: Dice, bets: Bets, beliefs: tuple[Floats, Floats]) -> Bets:
    """Move some of the last bets to where the tote pays more than the view of the arbitrageurs says."""
    chances, view = beliefs
    runner, count = bets.runner.copy(), len(chances)
    moves = dice.random(len(runner)) < world.arbitrage
    steps = np.linspace(world.arbitrage_seconds, 0, ARBITRAGE_STEPS + 1)
    edges = np.searchsorted(-bets.before, -steps).tolist()
    held = np.bincount(runner[: edges[0]], bets.dollars[: edges[0]], count)
    target = {"book": view, "truth": chances, "pool": held / held.sum()}[world.arbitrage_view]
    for first, last in pairwise(edges):
        moved = first + np.flatnonzero(moves[first:last])
        if len(moved):
            sums = np.cumsum(np.maximum(target - held / held.sum(), 1e-6))
            runner[moved] = np.searchsorted(sums[:-1], dice.random(len(moved)) * sums[-1])
        held += np.bincount(runner[first:last], bets.dollars[first:last], count)
    return Bets(before=bets.before, runner=runner, dollars=bets.dollars)


def with_lump(world: World, dice: Dice, bets: Bets, count: int) -> Bets:
    """Add money that a host sends at once, spread roughly as the pool is."""
    if not world.lump:
        return bets
    at = float(dice.uniform(5, 150))
    held = np.bincount(bets.runner[bets.before > at], bets.dollars[bets.before > at], count)
    sent = (held * world.lump * np.exp(dice.normal(0, 0.15, count))).astype(float)
    return bets.joined(Bets(before=np.full(count, at), runner=np.arange(count), dollars=sent))


def informed(world: World, dice: Dice, runner: int, dollars: float) -> Bets:
    """Split an informed bettor's stake into bets near the close."""
    count = int(dice.integers(1, world.most_informed_bets + 1))
    parts = dice.uniform(0.5, 1.5, count)
    low, high = world.informed_seconds
    before = np.sort(dice.uniform(max(low, 0.2), high, count))[::-1]
    return Bets(before=before, runner=np.full(count, runner), dollars=dollars * parts / parts.sum())


def scratchings(world: World, dice: Dice, before: Floats, count: int, keep: int | None) -> Flags:
    """Return who is scratched in which reading, (readings, runners); never the runner to keep."""
    scratched = np.zeros((len(before), count), bool)
    if world.scratches:
        out = int(dice.choice([each for each in range(count) if each != keep]))
        scratched[before <= float(dice.uniform(10, 240)), out] = True
    return scratched


def shown(world: World, bets: Bets, book: Book, polls: tuple[Floats, Flags], closes_at: float) -> tuple[Reading, ...]:
    """Return what polls show: `polls` are their seconds since the advertised start and who is scratched in each."""
    times, scratched = polls
    size = scratched.shape
    row = np.searchsorted(times, closes_at - bets.before)  # the first reading that shows a bet
    held = np.bincount(row * size[1] + bets.runner, bets.dollars, (size[0] + 1) * size[1])
    held = np.cumsum(held.reshape(-1, size[1]), 0)[: size[0]]
    held[scratched] = 0
    pool = held.sum(-1)
    paid = np.floor(10 * (1 - world.takeout) * pool[:, None] / np.maximum(held, 0.01)) / 10
    dividends = np.where(held > 0, np.maximum(paid, 1.0), np.nan)
    fixed = prices(world, times, held / pool[:, None], book(closes_at - times))
    fixed[scratched] = np.nan
    ids = tuple(str(number) for number in range(1, size[1] + 1))
    return tuple(
        Reading(
            polled_at=EPOCH + timedelta(seconds=at),
            seconds_since_start=at,
            status="Open" if at < closes_at else "Closed",
            win_pool_cents=round(100 * float(pool[place])),
            entrant_ids=ids,
            dividends=dividends[place],
            fixed_odds=fixed[place],
            is_scratched=scratched[place],
        )
        for place, at in enumerate(times.tolist())
    )


def beat(world: World, dice: Dice, closes_at: float) -> Floats:
    """Return when polls see the source's refreshes, and last a poll at the close."""
    first = -300.0 - float(dice.uniform(0, 60))
    count = int((closes_at - first) / world.refresh_seconds) + 1
    times = first + world.refresh_seconds * (np.arange(count) + dice.random())
    times += dice.uniform(0, 1, count) * world.jitter * world.refresh_seconds
    kept = times[(times < closes_at) & (dice.random(count) >= world.missed)]
    return np.append(np.sort(kept), closes_at + float(dice.uniform(0, 5)))


def prices(world: World, times: Floats, shares: Floats, chances: Floats) -> Floats:
    """Return fixed odds, (readings, runners), on a bookmaker's steps, from his view and what he follows of the tote."""
    if world.follow:
        lagged = np.searchsorted(times, times - world.follow_seconds)
        chances = chances ** (1 - world.follow) * np.maximum(shares[lagged], 1e-4) ** world.follow
        chances /= chances.sum(-1, keepdims=True)
    steps = np.array(LADDER)
    return steps[np.maximum(np.searchsorted(steps, 1 / (chances * OVERROUND), side="right") - 1, 0)]
