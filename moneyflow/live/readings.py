"""PURE: a stored reading as the streams tell it, and how a client adds it to a history as columns."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from moneyflow.transform.records import MoneyFlow
from raceday.feed.records import RaceSnapshot
from raceday.racing_day import nz_iso

COLUMNS = (
    *("hold_percentage", "win_pool_amount", "win_pool_percentage", "incremental_win_amount"),
    *("place_pool_amount", "place_pool_percentage", "incremental_place_amount"),
    *("fixed_win_odds", "fixed_place_odds", "pool_win_odds", "pool_place_odds"),
)
EPOCH = datetime.fromtimestamp(0, UTC)
MILLISECOND = timedelta(milliseconds=1)
History = Mapping[str, Any]


def reading_data(snapshot: RaceSnapshot, flow: MoneyFlow, *, polled_at: datetime) -> dict[str, Any]:
    """Return a poll's reading: one column for each name, with a value for each runner that is not scratched.

    Shape: {race_id, polled_at, timestamp, previous_timestamp, entrant_ids[n], <column>[n] …}. Timestamps are whole
    epoch milliseconds, as in histories; the previous one is None in a race's first reading. Amounts are in cents.
    """
    return {
        "race_id": snapshot.race_id,
        "polled_at": nz_iso(polled_at),
        "timestamp": (snapshot.generated_at - EPOCH) // MILLISECOND,
        "previous_timestamp": flow.previous_at and (flow.previous_at - EPOCH) // MILLISECOND,
        "entrant_ids": [point.entrant_id for point in flow.points],
        **{name: [getattr(point, name) for point in flow.points] for name in COLUMNS},
    }


def with_reading(history: History, data: Mapping[str, Any]) -> History | None:
    """Return a history as columns after one more reading; unchanged if it has the reading.

    None means that the history must be read again: it does not end with the reading before this one, or it has no
    columns of a runner.
    """
    timestamps, entrants = history["timestamps"], history["entrants"]
    if data["timestamp"] in timestamps:
        return history
    places = {entrant_id: place for place, entrant_id in enumerate(data["entrant_ids"])}
    known = {entrant["entrant_id"] for entrant in entrants if not entrant.keys().isdisjoint(COLUMNS)}
    is_next = data["previous_timestamp"] == (timestamps[-1] if timestamps else None)
    if not is_next or not places.keys() <= known:
        return None
    longer = [
        entrant
        | {
            name: [
                *entrant[name],
                data[name][place] if (place := places.get(entrant["entrant_id"])) is not None else None,
            ]
            for name in COLUMNS
            if name in entrant
        }
        for entrant in entrants
    ]
    return {**history, "timestamps": [*timestamps, data["timestamp"]], "entrants": longer}
