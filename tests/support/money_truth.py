"""What the money of a simulated race truly did between polls, as readings and as the documents of its timeline."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import groupby

from raceday.simulator.market import MarketState
from tests.support.day_truth import Followed, Json, Poll, holds, nz, prices, told_pools

BUCKETS = (*range(5), *range(5, 65, 5))
STEPS = ((1800, "5m"), (300, "2m"), (0, "30s"))
POOLS = ("win", "place")


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """One runner's money as one reading tells of it, by pool; basis: what all shares of the pool came from."""

    poll: Poll
    shares: dict[str, Fraction]
    cents: dict[str, int | None]
    hold: int
    prices: dict[str, float | None]
    basis: dict[str, tuple[bool, frozenset[int]]]


def money_by_runner(followed: Followed) -> dict[int, list[Money]]:
    """List each runner's readings, oldest first; a scratched one has no more."""
    told: dict[int, list[Money]] = {index: [] for index in range(len(followed.race.runners))}
    for poll in followed.readings:
        for index, each in money(followed, poll).items():
            told[index].append(each)
    return told


@lru_cache(maxsize=1024)
def money(followed: Followed, poll: Poll) -> dict[int, Money]:
    """Derive the money on each runner of the field from its dividends, or from the holds."""
    state, held = poll.state, holds(followed, poll.state)
    field = frozenset(range(len(followed.race.runners))) - state.scratched
    hold = {index: held[followed.race.runners[index].entrant_id] for index in field}
    pools = told_pools(state)
    cents = {"win": pools.get("Win"), "place": pools.get("Place")}
    shares, basis = {}, {}
    for pool in POOLS:
        weights = weights_of(state, pool, field)
        basis[pool] = bool(weights), field
        shares[pool] = normalised(weights or {index: Fraction(each) for index, each in hold.items()})
    return {
        index: Money(
            poll=poll,
            shares={pool: shares[pool][index] for pool in POOLS},
            cents={pool: part(cents[pool], shares[pool][index]) for pool in POOLS},
            hold=hold[index],
            prices=prices(followed, state, index),
            basis=basis,
        )
        for index in field
    }


def part(cents: int | None, share: Fraction) -> int | None:
    return None if cents is None else round(cents * share)


def weights_of(state: MarketState, pool: str, field: frozenset[int]) -> dict[int, Fraction]:
    """Weigh runners by 1/dividend; one cut down to 10 c stands for 5 c more. Empty without any."""
    tenths = state.win_dividends if pool == "win" else state.place_dividends
    paid = {index: each for index in field if (each := tenths[index]) is not None}
    return {index: 1 / (Fraction(paid[index], 10) + Fraction(1, 20)) for index in field} if paid else {}


def normalised(weights: dict[int, Fraction]) -> dict[int, Fraction]:
    total = sum(weights.values(), Fraction(0))
    return {index: weight / total for index, weight in weights.items()}


def documents(followed: Followed) -> Iterator[Json]:
    """Tell the timeline: a runner's last reading in a bucket, and what came in since the one before;
    at the first, all there is.

    What came in is unknown where a reading in between cannot be compared: another field, another basis.
    """
    for index, readings in money_by_runner(followed).items():
        before: Money | None = None
        for interval, group in groupby(readings, key=lambda each: bucket(seconds_to_start(followed, each))):
            chain = [*([before] if before else []), *group]
            told = _document(followed, index, chain[-1]) | {"time_interval": interval}
            for pool in POOLS:
                is_alike = all(each.basis[pool] == chain[0].basis[pool] for each in chain)
                told[f"incremental_{pool}_amount"] = came_in(chain, pool, before) if is_alike or not before else None
            before = chain[-1]
            yield told


def came_in(chain: list[Money], pool: str, before: Money | None) -> int | None:
    """Return the money that came in with a chain of readings, None where one of them is unknown."""
    amounts = [each.cents[pool] for each in chain]
    known = [amount for amount in amounts if amount is not None]
    if not before:
        return amounts[-1]
    return known[-1] - known[0] if len(known) == len(amounts) else None


def seconds_to_start(followed: Followed, each: Money) -> int:
    return int((followed.start - each.poll.generated_at).total_seconds() // 1)


def bucket(seconds: int) -> float:
    """Return the column of a time to start: 60, 55 … 5, 4 … 0 minutes, then −0.5, −1 …"""
    return seconds // 30 / 2 if seconds < 0 else max(each for each in BUCKETS if each * 60 <= seconds)


def _document(followed: Followed, index: int, each: Money) -> Json:
    seconds = seconds_to_start(followed, each)
    return {
        "race_id": followed.race.race_id,
        "entrant_id": followed.race.runners[index].entrant_id,
        "type": "bucketed_aggregation",
        "time_to_start": seconds // 60,
        "interval_type": next((name for limit, name in STEPS if seconds > limit), "live"),
        "hold_percentage": each.hold,
        **{f"{pool}_pool_amount": each.cents[pool] for pool in POOLS},
        **{f"{pool}_pool_percentage": float(round(100 * each.shares[pool], 4)) for pool in POOLS},
        **{f"{name}_odds": price for name, price in each.prices.items()},
        "event_timestamp": nz(each.poll.generated_at),
        "polling_timestamp": nz(each.poll.polled_at),
    }
