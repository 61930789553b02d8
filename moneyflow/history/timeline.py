"""SERVE: readings grouped into one document for each bucket and entrant, and the cursor that visits each exactly once.

Entrant and bucket identify a document. While the bucket fills, the document grows, and new documents may appear. So
paging by cursor first covers the readings that were stored when it began, which no later reading changes. Then it
covers documents that have appeared since, but never one that it has shown. `created_after` brings documents that have
grown. Readings stored later have higher ids, because polls of one race are written one by one.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Self

import msgspec
from django.core.signing import BadSignature, Signer
from msgspec import Struct

from moneyflow.history.columns import PoolType, span_of
from moneyflow.history.coverage import Covered, coverage
from raceday import replicas
from raceday.racing_day import NZ, nz_iso

VALUE_COLUMNS = {
    PoolType.WIN: "win_pool_amount",
    PoolType.PLACE: "place_pool_amount",
    PoolType.ODDS: "coalesce(fixed_win_odds, fixed_place_odds, pool_win_odds, pool_place_odds)",
}

# Paging sees the readings up to its horizon. Later readings still show that a baseline was reset.
# A late poll corrects the increments of the readings that follow it, so an instant counts as changed if the one before
# it has changed. A span is the readings after one document's reading, up to the next document's. A document's increment
# depends on its bucket, its span and the document before it: if one of them has changed, so has the document. The first
# document's increment is its whole amount.
TIMELINE = """
WITH stored AS MATERIALIZED (
    SELECT * FROM money_flow_history
    WHERE race_id = %(race_id)s AND event_timestamp >= %(since)s AND event_timestamp < %(until)s
), walk AS MATERIALIZED (
    SELECT coalesce(%(horizon)s, max(id), 0) AS horizon, coalesce(%(base)s, max(id), 0) AS base FROM stored
), instant AS (
    SELECT event_timestamp, greatest(max(created_at), lag(max(created_at)) OVER (ORDER BY event_timestamp)) AS told_at
    FROM stored CROSS JOIN walk WHERE id <= horizon GROUP BY event_timestamp
), bucketed AS MATERIALIZED (
    SELECT stored.*,
        min(id) OVER bucket AS first_id,
        max(told_at) OVER bucket AS grown_at,
        event_timestamp = max(event_timestamp) FILTER (WHERE id <= horizon) OVER bucket AS is_last
    FROM stored CROSS JOIN walk LEFT JOIN instant USING (event_timestamp)
    WHERE entrant_id = ANY(%(entrant_ids)s)
    WINDOW bucket AS (PARTITION BY entrant_id, time_interval)
), spanned AS (
    SELECT *, count(*) FILTER (WHERE is_last) OVER (PARTITION BY entrant_id ORDER BY event_timestamp
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS span
    FROM bucketed
), span AS (
    SELECT entrant_id, span, max(grown_at) AS touched_at, bool_or(incremental_win_amount IS NULL) AS is_win_reset,
        bool_or(incremental_place_amount IS NULL) AS is_place_reset
    FROM spanned GROUP BY entrant_id, span
), document AS (
    SELECT spanned.*, {value} IS NOT NULL AS has_value,
        greatest(touched_at, lag(grown_at) OVER earlier) AS changed_at,
        CASE WHEN row_number() OVER earlier = 1 THEN win_pool_amount
            WHEN NOT is_win_reset THEN win_pool_amount - lag(win_pool_amount) OVER earlier END AS win_increment,
        CASE WHEN row_number() OVER earlier = 1 THEN place_pool_amount
            WHEN NOT is_place_reset THEN place_pool_amount - lag(place_pool_amount) OVER earlier END AS place_increment
    FROM spanned JOIN span USING (entrant_id, span) WHERE is_last
    WINDOW earlier AS (PARTITION BY entrant_id ORDER BY event_timestamp)
), matching AS (
    SELECT * FROM document WHERE %(created_after)s::timestamptz IS NULL OR changed_at > %(created_after)s
), page AS (
    SELECT entrant_id || ':' || trim_scale(time_interval) AS id, race_id, entrant_id, 'bucketed_aggregation' AS type,
        time_interval, time_to_start, interval_type, hold_percentage, win_increment AS incremental_win_amount,
        place_increment AS incremental_place_amount, win_pool_amount, place_pool_amount, win_pool_percentage,
        place_pool_percentage, fixed_win_odds, fixed_place_odds, pool_win_odds, pool_place_odds, event_timestamp,
        polling_timestamp, created_at
    FROM matching
    WHERE first_id > %(shown)s
      AND (%(at)s::timestamptz IS NULL OR (event_timestamp, entrant_id) > (%(at)s::timestamptz, %(entrant_id)s))
    ORDER BY event_timestamp, entrant_id LIMIT %(limit)s + 1
)
SELECT json_build_object(
    'horizon', walk.horizon,
    'base', walk.base,
    'newest_created_at', (SELECT max(created_at) FROM stored WHERE id <= walk.base),
    'has_appeared', EXISTS (SELECT FROM bucketed WHERE first_id > walk.horizon),
    'total', (SELECT count(*) FROM matching),
    'entrants', coalesce(
        (SELECT json_agg(covered) FROM (
            SELECT entrant_id, count(*) AS document_count,
                array_agg(time_interval ORDER BY time_interval DESC) FILTER (WHERE has_value) AS intervals_covered
            FROM document GROUP BY entrant_id) AS covered),
        '[]'),
    'documents', coalesce((SELECT json_agg(page ORDER BY event_timestamp, entrant_id) FROM page), '[]'))::text
FROM walk
"""


class Document(Struct, frozen=True):
    """The last reading of an entrant in a bucket, with the increments from the bucket before it; cents.

    Those of an entrant's first document are its amounts themselves.
    """

    id: str
    race_id: str
    entrant_id: str
    type: str
    time_interval: float
    time_to_start: int
    interval_type: str
    hold_percentage: float | None
    incremental_win_amount: int | None
    incremental_place_amount: int | None
    win_pool_amount: int | None
    place_pool_amount: int | None
    win_pool_percentage: float | None
    place_pool_percentage: float | None
    fixed_win_odds: float | None
    fixed_place_odds: float | None
    pool_win_odds: float | None
    pool_place_odds: float | None
    event_timestamp: datetime
    polling_timestamp: datetime
    created_at: datetime


class _Page(Struct, frozen=True):
    horizon: int
    base: int
    newest_created_at: datetime | None
    has_appeared: bool
    total: int
    entrants: list[Covered]
    documents: list[Document]


class Cursor(NamedTuple):
    """Where paging stands.

    base: the highest reading id when it began. horizon: the highest id it sees now. Documents of readings up to `shown`
    are done; of the others, those up to (`at`, `entrant_id`) are done.
    """

    race_id: str
    base: int | None = None
    shown: int = 0
    horizon: int | None = None
    at: str | None = None
    entrant_id: str = ""

    def write(self) -> str:
        """Write the cursor as the word a client sends back."""
        return _signer.sign_object(list(self))

    @classmethod
    def read(cls, word: str) -> Self:
        """Read what `write` wrote; ValueError for any other word."""
        try:
            return cls(*_signer.unsign_object(word))
        except BadSignature:
            raise ValueError("not a cursor") from None


# Signed, so that a cursor which a client has invented never reaches the statement.
_signer = Signer(salt="moneyflow.history.timeline")
_decoder = msgspec.json.Decoder(_Page)


def read_timeline(start: datetime, query: Mapping[str, Any]) -> dict[str, Any]:
    """Read one page of a race's documents, ordered by time, in one query.

    query: race_id, entrants, pool_type, limit, and if given cursor_after (a Cursor) and created_after.
    Shape: the body of /api/money-flow-timeline. next_created_at belongs to the state with which paging began.
    """
    cursor = query.get("cursor_after") or Cursor(query["race_id"])
    created_after = query.get("created_after")
    page = _read(start, query, cursor)
    documents = page.documents[: query["limit"]]
    following = _next(cursor, page, documents)
    return {
        "success": True,
        "documents": [_told(document) for document in documents],
        "total": page.total,
        "race_id": query["race_id"],
        "entrant_ids": list(query["entrants"]),
        "pool_type": query["pool_type"],
        "bucketed_data": True,
        "interval_coverage": coverage(page.entrants, query["entrants"]),
        "next_cursor": following.write() if following else None,
        "next_created_at": _exact(page.newest_created_at or created_after),
        "limit": query["limit"],
        "created_after": _exact(created_after),
        **({} if documents else {"message": "nothing new" if page.entrants else "no readings of these entrants yet"}),
    }


def _read(start: datetime, query: Mapping[str, Any], cursor: Cursor) -> _Page:
    parameters = {
        **span_of(start),
        **cursor._asdict(),
        "entrant_ids": list(query["entrants"]),
        "created_after": query.get("created_after"),
        "limit": query["limit"],
    }
    with replicas.connection().cursor() as database:
        database.execute(TIMELINE.replace("{value}", VALUE_COLUMNS[query["pool_type"]]), parameters)
        (page,) = database.fetchone()
    return _decoder.decode(page)


def _next(cursor: Cursor, page: _Page, documents: Sequence[Document]) -> Cursor | None:
    if len(page.documents) > len(documents):
        last = documents[-1]
        at = last.event_timestamp.isoformat()
        return cursor._replace(base=page.base, horizon=page.horizon, at=at, entrant_id=last.entrant_id)
    if page.has_appeared:
        return Cursor(cursor.race_id, base=page.base, shown=page.horizon)
    return None


def _told(document: Document) -> dict[str, Any]:
    instants = ("event_timestamp", "polling_timestamp", "created_at")
    return msgspec.structs.asdict(document) | {name: nz_iso(getattr(document, name)) for name in instants}


def _exact(instant: datetime | None) -> str | None:
    # To the microsecond, as it is stored: cut to milliseconds it would bring the newest documents again and again.
    return None if instant is None else instant.astimezone(NZ).isoformat(timespec="microseconds")
