"""SERVE: a race's history as columns, made into JSON by PostgreSQL in one statement. No row passes through Python."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any

import msgspec
from msgspec import Raw, Struct

from raceday import replicas

# How far from its advertised start a race's history can lie: the bounds that prune partitions.
BEFORE_START = timedelta(days=8)
AFTER_START = timedelta(days=2)
MOST_READINGS = 2000


class PoolType(StrEnum):
    """What a client looks at: money in one of the two pools, or prices."""

    WIN = "win"
    PLACE = "place"
    ODDS = "odds"


MONEY_COLUMNS = {
    PoolType.WIN: ("hold_percentage", "win_pool_amount", "win_pool_percentage", "incremental_win_amount"),
    PoolType.PLACE: ("hold_percentage", "place_pool_amount", "place_pool_percentage", "incremental_place_amount"),
    PoolType.ODDS: (),
    None: (
        "hold_percentage",
        "win_pool_amount",
        "win_pool_percentage",
        "incremental_win_amount",
        "place_pool_amount",
        "place_pool_percentage",
        "incremental_place_amount",
    ),
}

# Whole milliseconds since 1970, exactly: a float holds these microseconds to a quarter of one. Numeric takes longer.
EPOCH_MS = "(date_part('epoch', {instant}) * 1000000)::bigint / 1000"

# Runners share the instants of their race's polls, so these are listed once; a runner that differs has its own.
HISTORY = """
WITH money AS MATERIALIZED (
    SELECT runner.entrant_id, runner.runner_number, reading.*
    FROM entrants AS runner CROSS JOIN LATERAL (
        SELECT array_agg(event_timestamp ORDER BY event_timestamp) AS instants{columns}
        FROM money_flow_history
        WHERE entrant_id = runner.entrant_id AND race_id = %(race_id)s AND %(has_money)s
          AND event_timestamp >= %(since)s AND event_timestamp < %(until)s) AS reading
    WHERE runner.race_id = %(race_id)s
), every AS (
    SELECT CASE WHEN min(instants) = max(instants) THEN min(instants)
        ELSE (SELECT array_agg(DISTINCT at ORDER BY at) FROM money, unnest(instants) AS at) END AS instants
    FROM money
), race AS MATERIALIZED (
    SELECT coalesce(instants[cardinality(instants) - %(most)s + 1:], '{}') AS instants FROM every
)
SELECT json_build_object(
    'race_id', %(race_id)s::text,
    'pool_type', %(pool_type)s::text,
    'timestamps', coalesce((SELECT array_agg({ms_of_at}) FROM unnest(instants) AS at), '{}'),
    'entrants', coalesce(
        (SELECT json_agg(json_build_object('entrant_id', entrant_id, 'runner_number', runner_number,
                'own_timestamps', CASE WHEN money.instants IS DISTINCT FROM race.instants THEN coalesce(
                    (SELECT array_agg({ms_of_at}) FROM unnest(money.instants) AS at), '{}') END{keys})
            ORDER BY runner_number, entrant_id)
         FROM money),
        '[]'))::text
FROM race
"""
ODDS = """coalesce(
    (SELECT json_object_agg(type, prices ORDER BY type) FROM (
        SELECT type, json_build_object(
            'timestamps', array_agg({ms_of_event} ORDER BY event_timestamp),
            'odds', array_agg(odds ORDER BY event_timestamp)) AS prices
        FROM (
            SELECT type, odds, event_timestamp FROM odds_history
            WHERE entrant_id = money.entrant_id AND event_timestamp >= %(since)s AND event_timestamp < %(until)s
            ORDER BY event_timestamp DESC, type DESC LIMIT %(most)s) AS move
        GROUP BY type) AS moved),
    '{}')"""


class _Written(Struct):
    """A history as PostgreSQL wrote it: a column stays the bytes it is, unless its entrant needs nulls."""

    race_id: str
    pool_type: str | None
    timestamps: Raw
    entrants: list[dict[str, Raw]]


_written = msgspec.json.Decoder(_Written)


def span_of(start: datetime) -> dict[str, datetime]:
    """Return the bounds `since` and `until` between which a race's history is read."""
    return {"since": start - BEFORE_START, "until": start + AFTER_START}


@cache
def history_statement(names: tuple[str, ...], *, has_odds: bool) -> str:
    """Return the statement that reads these columns, with or without the prices as they moved."""
    columns = [f", array_agg({name} ORDER BY event_timestamp) AS {name}" for name in names]
    keys = [f", '{name}', coalesce(money.{name}, '{{}}')" for name in names]
    odds = [f", 'odds', {ODDS}"] if has_odds else []
    return (
        HISTORY.replace("{columns}", "".join(columns))
        .replace("{keys}", "".join([*keys, *odds]))
        .replace("{ms_of_at}", EPOCH_MS.format(instant="at"))
        .replace("{ms_of_event}", EPOCH_MS.format(instant="event_timestamp"))
    )


def read_history(
    race_id: str, start: datetime, *, since: datetime | None = None, pool_type: PoolType | None = None
) -> dict[str, Any]:
    """Read the history of a race after `since`, oldest first, in one query, for msgspec to encode.

    Shape: {race_id, pool_type, timestamps[n] in epoch ms, entrants[{entrant_id, runner_number, <column>[n] …,
    odds{type: {timestamps[m], odds[m]}}}]}. At most the newest 2000 readings and 2000 prices an entrant.
    """
    bounds = span_of(start)
    if since is not None:
        bounds["since"] = max(bounds["since"], next_millisecond(min(since, bounds["until"])))
    parameters = {
        **bounds,
        "race_id": race_id,
        "pool_type": pool_type,
        "has_money": pool_type is not PoolType.ODDS,
    }
    names = MONEY_COLUMNS[pool_type]
    statement = history_statement(names, has_odds=pool_type in {None, PoolType.ODDS})
    written = _read(statement, parameters, names)
    return msgspec.structs.asdict(written)


def read_columns(race_id: str, start: datetime, names: tuple[str, ...]) -> dict[str, Any]:
    """Read some columns of a race's whole history: as `read_history` does, but decoded, and without moves of prices."""
    parameters = {**span_of(start), "race_id": race_id, "pool_type": None, "has_money": True}
    written = _read(history_statement(names, has_odds=False), parameters, names)
    decoded: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(written))
    return decoded


def _read(statement: str, parameters: dict[str, Any], names: Sequence[str]) -> _Written:
    with replicas.connection().cursor() as cursor:
        cursor.execute(statement, {**parameters, "most": MOST_READINGS})
        (body,) = cursor.fetchone()
    written = _written.decode(body)
    for entrant in written.entrants:
        own = msgspec.json.decode(entrant.pop("own_timestamps"))
        if own is not None:
            timestamps = msgspec.json.decode(written.timestamps)
            for name in names:
                column = aligned(own, msgspec.json.decode(entrant[name]), timestamps)
                entrant[name] = Raw(msgspec.json.encode(column))
    return written


def next_millisecond(instant: datetime) -> datetime:
    """Return the beginning of the next millisecond, because responses have whole milliseconds.

    >>> next_millisecond(datetime(2026, 11, 21, 2, 29, 0, 214_999)).microsecond
    215000
    """
    return instant - timedelta(microseconds=instant.microsecond % 1000) + timedelta(milliseconds=1)


def aligned(own: Sequence[int], column: Sequence[Any], timestamps: Sequence[int]) -> list[Any]:
    """Place a column with an entrant's own timestamps at those of the race; None where it has no value.

    >>> aligned([2], [7.0], [1, 2])
    [None, 7.0]
    """
    values = dict(zip(own, column, strict=True))
    return [values.get(at) for at in timestamps]
