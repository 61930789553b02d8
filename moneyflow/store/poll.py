"""Room 4, WRITE: what is stored of a race in one indexed query, what a poll changes in one statement.

A statement is its own transaction here: when it returns, it is committed. A write compares and sets the
version of the race's mark, so polls of one race are written one after the other, by whatever workers.
"""

from collections.abc import Container
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from moneyflow.archive.store import PackedAnswer
from moneyflow.late_money.alerts import WINDOW, RaisedAlert, WindowReading, matters
from moneyflow.store import statements
from moneyflow.store.statements import MARK_UNCHANGED, OF_OTHER_RACES, READ_STATE, SELDOM
from moneyflow.transform.records import UNRECORDED, Basis, MoneyFlow, Outcome, RaceState, Reading, RecordedOdds
from raceday.feed.records import MOST_AHEAD, Dividend, PoolTotals, RaceSnapshot
from raceday.racing_day import nz_time
from raceday.rows import prepared


class _StoredReading(Struct):
    entrant_id: str
    event_timestamp: datetime
    type: Basis
    win_pool_amount: int | None
    place_pool_amount: int | None
    pool_place_odds: Decimal | None


class _StoredEntrants(Struct):
    recorded_odds: dict[str, RecordedOdds | None] | None
    field: frozenset[str] | None


class _StoredRace(Struct):
    version: int
    polled_at: datetime
    generated_at: datetime
    digest: str
    last_reading_at: datetime | None
    win_pool_total: Decimal | None
    result_status: str | None
    result_time: datetime | None
    dividends: tuple[Dividend, ...] | None
    entrants: _StoredEntrants
    readings: list[_StoredReading] | None
    window: tuple[WindowReading, ...] | None
    alerts: tuple[RaisedAlert, ...] | None


_stored_race = msgspec.json.Decoder(_StoredRace)
_json = msgspec.json.Encoder(decimal_format="number")


def read_state(snapshot: RaceSnapshot, polled_at: datetime) -> RaceState:
    """Read what a poll is to be compared with: what is stamped ahead of our clock at the newest poll of all is not."""
    asked = {"race_id": snapshot.race_id, "generated_at": snapshot.generated_at, "polled_at": polled_at}
    window_from = snapshot.generated_at - WINDOW if matters(snapshot) else None
    window = {"window_from": window_from, "window_until": snapshot.generated_at}
    row = _execute(READ_STATE, {**asked, **window, "most_ahead": MOST_AHEAD})
    if row is None:
        return RaceState(elsewhere=_of_other_races(snapshot, known=()))
    stored = _stored_race.decode(row[0])
    known = stored.entrants.recorded_odds or {}
    latest = max(stored.polled_at, polled_at) + MOST_AHEAD
    is_ahead = stored.generated_at > latest
    with_place_dividends = {at.event_timestamp for at in stored.readings or [] if at.pool_place_odds is not None}
    return RaceState(
        version=stored.version,
        generated_at=None if is_ahead else stored.generated_at,
        digest=None if is_ahead else stored.digest,
        last_reading_at=_last_reading_at(stored, latest),
        field=stored.entrants.field or frozenset(),
        elsewhere=_of_other_races(snapshot, known),
        win_pool_cents=None if stored.win_pool_total is None else int(stored.win_pool_total * 100),
        readings=tuple(
            Reading(
                entrant_id=reading.entrant_id,
                event_timestamp=reading.event_timestamp,
                type=reading.type,
                win_pool_amount=reading.win_pool_amount,
                place_pool_amount=reading.place_pool_amount,
                has_place_dividend=reading.event_timestamp in with_place_dividends,
            )
            for reading in stored.readings or []
        ),
        recorded_odds={entrant_id: odds for entrant_id, odds in known.items() if odds},
        dividends=stored.dividends or (),
        result_status=None if is_ahead else stored.result_status,
        result_time=stored.result_time,
        window=stored.window or (),
        alerts=stored.alerts or (),
    )


def _of_other_races(snapshot: RaceSnapshot, known: Container[str]) -> frozenset[str]:
    ids = [entrant.entrant_id for entrant in snapshot.entrants if entrant.entrant_id not in known]
    row = _execute(OF_OTHER_RACES, {"ids": ids, "race_id": snapshot.race_id}) if ids else None
    return frozenset(row[0]) if row else frozenset()


def _last_reading_at(stored: _StoredRace, latest: datetime) -> datetime | None:
    if stored.last_reading_at is None or stored.last_reading_at <= latest:
        return stored.last_reading_at
    return max((reading.event_timestamp for reading in stored.readings or []), default=None)


class Written(Struct, frozen=True):
    """What a write did. Not applied: another poll of this race came first; read the state and calculate again."""

    is_applied: bool
    is_race_changed: bool = False
    changed_at: datetime | None = None


def write_poll(
    snapshot: RaceSnapshot, flow: MoneyFlow, packed: PackedAnswer, *, version: int, transform_ms: float
) -> Written:
    """Write and commit all that one poll changes, its PollRun and the answer itself included, in one statement.

    version: of the state the flow was worked out against. Raises django.db.IntegrityError, caused by CheckViolation,
    when a reading's day has no partition: then nothing of the poll is written.
    """
    measured = {
        "polled_at": packed.polled_at,
        "body_bytes": packed.body_bytes,
        "fetch_ms": packed.fetch_ms,
        "transform_ms": transform_ms,
        "left_out": len(snapshot.left_out),
        "reason": str(snapshot.left_out[0]) if snapshot.left_out else None,
    }
    answer = {
        "polled_at": packed.polled_at,
        "generated_at": snapshot.generated_at,
        "fetch_ms": packed.fetch_ms,
        "sha256": packed.sha256,
        "base_at": packed.base_at,
        "body": packed.body,
    }
    if flow.outcome is Outcome.UNCHANGED:
        mark = {"race_id": snapshot.race_id, "version": version}
        row = _execute(MARK_UNCHANGED, {**mark, **measured, **answer})
    else:
        own = {"version": version, "nz_time": nz_time(packed.polled_at)}
        poll = _json.encode({**_poll(snapshot, flow), **measured, **own}).decode()
        at = {"corrected_at": flow.corrections[0].event_timestamp} if flow.corrections else {}
        seldom = [name for name in SELDOM if getattr(flow, name)]
        row = _execute(statements.write_poll(*seldom), {"poll": poll, **at, **answer})
    return Written(False) if row is None else Written(True, is_race_changed=row[0], changed_at=row[1])


def _execute(statement: str, parameters: dict[str, Any]) -> tuple[Any, ...] | None:
    with prepared() as cursor:
        cursor.execute(statement, parameters)
        row: tuple[Any, ...] | None = cursor.fetchone()
        return row


def _poll(snapshot: RaceSnapshot, flow: MoneyFlow) -> dict[str, Any]:
    return {
        "is_newest": flow.outcome is Outcome.CHANGED,
        "outcome": flow.outcome,
        "race_id": snapshot.race_id,
        "meeting_id": snapshot.meeting_id,
        "meeting_name": snapshot.meeting_name,
        "country": snapshot.country,
        "state": snapshot.state,
        "race_type": snapshot.race_type,
        "name": snapshot.name,
        "race_number": snapshot.race_number,
        "status": snapshot.status,
        "start_time": snapshot.advertised_start,
        "actual_start": snapshot.actual_start,
        "race_date_nz": snapshot.race_date_nz,
        "distance": snapshot.distance,
        "weather": snapshot.weather,
        "track_condition": snapshot.track_condition,
        "generated_at": snapshot.generated_at,
        "digest": flow.digest,
        "seconds_to_start": flow.seconds_to_start,
        "time_to_start": flow.seconds_to_start // 60,
        "time_interval": flow.time_interval,
        "interval_type": flow.interval_type,
        "entrants": [
            {**msgspec.structs.asdict(entrant), "fixed_win_history": None, "recorded_odds": recorded}
            for entrant in snapshot.entrants
            for recorded in [_array(flow.recorded_odds.get(entrant.entrant_id, UNRECORDED))]
        ],
        "pools": _pools(snapshot.pools, flow.data_quality_score),
        "race_end": flow.end,
        "points": flow.points,
        "odds": flow.odds,
        "corrections": flow.corrections,
        "newest_at": flow.newest_at,
        "last_reading_at": flow.last_reading_at,
        "gone": flow.gone,
        "alerts": flow.alerts,
        "outcomes": flow.outcomes,
    }


def _array(recorded: RecordedOdds) -> list[Decimal | None] | None:
    return None if recorded == UNRECORDED else list(recorded)


def _pools(pools: PoolTotals | None, data_quality_score: int | None) -> dict[str, int | None] | None:
    if pools is None:
        return None
    cents: dict[str, int | None] = msgspec.structs.asdict(pools)
    known = [total for total in cents.values() if total is not None]
    return {**cents, "total_cents": sum(known) if known else None, "data_quality_score": data_quality_score}
