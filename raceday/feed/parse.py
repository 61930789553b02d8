"""Room 2, PARSE: the feed's bytes → records. PURE; the feed's names ("event", "runner") and its dollars stop here."""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import TypeVar

from raceday.feed import wire
from raceday.feed.decode import (
    UNREADABLE,
    UnreadableError,
    decode_event,
    decode_header,
    decode_meetings,
    fault_of,
    refuse,
)
from raceday.feed.records import (
    MOST_AHEAD,
    Dividend,
    DividendPosition,
    EntrantSnapshot,
    FixedPrice,
    MeetingCard,
    ParseFault,
    PoolTotals,
    RaceCard,
    RaceSnapshot,
    RaceStatus,
    RaceType,
    Result,
)

RACE_TYPES = {"T": RaceType.THOROUGHBRED, "H": RaceType.HARNESS, "G": RaceType.GREYHOUND}
# Other deployments of the same product name these states otherwise.
STATUS_ALIASES = {
    "Live": RaceStatus.CLOSED,
    "Running": RaceStatus.CLOSED,
    "Finalised": RaceStatus.FINAL,
    "Official": RaceStatus.FINAL,
    "Cancelled": RaceStatus.ABANDONED,
}
# Only products of this one race: a quaddie, double or treble belongs to several and would be counted twice.
POOL_FIELDS = {
    "Win": "win_cents",
    "Place": "place_cents",
    "Quinella": "quinella_cents",
    "Trifecta": "trifecta_cents",
    "Exacta": "exacta_cents",
    "First4": "first4_cents",
    "FirstFour": "first4_cents",
}
ABANDONED = "ABANDONED"  # of a pool: its money was given back
LOWEST_PRICE = 1  # the tote pays back at least the stake, and no bookmaker offers less
HOLD_LIMIT = 999.995  # numeric(5,2)
YEARS_OF_RACING = range(2000, 2100)
NEAREST_RACES = timedelta(days=60)  # a bucket further from the start fits no column
NEAREST_DAYS = timedelta(days=7)
NOT_YET_JUMPED = frozenset({RaceStatus.OPEN, RaceStatus.POSTPONED, RaceStatus.ABANDONED})

T = TypeVar("T")
P = TypeVar("P")


def parse_event(body: bytes, *, polled_at: datetime) -> RaceSnapshot | ParseFault:
    """Read one `/racing/events/{id}` answer, without its bad parts.

    body: JSON as the feed sends it, decompressed. polled_at: by our clock; an answer stamped more than 60 s later is
    refused. Unknown fields are ignored. A bad row, or a bad field that is not required, is left out and listed in
    `left_out`. If a required field is bad, the answer is a ParseFault with its path. Money becomes integer cents; odds
    below 1 and an empty text become None.
    """
    faults: list[ParseFault] = []
    try:
        return _snapshot(decode_event(body, faults), polled_at, faults)
    except UNREADABLE as error:
        return fault_of(error)


def parse_meetings(body: bytes) -> tuple[tuple[MeetingCard, ...], tuple[ParseFault, ...]]:
    """Read a `/racing/meetings` answer, and leave out only what cannot be read.

    Returns the meetings, each with its readable races, and a fault for each part left out.
    """
    faults: list[ParseFault] = []
    try:
        meetings = decode_meetings(body, faults)
    except UNREADABLE as error:
        return (), (fault_of(error),)
    cards = _each(meetings, "$.data.meetings", lambda meeting, path: _meeting_card(meeting, path, faults), faults)
    return tuple(cards), tuple(faults)


def parse_generated_at(body: bytes) -> datetime | ParseFault:
    """Read when the feed made an answer, whatever the answer is about."""
    try:
        return _utc(decode_header(body).generated_time, "$.header.generated_time")
    except UNREADABLE as error:
        return fault_of(error)


def _each(parts: Iterable[P], path: str, read: Callable[[P, str], T], faults: list[ParseFault]) -> list[T]:
    found = []
    for index, part in enumerate(parts):
        try:
            found.append(read(part, f"{path}[{index}]"))
        except UnreadableError as error:
            faults.append(fault_of(error, within=f"{path}[{index}]"))
    return found


def _utc(at: datetime, path: str) -> datetime:
    return at.astimezone(UTC) if at.year in YEARS_OF_RACING else refuse(path, f"{at.year} is no year of racing")


@lru_cache(4096)  # most prices are of few steps
def _exact(number: float) -> Decimal:
    # The decimal the feed wrote: no number of the feed has more than 15 digits.
    return Decimal(f"{number:.15g}")


def _meeting_card(meeting: wire.Meeting, path: str, faults: list[ParseFault]) -> MeetingCard:
    races = tuple(_each(meeting.races or [], f"{path}.races", lambda race, _: _race_card(race), faults))
    _utc(meeting.date, "$.date")
    return MeetingCard(
        meeting_id=meeting.meeting,
        name=meeting.name,
        country=meeting.country,
        state=meeting.state or None,
        race_type=_race_type(meeting.category, "$.category"),
        date=meeting.date.date(),
        track_condition=meeting.track_condition or None,
        weather=next((race.weather for race in races if race.weather), None),
        races=races,
    )


def _race_card(race: wire.CardRace) -> RaceCard:
    return RaceCard(
        race_id=race.id,
        name=race.name,
        race_number=race.race_number,
        advertised_start=_utc(race.start_time, "$.start_time"),
        status=STATUS_ALIASES.get(race.status, race.status),
        distance=race.distance or None,
        weather=race.weather or None,
        track_condition=race.track_condition or None,
        protest_lodged=race.protest,
    )


def _race_type(code: str, path: str) -> RaceType:
    return RACE_TYPES.get(code) or refuse(path, f"'{code}' is not a racing code: T, H or G")


def _snapshot(event: wire.Event, polled_at: datetime, faults: list[ParseFault]) -> RaceSnapshot:
    if event.header.error:
        refuse("$.header.error", event.header.error)
    race, data = event.data.race, event.data
    status = STATUS_ALIASES.get(race.status, race.status)
    generated_at = _stamp(event.header.generated_time, polled_at)
    advertised_start = _start(race, generated_at)
    entrants = _entrants(data, faults)
    pools = None if data.tote_pools is None else _pools(data.tote_pools, faults)
    return RaceSnapshot(
        race_id=race.event_id,
        meeting_id=race.meeting_id,
        meeting_name=race.meeting_name,
        country=race.country,
        state=race.state or None,
        race_type=_race_type(race.type, "$.data.race.type"),
        name=race.description,
        race_number=race.race_number,
        status=status,
        advertised_start=advertised_start,
        actual_start=_instant(None if status in NOT_YET_JUMPED else race.actual_start),
        race_date_nz=race.race_date_nz,
        distance=race.distance or None,
        weather=race.weather or None,
        track_condition=race.track_condition or None,
        entrants=entrants,
        pools=pools,
        results=tuple(_result(row) for row in sorted(data.results or [], key=lambda row: row.position)),
        dividends=tuple(_dividend(row) for row in data.dividends or []),
        generated_at=generated_at,
        # The feed ignores what it does not know and answers 200: only the echo shows that it understood.
        has_money_tracker=data.money_tracker is not None and bool(event.params and event.params.with_money_tracker),
        left_out=tuple(faults),
        names_field=bool(entrants) and not any(fault.path.startswith("$.data.runners") for fault in faults),
    )


def _stamp(generated_time: datetime, polled_at: datetime) -> datetime:
    # A stamp ahead of our clock would keep this answer the newest until then.
    path = "$.header.generated_time"
    generated_at = _utc(generated_time, path)
    ahead = generated_at - polled_at
    return generated_at if ahead <= MOST_AHEAD else refuse(path, f"{ahead.total_seconds():.0f} s ahead of our clock")


def _start(race: wire.Race, generated_at: datetime) -> datetime:
    start = datetime.fromtimestamp(race.advertised_start, UTC)
    if abs(start - generated_at) > NEAREST_RACES:
        refuse("$.data.race.advertised_start", f"{start:%Y-%m-%d}, in an answer of {generated_at:%Y-%m-%d}")
    if abs(race.race_date_nz - start.date()) > NEAREST_DAYS:
        refuse("$.data.race.race_date_nz", f"{race.race_date_nz} of a race that starts on {start:%Y-%m-%d}")
    return start


def _instant(epoch_seconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(epoch_seconds, UTC) if epoch_seconds else None


def _entrants(data: wire.EventData, faults: list[ParseFault]) -> tuple[EntrantSnapshot, ...]:
    field: dict[str, wire.Runner] = {}
    for index, runner in enumerate(data.runners):
        if runner.primary_market and field.setdefault(runner.entrant_id, runner) is not runner:
            faults.append(ParseFault(f"$.data.runners[{index}].entrant_id", "the same entrant twice"))
    holds, bets = _money_tracker(data.money_tracker, field.keys(), faults)
    return tuple(
        _entrant(runner, holds.get(runner.entrant_id), bets.get(runner.entrant_id))
        for runner in sorted(field.values(), key=lambda runner: runner.runner_number)
    )


def _money_tracker(
    tracker: wire.MoneyTracker | None, field: Collection[str], faults: list[ParseFault]
) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    # Each entrant's money comes in 8–10 unordered integer slices, some of them 0: only their sum means something.
    holds: dict[str, float] = defaultdict(float)
    bets: dict[str, float] = defaultdict(float)
    for row in (tracker.entrants if tracker else None) or []:
        if row.entrant_id in field:
            holds[row.entrant_id] += row.hold_percentage
            bets[row.entrant_id] += row.bet_percentage
    return _percentages(holds, faults), _percentages(bets, faults)


def _percentages(sums: dict[str, float], faults: list[ParseFault]) -> dict[str, Decimal]:
    beyond = [who for who, total in sums.items() if total >= HOLD_LIMIT]
    path = "$.data.money_tracker.entrants"
    faults += [ParseFault(path, f"the slices of {who} sum to no percentage") for who in beyond]
    return {who: _exact(total) for who, total in sums.items() if total < HOLD_LIMIT}


def _entrant(runner: wire.Runner, hold: Decimal | None, bet: Decimal | None) -> EntrantSnapshot:
    odds = runner.odds or wire.Odds()
    return EntrantSnapshot(
        entrant_id=runner.entrant_id,
        runner_number=runner.runner_number,
        name=runner.name,
        is_scratched=runner.is_scratched,
        barrier=runner.barrier or None,
        scratched_at=_instant(runner.scratch_time),
        jockey=runner.jockey or None,
        trainer_name=runner.trainer_name or None,
        weight=_kilograms(runner.weight),
        silk_colours=runner.silk_colours or None,
        silk_url_64=runner.silk_url_64x64 or None,
        silk_url_128=runner.silk_url_128x128 or None,
        is_favourite=runner.favourite,
        is_mover=runner.mover,
        fixed_win_odds=_price(odds.fixed_win),
        fixed_place_odds=_price(odds.fixed_place),
        pool_win_odds=_price(odds.pool_win),
        pool_place_odds=_price(odds.pool_place),
        hold_percentage=hold,
        bet_percentage=bet,
        fixed_win_history=_price_history(runner.flucs_with_timestamp),
    )


def _price(odds: float | None) -> Decimal | None:
    # The feed writes 0 for "no price"; any other value below the stake is no price either.
    return None if odds is None or odds < LOWEST_PRICE else _exact(odds)


def _kilograms(weight: wire.Weight | None) -> Decimal | None:
    text = str(weight.total or "") if weight else ""
    return Decimal(text) if re.fullmatch(r"\d{1,3}(\.\d{1,9})?", text) and 0 < float(text) < HOLD_LIMIT else None


def _price_history(flucs: wire.Flucs | None) -> tuple[FixedPrice, ...]:
    # The feed fills what it does not know with 0 at 0001-01-01: that is no price.
    if flucs is None:
        return ()
    rows = [flucs.open, flucs.high, flucs.low, flucs.nine_am, *(flucs.last_six or [])]
    prices = {
        row.timestamp.astimezone(UTC): _exact(row.fluc)
        for row in rows
        if row and row.fluc >= LOWEST_PRICE and row.timestamp.year in YEARS_OF_RACING
    }
    return tuple(FixedPrice(at, prices[at]) for at in sorted(prices))


def _pools(rows: list[wire.Pool], faults: list[ParseFault]) -> PoolTotals:
    cents: dict[str, int] = {}
    for index, row in enumerate(rows):
        name = POOL_FIELDS.get(row.product_type)
        if name is None or row.status == ABANDONED:
            continue
        if name in cents:
            faults.append(ParseFault(f"$.data.tote_pools[{index}].product_type", f"a second {row.product_type} pool"))
        else:
            cents[name] = round(_exact(row.total) * 100)
    return PoolTotals(**cents)


def _result(row: wire.Result) -> Result:
    return Result(
        position=row.position,
        runner_number=row.runner_number,
        name=row.name,
        entrant_id=row.entrant_id,
        barrier=row.barrier or None,
        margin_length=None if row.margin_length is None else _exact(row.margin_length),
    )


def _dividend(row: wire.Dividend) -> Dividend:
    return Dividend(
        id=row.id,
        product_name=row.product_name,
        status=row.status,
        dividend=_exact(row.dividend),
        pool_size=None if row.pool_size is None else _exact(row.pool_size),
        positions=tuple(DividendPosition(at.runner_number, at.position) for at in row.positions or []),
        description=row.description or None,
    )
