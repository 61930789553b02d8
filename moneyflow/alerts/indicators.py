"""The colours that the original client shows, from the timeline's documents and a user's ranges."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from moneyflow.history.columns import PoolType

Column = Mapping[str, float | None]  # of one bucket, by entrant
INCREMENTS = {PoolType.WIN: "incremental_win_amount", PoolType.PLACE: "incremental_place_amount"}


def moves(documents: Iterable[Mapping[str, Any]], pool_type: PoolType) -> dict[float, dict[str, float]]:
    """Return by bucket, the earliest first, and by entrant what the client compares with its ranges.

    For money: share of the bucket's new money, in points above the share of the bucket before. For odds: percent by
    which the fixed price has shortened since the bucket before.
    """
    name = INCREMENTS.get(pool_type, "fixed_win_odds")
    found: defaultdict[float, dict[str, float | None]] = defaultdict(dict)
    for document in documents:
        found[document["time_interval"]][document["entrant_id"]] = document[name]
    columns: list[tuple[float, Column]] = [(bucket, found[bucket]) for bucket in sorted(found, reverse=True)]
    move: Callable[[float, float], float] = _points
    if pool_type is PoolType.ODDS:
        move = _shortening
    else:
        columns = [(bucket, shares(column)) for bucket, column in columns]
    return {bucket: _between(before, after, move) for (_, before), (bucket, after) in pairwise(columns)}


def shares(increments: Column) -> Column:
    """Return each entrant's percentage of the new money of a bucket; money that went counts as none."""
    came = {entrant_id: max(0.0, cents) for entrant_id, cents in increments.items() if cents is not None}
    total = sum(came.values())
    return {entrant_id: 100 * cents / total for entrant_id, cents in came.items()} if total else {}


def indicator_of(value: float, indicators: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the user's first enabled indicator whose range has a value: from its minimum to below its maximum."""
    by_order = sorted(indicators, key=lambda indicator: int(indicator["display_order"]))
    return next((each for each in by_order if each["enabled"] and _has(each, value)), None)


def _has(indicator: Mapping[str, Any], value: float) -> bool:
    highest = indicator["percentage_range_max"]
    return bool(indicator["percentage_range_min"] <= value and (highest is None or value < highest))


def _between(before: Column, after: Column, move: Callable[[float, float], float]) -> dict[str, float]:
    pairs = {entrant_id: (before.get(entrant_id), value) for entrant_id, value in after.items()}
    return {name: move(old, new) for name, (old, new) in pairs.items() if old is not None and new is not None}


def _points(before: float, after: float) -> float:
    return after - before


def _shortening(before: float, after: float) -> float:
    return 100 * (before - after) / before
