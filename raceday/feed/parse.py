"""Room 2, PARSE: the feed's bytes → records. PURE; the feed's names ("event", "runner") and its dollars stop here."""

import re
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import NoReturn, TypeVar

import msgspec
from msgspec import Struct

from raceday.feed import wire
from raceday.feed.records import (
    Dividend,
    DividendPosition,
    EntrantSnapshot,
    FixedPrice,
    MeetingCard,
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
PRICE_LIMIT = 10**8  # the columns' numeric(10,2), numeric(5,2) and numeric(12,2)
HOLD_LIMIT = 10**3
DOLLAR_LIMIT = 10**9
NOT_YET_JUMPED = frozenset({RaceStatus.OPEN, RaceStatus.POSTPONED, RaceStatus.ABANDONED})

T = TypeVar("T")


class ParseFault(Struct, frozen=True):
    """Why an answer, or a part of it, cannot be read: the JSON path, as `$.data.race.status`, and the reason."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


_event_decoder = msgspec.json.Decoder(wire.Event)
_meetings_decoder = msgspec.json.Decoder(wire.Meetings)
_headed_decoder = msgspec.json.Decoder(wire.Headed)
_meeting_decoder = msgspec.json.Decoder(wire.Meeting)
_card_race_decoder = msgspec.json.Decoder(wire.CardRace)


class _UnreadableError(ValueError):
    """Carries a path and a reason out of the depth of one answer; never leaves this module."""


def parse_event(body: bytes) -> RaceSnapshot | ParseFault:
    """This function will read one `/racing/events/{id}` answer.

    body: JSON as the feed sends it, decompressed. Unknown fields are ignored; a missing or mistyped needed
    one gives a ParseFault with its path. Money becomes integer cents, an odds of 0 and an empty text None.
    """
    try:
        return _snapshot(_event_decoder.decode(body))
    except (msgspec.DecodeError, _UnreadableError) as error:
        return _fault(error)


def parse_meetings(body: bytes) -> tuple[tuple[MeetingCard, ...], tuple[ParseFault, ...]]:
    """This function will read a `/racing/meetings` answer, and leave out only what cannot be read.

    Returns the meetings, each with its readable races, and a fault for each part left out.
    """
    faults: list[ParseFault] = []
    try:
        raw = _meetings_decoder.decode(body).data.meetings or []
    except msgspec.DecodeError as error:
        return (), (_fault(error),)
    cards = _each(raw, "$.data.meetings", lambda part, path: _meeting_card(part, path, faults), faults)
    return tuple(cards), tuple(faults)


def parse_generated_at(body: bytes) -> datetime | ParseFault:
    """This function will read when the feed made an answer, whatever the answer is about."""
    try:
        return _headed_decoder.decode(body).header.generated_time.astimezone(UTC)
    except msgspec.DecodeError as error:
        return _fault(error)


def _each(
    parts: list[msgspec.Raw], path: str, read: Callable[[msgspec.Raw, str], T], faults: list[ParseFault]
) -> list[T]:
    found = []
    for index, part in enumerate(parts):
        try:
            found.append(read(part, f"{path}[{index}]"))
        except (msgspec.DecodeError, _UnreadableError) as error:
            faults.append(_fault(error, within=f"{path}[{index}]"))
    return found


def _fault(error: Exception, within: str = "$") -> ParseFault:
    reason, _, path = str(error).partition(" - at `")
    return ParseFault(within + path.rstrip("`").removeprefix("$"), re.sub("`", "'", reason))


def _refuse(path: str, reason: str) -> NoReturn:
    raise _UnreadableError(f"{reason} - at `{path}`")


def _meeting_card(part: msgspec.Raw, path: str, faults: list[ParseFault]) -> MeetingCard:
    meeting = _meeting_decoder.decode(part)
    races = tuple(_each(meeting.races or [], f"{path}.races", lambda race, _: _race_card(race), faults))
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


def _race_card(part: msgspec.Raw) -> RaceCard:
    race = _card_race_decoder.decode(part)
    return RaceCard(
        race_id=race.id,
        name=race.name,
        race_number=race.race_number,
        advertised_start=race.start_time.astimezone(UTC),
        status=STATUS_ALIASES.get(race.status, race.status),
        distance=race.distance or None,
        weather=race.weather or None,
        track_condition=race.track_condition or None,
        protest_lodged=race.protest,
    )


def _race_type(code: str, path: str) -> RaceType:
    return RACE_TYPES.get(code) or _refuse(path, f"'{code}' is not a racing code: T, H or G")


def _snapshot(event: wire.Event) -> RaceSnapshot:
    if event.header.error:
        _refuse("$.header.error", event.header.error)
    race, data = event.data.race, event.data
    status = STATUS_ALIASES.get(race.status, race.status)
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
        advertised_start=datetime.fromtimestamp(race.advertised_start, UTC),
        actual_start=_instant(None if status in NOT_YET_JUMPED else race.actual_start),
        race_date_nz=race.race_date_nz,
        distance=race.distance or None,
        weather=race.weather or None,
        track_condition=race.track_condition or None,
        entrants=_entrants(data),
        pools=None if data.tote_pools is None else _pools(data.tote_pools),
        results=tuple(_result(row) for row in sorted(data.results or [], key=lambda row: row.position)),
        dividends=tuple(_dividend(row) for row in data.dividends or []),
        generated_at=event.header.generated_time.astimezone(UTC),
        # The feed ignores what it does not know and answers 200: only the echo shows that it understood.
        has_money_tracker=data.money_tracker is not None and bool(event.params and event.params.with_money_tracker),
    )


def _instant(epoch_seconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(epoch_seconds, UTC) if epoch_seconds else None


def _entrants(data: wire.EventData) -> tuple[EntrantSnapshot, ...]:
    field = [runner for runner in data.runners if runner.primary_market]
    seen: set[str] = set()
    for index, runner in enumerate(data.runners):
        if runner.primary_market and runner.entrant_id in seen:
            _refuse(f"$.data.runners[{index}].entrant_id", "the same entrant twice")
        seen.add(runner.entrant_id)
    holds, bets = _money_tracker(data.money_tracker)
    return tuple(
        _entrant(runner, holds.get(runner.entrant_id), bets.get(runner.entrant_id))
        for runner in sorted(field, key=lambda runner: runner.runner_number)
    )


def _money_tracker(tracker: wire.MoneyTracker | None) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    # Each entrant's money comes in 8–10 unordered integer slices, some of them 0: only their sum means something.
    holds: dict[str, Decimal] = defaultdict(Decimal)
    bets: dict[str, Decimal] = defaultdict(Decimal)
    for row in (tracker.entrants if tracker else None) or []:
        holds[row.entrant_id] += row.hold_percentage
        bets[row.entrant_id] += row.bet_percentage
        if not 0 <= holds[row.entrant_id] < HOLD_LIMIT or not 0 <= bets[row.entrant_id] < HOLD_LIMIT:
            _refuse("$.data.money_tracker.entrants", f"the slices of {row.entrant_id} sum to no percentage")
    return holds, bets


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


def _price(odds: Decimal | None) -> Decimal | None:
    # The feed writes 0 for "no price"; a negative one would be nonsense, and is none either.
    if odds is None or odds <= 0:
        return None
    return odds if odds < PRICE_LIMIT else _refuse("$.data.runners", f"odds of {odds} are beyond belief")


def _kilograms(weight: wire.Weight | None) -> Decimal | None:
    text = str(weight.total or "") if weight else ""
    return Decimal(text) if re.fullmatch(r"\d{1,3}(\.\d+)?", text) and Decimal(text) else None


def _price_history(flucs: wire.Flucs | None) -> tuple[FixedPrice, ...]:
    # The feed fills what it does not know with 0 at 0001-01-01: that is no price.
    if flucs is None:
        return ()
    rows = [flucs.open, flucs.high, flucs.low, flucs.nine_am, *(flucs.last_six or [])]
    prices = {row.timestamp.astimezone(UTC): row.fluc for row in rows if row and row.fluc and row.timestamp.year > 1}
    return tuple(FixedPrice(at, prices[at]) for at in sorted(prices))


def _pools(rows: list[wire.Pool]) -> PoolTotals:
    cents = {POOL_FIELDS[row.product_type]: _cents(row.total) for row in rows if row.product_type in POOL_FIELDS}
    return PoolTotals(**cents)


def _cents(dollars: Decimal) -> int:
    if not 0 <= dollars < DOLLAR_LIMIT:
        _refuse("$.data.tote_pools", f"a pool of {dollars} dollars")
    return int((dollars * 100).to_integral_value())


def _result(row: wire.Result) -> Result:
    return Result(
        position=row.position,
        runner_number=row.runner_number,
        name=row.name,
        entrant_id=row.entrant_id,
        barrier=row.barrier or None,
        margin_length=row.margin_length,
    )


def _dividend(row: wire.Dividend) -> Dividend:
    return Dividend(
        id=row.id,
        product_name=row.product_name,
        status=row.status,
        dividend=row.dividend,
        pool_size=row.pool_size,
        positions=tuple(DividendPosition(at.runner_number, at.position) for at in row.positions or []),
        description=row.description or None,
    )
