"""The feed's own shapes and names, as far as Raceday needs them; only raceday.feed.parse reads these. PURE.

Each type says what its column can store. A larger or other value is refused here, with its JSON path.
"""

from datetime import date, datetime
from typing import Annotated

from msgspec import Meta, Struct

Id = Annotated[str, Meta(max_length=100, pattern=r"^[^\x00,]+\Z")]  # commas part ids in queries
Text = Annotated[str, Meta(max_length=1000, pattern=r"^[^\x00]*\Z")]  # PostgreSQL has no NUL
Word = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[^\x00]*\Z")]
Instant = Annotated[datetime, Meta(tz=True)]
EpochSeconds = Annotated[int, Meta(ge=0, lt=4_102_444_800)]  # up to the year 2100
Number = Annotated[int, Meta(ge=0, le=2_147_483_647)]  # what a column of type integer holds
# What fits once rounded to two places: numeric(10,2), numeric(5,2), and numeric(12,2) for a sum of pools.
Price = Annotated[float, Meta(ge=0, lt=99_999_999.995)]
Percentage = Annotated[float, Meta(ge=0, lt=999.995)]
Dollars = Annotated[float, Meta(ge=0, lt=1_000_000_000)]
Length = Annotated[float, Meta(ge=-1_000_000, le=1_000_000)]


class Header(Struct):
    generated_time: Instant
    error: Text | None = None


class Headed(Struct):
    header: Header


class Params(Struct):
    with_money_tracker: bool | None = None


class Odds(Struct):
    fixed_win: Price | None = None
    fixed_place: Price | None = None
    pool_win: Price | None = None
    pool_place: Price | None = None


class Weight(Struct):
    total: Text | float | None = None


class Fluc(Struct):
    timestamp: Instant
    fluc: Price


class Flucs(Struct):
    open: Fluc | None = None
    high: Fluc | None = None
    low: Fluc | None = None
    nine_am: Fluc | None = None
    last_six: list[Fluc] | None = None


class Runner(Struct):
    entrant_id: Id
    runner_number: Number
    name: Text
    is_scratched: bool
    primary_market: bool = True
    barrier: Number | None = None
    scratch_time: EpochSeconds | None = None
    jockey: Text | None = None
    trainer_name: Text | None = None
    weight: Weight | None = None
    silk_colours: Text | None = None
    silk_url_64x64: Text | None = None
    silk_url_128x128: Text | None = None
    favourite: bool | None = None
    mover: bool | None = None
    odds: Odds | None = None
    flucs_with_timestamp: Flucs | None = None


class Slice(Struct):
    entrant_id: str  # looked up, never stored
    hold_percentage: Percentage
    bet_percentage: Percentage


class MoneyTracker(Struct):
    entrants: list[Slice] | None = None


class Pool(Struct):
    product_type: Text
    total: Dollars
    status: Text | None = None


class Position(Struct):
    runner_number: Number
    position: Number


class Dividend(Struct):
    id: Id
    product_name: Text
    status: Word
    dividend: Price
    pool_size: Dollars | None = None
    positions: list[Position] | None = None
    description: Text | None = None


class Result(Struct):
    position: Number
    runner_number: Number
    name: Text
    entrant_id: Id
    barrier: Number | None = None
    margin_length: Length | None = None


class Race(Struct):
    event_id: Id
    meeting_id: Id
    meeting_name: Text
    status: Word
    description: Text
    advertised_start: EpochSeconds
    race_date_nz: date
    race_number: Number
    type: Text
    country: Text
    actual_start: EpochSeconds | None = None
    state: Text | None = None
    distance: Number | None = None
    weather: Text | None = None
    track_condition: Text | None = None


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
    id: Id
    race_number: Number
    name: Text
    start_time: Instant
    status: Word
    distance: Number | None = None
    weather: Text | None = None
    track_condition: Text | None = None
    protest: bool | None = None


class Meeting(Struct):
    meeting: Id
    name: Text
    date: Instant
    category: Text
    country: Text
    state: Text | None = None
    track_condition: Text | None = None
    races: list[CardRace] | None = None


class MeetingsData(Struct):
    meetings: list[Meeting] | None


class Meetings(Struct):
    data: MeetingsData
