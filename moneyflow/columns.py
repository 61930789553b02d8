"""SERVE: a race's history as columns, made into JSON by PostgreSQL in one statement. No row passes through Python."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

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

# The runners of a race share the instants of its polls, so these are told once; only who differs tells its own.
# Instants are told in whole milliseconds, so what comes after one begins with the next: nothing is told twice.
HISTORY = """
WITH money AS MATERIALIZED (
    SELECT entrant_id, array_agg(event_timestamp ORDER BY event_timestamp) AS instants{columns}
    FROM money_flow_history
    WHERE race_id = %(race_id)s AND event_timestamp >= %(since)s AND event_timestamp < %(until)s AND %(has_money)s
      AND event_timestamp >= date_trunc('milliseconds', %(after)s::timestamptz) + interval '1 millisecond'
    GROUP BY entrant_id
), every AS (
    SELECT CASE WHEN min(instants) = max(instants) THEN min(instants)
        ELSE (SELECT array_agg(DISTINCT at ORDER BY at) FROM money, unnest(instants) AS at) END AS instants
    FROM money
), race AS MATERIALIZED (
    SELECT coalesce(instants[cardinality(instants) - %(most)s + 1:], '{}') AS instants FROM every
), price AS (
    SELECT entrant_id, json_object_agg(type, columns ORDER BY type) AS odds
    FROM (
        SELECT entrants.entrant_id, type, json_build_object(
            'timestamps', array_agg(floor(extract(epoch FROM event_timestamp) * 1000) ORDER BY event_timestamp),
            'odds', array_agg(odds ORDER BY event_timestamp)) AS columns
        FROM entrants CROSS JOIN LATERAL (
            SELECT type, odds, event_timestamp FROM odds_history
            WHERE odds_history.entrant_id = entrants.entrant_id AND %(has_odds)s
              AND event_timestamp >= %(since)s AND event_timestamp < %(until)s
              AND event_timestamp >= date_trunc('milliseconds', %(after)s::timestamptz) + interval '1 millisecond'
            ORDER BY event_timestamp DESC, type DESC LIMIT %(most)s) AS move
        WHERE race_id = %(race_id)s GROUP BY entrants.entrant_id, type) AS moved
    GROUP BY entrant_id
)
SELECT json_build_object(
    'race_id', %(race_id)s::text,
    'pool_type', %(pool_type)s::text,
    'timestamps', coalesce((SELECT array_agg(floor(extract(epoch FROM at) * 1000)) FROM unnest(instants) AS at), '{}'),
    'entrants', coalesce(
        (SELECT json_agg(json_build_object('entrant_id', entrant_id, 'runner_number', runner_number,
                'own_timestamps', CASE WHEN money.instants IS DISTINCT FROM race.instants THEN coalesce(
                    (SELECT array_agg(floor(extract(epoch FROM at) * 1000)) FROM unnest(money.instants) AS at),
                    '{}') END{keys})
            ORDER BY runner_number, entrant_id)
         FROM entrants LEFT JOIN money USING (entrant_id) LEFT JOIN price USING (entrant_id)
         WHERE race_id = %(race_id)s),
        '[]'))::text
FROM race
"""


def span_of(start: datetime) -> dict[str, datetime]:
    """This function will return the bounds `since` and `until` of a race's history, for it to be read from."""
    return {"since": start - BEFORE_START, "until": start + AFTER_START}


def history_statement(pool_type: PoolType | None) -> str:
    """This function will write the statement for what is asked: money columns by pool, odds unless a pool is named."""
    names = MONEY_COLUMNS[pool_type]
    columns = [f", array_agg({name} ORDER BY event_timestamp) AS {name}" for name in names]
    keys = [f", '{name}', coalesce(money.{name}, '{{}}')" for name in names]
    odds = [", 'odds', coalesce(price.odds, '{}')"] if pool_type in {None, PoolType.ODDS} else []
    return HISTORY.replace("{columns}", "".join(columns)).replace("{keys}", "".join([*keys, *odds]))


def read_history(
    race_id: str, start: datetime, *, since: datetime | None = None, pool_type: PoolType | None = None
) -> dict[str, Any]:
    """This function will read the history of a race after `since`, oldest first, in one query.

    Shape: {race_id, pool_type, timestamps[n] in epoch ms, entrants[{entrant_id, runner_number, <column>[n] …,
    odds{type: {timestamps[m], odds[m]}}}]}. At most the newest 2000 readings and 2000 prices an entrant.
    """
    bounds = span_of(start)
    parameters = {
        **bounds,
        "after": since or bounds["since"],
        "race_id": race_id,
        "pool_type": pool_type,
        "has_money": pool_type is not PoolType.ODDS,
        "has_odds": pool_type in {None, PoolType.ODDS},
        "most": MOST_READINGS,
    }
    with replicas.connection().cursor() as cursor:
        cursor.execute(history_statement(pool_type), parameters)
        (body,) = cursor.fetchone()
    told: dict[str, Any] = msgspec.json.decode(body)
    for entrant in told["entrants"]:
        own = entrant.pop("own_timestamps")
        if own is not None:
            entrant |= {name: aligned(own, entrant[name], told["timestamps"]) for name in MONEY_COLUMNS[pool_type]}
    return told


def aligned(own: Sequence[int], column: Sequence[Any], timestamps: Sequence[int]) -> list[Any]:
    """This function will place a column of an entrant's own timestamps at those of the race; None where it has none.

    >>> aligned([2], [7.0], [1, 2])
    [None, 7.0]
    """
    values = dict(zip(own, column, strict=True))
    return [values.get(at) for at in timestamps]
