"""A race's readings laid side by side: what the pool held of each runner, when. PURE, numpy."""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct, structs

from moneyflow.late_money.prices import (
    HIGHEST_SUM,
    LOWEST_SUM,
    inverse,
    normalised,
    pool_shares,
    rounding_variance,
    shin_chances,
)
from moneyflow.late_money.records import Flags, Floats, Reading

MEMORY_SECONDS = 210.0  # what the numbers look back on
APART_SECONDS = 9.0  # between readings; increments of a few seconds show single bets, which look like late money
BY_RUNNER = ("dollars", "variance", "dividends", "fixed_odds", "chances", "is_live")


class Tape(Struct, frozen=True, kw_only=True, eq=False):
    """The distinct, complete readings of a race, oldest first: (readings,) or (readings, runners)."""

    entrant_ids: tuple[str, ...]
    at: Floats  # seconds since the advertised start
    pool: Floats  # dollars
    dollars: Floats
    variance: Floats  # of the dollars, from cut dividends
    dividends: Floats
    fixed_odds: Floats
    chances: Floats  # by the fixed odds, without margin
    is_live: Flags  # not scratched, with a dividend

    def __len__(self) -> int:
        return len(self.at)

    def of_live(self) -> "Tape":
        """Return the tape without runners that are scratched in any of its readings, or have no dividend."""
        live: Flags = np.logical_and.reduce(self.is_live)
        if live.all():
            return self
        parts = {name: getattr(self, name)[:, live] for name in BY_RUNNER}
        parts["chances"] = normalised(parts["chances"])
        ids = tuple(entrant_id for entrant_id, kept in zip(self.entrant_ids, live, strict=True) if kept)
        return structs.replace(self, entrant_ids=ids, **parts)


def tape_of(readings: Sequence[Reading]) -> Tape:
    """Lay readings, oldest first, side by side in the newest one's order of entrants.

    Left out are readings without a pool or with incomplete dividends, those that show what the one before showed
    (the source had not renewed its data), those MEMORY_SECONDS older than the newest that is left, and of a source
    that renews itself faster than each APART_SECONDS those between.
    """
    ids, size = readings[-1].entrant_ids, (len(readings), len(readings[-1].entrant_ids))
    aligned = [each if each.entrant_ids == ids else realigned(each, ids) for each in readings]
    scratched = np.concatenate([each.is_scratched for each in aligned]).reshape(size)
    dividends = np.concatenate([each.dividends for each in aligned]).reshape(size)
    fixed_odds = np.concatenate([each.fixed_odds for each in aligned]).reshape(size)
    dividends[scratched] = fixed_odds[scratched] = np.nan
    pool = np.array([each.win_pool_cents or 0 for each in aligned]) / 100
    rows = np.flatnonzero(are_complete(dividends) & (pool > 0))
    rows = rows[are_new(pool[rows], dividends[rows])]
    at = np.array([each.seconds_since_start for each in aligned], float)
    rows = rows[at[rows] >= at[rows].max(initial=-np.inf) - MEMORY_SECONDS]
    rows = rows[are_apart(at[rows], APART_SECONDS)]
    dividends = filled(dividends[rows], scratched[rows])
    pool = pool[rows]
    shares = pool_shares(dividends)
    dollars = shares * pool[:, None]
    fixed_odds = fixed_odds[rows]
    return Tape(
        entrant_ids=ids,
        at=at[rows],
        pool=pool,
        dollars=dollars,
        variance=rounding_variance(dollars, dividends),
        dividends=dividends,
        fixed_odds=fixed_odds,
        chances=shin_chances(fixed_odds, shares),
        is_live=dividends > 0,
    )


def realigned(reading: Reading, ids: tuple[str, ...]) -> Reading:
    """Return a reading in another order of entrants. One that it does not name is unknown and not scratched."""
    places = {entrant_id: place for place, entrant_id in enumerate(reading.entrant_ids)}
    order = [places.get(entrant_id, -1) for entrant_id in ids]
    return Reading(
        polled_at=reading.polled_at,
        seconds_since_start=reading.seconds_since_start,
        status=reading.status,
        win_pool_cents=reading.win_pool_cents,
        entrant_ids=ids,
        dividends=np.append(reading.dividends, np.nan)[order],
        fixed_odds=np.append(reading.fixed_odds, np.nan)[order],
        is_scratched=np.append(reading.is_scratched, False)[order],
    )


def are_complete(dividends: Floats) -> Flags:
    """Say of each reading whether its dividends fit one pool: Σ 1/d is 1/(1 − takeout), about 1.17–1.22."""
    total = inverse(dividends).sum(-1)
    return (total >= LOWEST_SUM) & (total <= HIGHEST_SUM)  # type: ignore[no-any-return]


def are_new(pool: Floats, dividends: Floats) -> Flags:
    """Say of each reading whether it shows something else than the one before it."""
    new = np.ones(len(pool), bool)
    same = (dividends[1:] == dividends[:-1]) | ((dividends[1:] != dividends[1:]) & (dividends[:-1] != dividends[:-1]))
    new[1:] = (pool[1:] != pool[:-1]) | ~same.all(-1)
    return new


def are_apart(at: Floats, seconds: float) -> Flags:
    """Say which of some instants stay: the last one, and going back each that is `seconds` before the next."""
    apart = np.zeros(len(at), bool)
    following = np.inf
    for place, instant in reversed(list(enumerate(at.tolist()))):
        apart[place] = following - instant >= seconds
        following = instant if apart[place] else following
    return apart


def filled(dividends: Floats, scratched: Flags) -> Floats:
    """Give a live runner without a dividend its last known one, else its first: no money seems to have come."""
    missing = ~(dividends > 0) & ~scratched
    if not missing.any():
        return dividends
    result = dividends.copy()
    for row in range(1, len(result)):
        result[row] = np.where(missing[row], result[row - 1], result[row])
    for row in range(len(result) - 2, -1, -1):
        result[row] = np.where(~(result[row] > 0) & ~scratched[row], result[row + 1], result[row])
    return result
