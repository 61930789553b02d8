"""Room 3, TRANSFORM: a snapshot and what is stored → all that this poll changes. PURE: no clock, no I/O."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from moneyflow.transform.odds import odds_moves
from moneyflow.transform.quality import data_quality
from moneyflow.transform.records import (
    Basis,
    Correction,
    MoneyFlow,
    MoneyFlowPoint,
    Outcome,
    RaceEnd,
    RaceState,
    Reading,
)
from moneyflow.transform.shares import amounts, normalised, shares_from_dividends
from raceday.feed.records import EntrantSnapshot, ParseFault, RaceSnapshot, RaceStatus

BUCKETS = (*range(60, 5, -5), 5, 4, 3, 2, 1, 0)  # minutes to the advertised start
PERCENTAGE_PLACES = Decimal("0.0001")
EPOCH = datetime.fromtimestamp(0, UTC)


def money_flow(snapshot: RaceSnapshot, state: RaceState, *, odds_since: datetime) -> MoneyFlow:
    """Work out what one poll changes.

    odds_since: prices the feed dates before this instant have no place in odds_history and are left out.
    A poll that the feed made before the newest stored one is LATE: it adds its readings, corrects the
    increments of those that follow, and leaves the race as the newer poll saw it.
    """
    digest = snapshot_digest(snapshot)
    outcome = _outcome(snapshot, state, digest)
    points = () if outcome is Outcome.UNCHANGED else _points(snapshot, state)
    odds, recorded = odds_moves(snapshot, state, odds_since) if outcome is Outcome.CHANGED else ((), {})
    seconds = int((snapshot.advertised_start - snapshot.generated_at).total_seconds() // 1)
    is_late = outcome is Outcome.LATE
    return MoneyFlow(
        outcome=outcome,
        # A late poll newer than every reading shows that the newest poll was compared with an older one:
        # no digest makes the next poll write a reading whatever it contains, and the history is complete again.
        digest=digest if not is_late else _digest_after_late(snapshot, state),
        seconds_to_start=seconds,
        time_interval=bucket(seconds),
        interval_type=interval_type(seconds),
        points=points,
        odds=odds,
        recorded_odds=recorded,
        corrections=_corrections(points, snapshot, state) if is_late else (),
        data_quality_score=data_quality(snapshot, points, state) if outcome is Outcome.CHANGED else None,
        end=_end(snapshot, state) if outcome is Outcome.CHANGED else None,
        newest_at=max(snapshot.generated_at, state.generated_at or snapshot.generated_at),
        last_reading_at=_last_reading_at(snapshot, points, state),
        gone=_gone(snapshot, state) if outcome is Outcome.CHANGED else (),
        previous_at=_previous_at(snapshot, state),
    )


def own_field(snapshot: RaceSnapshot, state: RaceState) -> RaceSnapshot:
    """Return the snapshot less the entrants that are another race's: an entrant never changes race."""
    strangers = [entrant for entrant in snapshot.entrants if entrant.entrant_id in state.elsewhere]
    if not strangers:
        return snapshot
    faults = [ParseFault("$.data.runners", f"{entrant.entrant_id} is of another race") for entrant in strangers]
    return msgspec.structs.replace(
        snapshot,
        entrants=tuple(entrant for entrant in snapshot.entrants if entrant not in strangers),
        left_out=(*snapshot.left_out, *faults),
    )


def snapshot_digest(snapshot: RaceSnapshot) -> str:
    """Return a digest of a snapshot without the time when it was made."""
    timeless = msgspec.structs.replace(snapshot, generated_at=EPOCH)
    return hashlib.blake2b(msgspec.json.encode(timeless), digest_size=16).hexdigest()


def bucket(seconds_to_start: int) -> Decimal:
    """Return the display bucket in minutes: the largest of 60, 55 … 5, 4 … 0, −0.5, −1 … ≤ time.

    130 s before the start is 2; 20 s after it −0.5.
    """
    if seconds_to_start < 0:
        return Decimal(seconds_to_start // 30) / 2
    return Decimal(next(minutes for minutes in BUCKETS if minutes * 60 <= seconds_to_start))


def interval_type(seconds_to_start: int) -> str:
    """Name the spacing of a client's columns at a time to start."""
    for minutes, name in ((30, "5m"), (5, "2m"), (0, "30s")):
        if seconds_to_start > minutes * 60:
            return name
    return "live"


def _outcome(snapshot: RaceSnapshot, state: RaceState, digest: str) -> Outcome:
    if state.generated_at is not None and snapshot.generated_at < state.generated_at:
        return Outcome.LATE
    return Outcome.UNCHANGED if digest == state.digest else Outcome.CHANGED


def _digest_after_late(snapshot: RaceSnapshot, state: RaceState) -> str:
    is_newest_reading = state.last_reading_at is None or snapshot.generated_at > state.last_reading_at
    return "" if is_newest_reading else state.digest or ""


def _last_reading_at(snapshot: RaceSnapshot, points: Sequence[MoneyFlowPoint], state: RaceState) -> datetime | None:
    if not points:
        return state.last_reading_at
    return max(snapshot.generated_at, state.last_reading_at or snapshot.generated_at)


def _previous_at(snapshot: RaceSnapshot, state: RaceState) -> datetime | None:
    stored = (reading.event_timestamp for reading in state.readings)
    return max((at for at in stored if at < snapshot.generated_at), default=None)


def _gone(snapshot: RaceSnapshot, state: RaceState) -> tuple[str, ...]:
    if not snapshot.names_field:
        return ()
    return tuple(sorted(state.field - {entrant.entrant_id for entrant in snapshot.entrants}))


def _points(snapshot: RaceSnapshot, state: RaceState) -> tuple[MoneyFlowPoint, ...]:
    if any(reading.event_timestamp == snapshot.generated_at for reading in state.readings):
        return ()  # this very reading is stored: a task was delivered again
    runners = [entrant for entrant in snapshot.entrants if not entrant.is_scratched]
    basis, win_shares = _win_shares(runners)
    place_shares = shares_from_dividends([runner.pool_place_odds for runner in runners])
    has_place_dividend = any(share is not None for share in place_shares)
    if not has_place_dividend:
        place_shares = _hold_shares(runners)
    win = amounts(snapshot.pools.win_cents if snapshot.pools else None, win_shares)
    place = amounts(snapshot.pools.place_cents if snapshot.pools else None, place_shares)
    before = _comparable(
        [reading for reading in state.readings if reading.event_timestamp < snapshot.generated_at], runners
    )
    points = []
    for index, runner in enumerate(runners):
        reading = Reading(
            entrant_id=runner.entrant_id,
            event_timestamp=snapshot.generated_at,
            type=basis,
            win_pool_amount=win[index],
            place_pool_amount=place[index],
            has_place_dividend=has_place_dividend,
        )
        points.append(_point(runner, reading, before.get(runner.entrant_id), win_shares[index], place_shares[index]))
    return tuple(points) if any(_says_something(point) for point in points) else ()


def _point(
    runner: EntrantSnapshot,
    reading: Reading,
    before: Reading | None,
    win_share: Decimal | None,
    place_share: Decimal | None,
) -> MoneyFlowPoint:
    win_increment, place_increment = _increments(reading, before)
    return MoneyFlowPoint(
        entrant_id=runner.entrant_id,
        type=reading.type,
        hold_percentage=runner.hold_percentage,
        bet_percentage=runner.bet_percentage,
        win_pool_amount=reading.win_pool_amount,
        place_pool_amount=reading.place_pool_amount,
        win_pool_percentage=_percentage(win_share),
        place_pool_percentage=_percentage(place_share),
        incremental_win_amount=win_increment,
        incremental_place_amount=place_increment,
        fixed_win_odds=runner.fixed_win_odds,
        fixed_place_odds=runner.fixed_place_odds,
        pool_win_odds=runner.pool_win_odds,
        pool_place_odds=runner.pool_place_odds,
    )


def _win_shares(runners: Sequence[EntrantSnapshot]) -> tuple[Basis, list[Decimal | None]]:
    for basis, shares in (
        (Basis.POOL_WIN, shares_from_dividends([runner.pool_win_odds for runner in runners])),
        (Basis.HOLD, _hold_shares(runners)),
    ):
        if any(share is not None for share in shares):
            return basis, shares
    return Basis.NONE, [None] * len(runners)


def _hold_shares(runners: Sequence[EntrantSnapshot]) -> list[Decimal | None]:
    return normalised([runner.hold_percentage for runner in runners])


def _comparable(readings: Iterable[Reading], field: Iterable[EntrantSnapshot | Reading]) -> dict[str, Reading]:
    # A scratching moves everyone's share and refunds money: what follows starts from a new baseline.
    by_entrant = {reading.entrant_id: reading for reading in readings}
    return by_entrant if by_entrant.keys() == {entrant.entrant_id for entrant in field} else {}


def _increments(reading: Reading, before: Reading | None) -> tuple[int | None, int | None]:
    # Amounts of unlike derivation cannot be subtracted.
    if before is None:
        return None, None
    win = _difference(reading.win_pool_amount, before.win_pool_amount) if reading.type == before.type else None
    is_place_alike = reading.has_place_dividend == before.has_place_dividend
    return win, _difference(reading.place_pool_amount, before.place_pool_amount) if is_place_alike else None


def _difference(cents: int | None, before: int | None) -> int | None:
    return None if cents is None or before is None else cents - before


def _percentage(share: Decimal | None) -> Decimal | None:
    return None if share is None else (share * 100).quantize(PERCENTAGE_PLACES)


def _says_something(point: MoneyFlowPoint) -> bool:
    return point.hold_percentage is not None or point.win_pool_amount is not None or point.fixed_win_odds is not None


def _corrections(points: Sequence[MoneyFlowPoint], snapshot: RaceSnapshot, state: RaceState) -> tuple[Correction, ...]:
    later = [reading for reading in state.readings if reading.event_timestamp > snapshot.generated_at]
    if not points or not later:
        return ()
    next_at = min(reading.event_timestamp for reading in later)
    following = [reading for reading in later if reading.event_timestamp == next_at]
    before = _comparable([_reading(point, points, snapshot.generated_at) for point in points], following)
    return tuple(
        Correction(reading.entrant_id, next_at, *_increments(reading, before.get(reading.entrant_id)))
        for reading in following
    )


def _reading(point: MoneyFlowPoint, field: Sequence[MoneyFlowPoint], at: datetime) -> Reading:
    return Reading(
        entrant_id=point.entrant_id,
        event_timestamp=at,
        type=point.type,
        win_pool_amount=point.win_pool_amount,
        place_pool_amount=point.place_pool_amount,
        has_place_dividend=any(other.pool_place_odds is not None for other in field),
    )


def _end(snapshot: RaceSnapshot, state: RaceState) -> RaceEnd | None:
    if not snapshot.results and not snapshot.dividends:
        return None
    status = "final" if snapshot.status == RaceStatus.FINAL else "interim"
    is_same = status == state.result_status and state.result_time is not None
    dividends = {row.id: row for row in (*state.dividends, *snapshot.dividends)}
    return RaceEnd(
        results=snapshot.results,
        dividends=tuple(dividends.values()),
        result_status=status,
        result_time=state.result_time if is_same and state.result_time else snapshot.generated_at,
    )
