"""The feed's own shapes and names, as far as Raceday needs them; only raceday.feed.parse reads these. PURE."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Raw, Struct

EpochSeconds = Annotated[int, Meta(ge=0, le=253_402_300_799)]  # up to the year 9999
Number = Annotated[int, Meta(ge=0, le=2_147_483_647)]  # what a column of type integer holds


class Header(Struct):
    generated_time: datetime
    error: str | None = None


class Headed(Struct):
    header: Header


class Params(Struct):
    with_money_tracker: bool | None = None


class Odds(Struct):
    fixed_win: Decimal | None = None
    fixed_place: Decimal | None = None
    pool_win: Decimal | None = None
    pool_place: Decimal | None = None


class Weight(Struct):
    total: str | float | None = None


class Fluc(Struct):
    timestamp: datetime
    fluc: Decimal


class Flucs(Struct):
    open: Fluc | None = None
    high: Fluc | None = None
    low: Fluc | None = None
    nine_am: Fluc | None = None
    last_six: list[Fluc] | None = None


class Runner(Struct):
    entrant_id: str
    runner_number: Number
    name: str
    is_scratched: bool
    primary_market: bool = True
    barrier: Number | None = None
    scratch_time: EpochSeconds | None = None
    jockey: str | None = None
    trainer_name: str | None = None
    weight: Weight | None = None
    silk_colours: str | None = None
    silk_url_64x64: str | None = None
    silk_url_128x128: str | None = None
    favourite: bool | None = None
    mover: bool | None = None
    odds: Odds | None = None
    flucs_with_timestamp: Flucs | None = None


class Slice(Struct):
    entrant_id: str
    hold_percentage: Decimal
    bet_percentage: Decimal


class MoneyTracker(Struct):
    entrants: list[Slice] | None = None


class Pool(Struct):
    product_type: str
    total: Decimal


class Position(Struct):
    runner_number: Number
    position: Number


class Dividend(Struct):
    id: str
    product_name: str
    status: str
    dividend: Decimal
    pool_size: Decimal | None = None
    positions: list[Position] | None = None
    description: str | None = None


class Result(Struct):
    position: Number
    runner_number: Number
    name: str
    entrant_id: str
    barrier: Number | None = None
    margin_length: Decimal | None = None


class Race(Struct):
    event_id: str
    meeting_id: str
    meeting_name: str
    status: str
    description: str
    advertised_start: EpochSeconds
    race_date_nz: date
    race_number: Number
    type: str
    country: str
    actual_start: EpochSeconds | None = None
    state: str | None = None
    distance: Number | None = None
    weather: str | None = None
    track_condition: str | None = None


class EventData(Struct):
    race: Race
    runners: list[Runner]
    money_tracker: MoneyTracker | None = None
    tote_pools: list[Pool] | None = None
    results: list[Result] | None = None
    dividends: list[Dividend] | None = None


class Event(Struct):
    header: Header
    data: EventData
    params: Params | None = None


class CardRace(Struct):
    id: str
    race_number: Number
    name: str
    start_time: datetime
    status: str
    distance: Number | None = None
    weather: str | None = None
    track_condition: str | None = None
    protest: bool | None = None


class Meeting(Struct):
    meeting: str
    name: str
    date: datetime
    category: str
    country: str
    state: str | None = None
    track_condition: str | None = None
    races: list[Raw] | None = None


class MeetingsData(Struct):
    meetings: list[Raw] | None


class Meetings(Struct):
    data: MeetingsData
