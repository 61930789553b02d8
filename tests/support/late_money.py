"""Readings of a race for the late-money detector, by hand or from the worlds."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from moneyflow.late_money.prices import normalised
from moneyflow.late_money.records import Floats, Reading
from moneyflow.late_money.tape import Tape

START = datetime(2026, 11, 21, 2, 30, tzinfo=UTC)


def reading(at: float, *, pool: int | None = 1_000_000, dividends: Sequence[float] = (), **changes: object) -> Reading:
    """Return a poll `at` seconds after the advertised start, of runners a, b, c …, in an open race."""
    paid = np.array(dividends or (1.6, 3.3, 3.3), float)
    values = {
        "polled_at": START + timedelta(seconds=at),
        "seconds_since_start": at,
        "status": "Open",
        "win_pool_cents": pool,
        "entrant_ids": tuple("abcdefghijklmnop"[: len(paid)]),
        "dividends": paid,
        "fixed_odds": paid.copy(),
        "is_scratched": np.zeros(len(paid), bool),
    }
    return Reading(**(values | changes))  # type: ignore[arg-type]


def growing(count: int = 8, *, step: float = 15.0) -> list[Reading]:
    """Return an ordinary race's polls, the last one at the advertised start: the pool grows, prices stand."""
    return [reading((number + 1 - count) * step, pool=1_000_000 + 50_000 * number) for number in range(count)]


def tape(at: Sequence[float], dollars: Sequence[Sequence[float]], chances: Sequence[float]) -> Tape:
    """Return a tape of exact dollars, without rounding."""
    held: Floats = np.array(dollars, float)
    return Tape(
        entrant_ids=tuple("abcdefghijklmnop"[: held.shape[1]]),
        at=np.array(at, float),
        pool=held.sum(-1),
        dollars=held,
        variance=np.zeros_like(held),
        dividends=1 / np.maximum(normalised(held), 1e-9),
        fixed_odds=np.tile(1 / np.array(chances), (len(held), 1)),
        chances=np.tile(chances, (len(held), 1)),
        is_live=np.ones_like(held, bool),
    )
