"""What the rest of Raceday knows of the feed: frozen records, in our words and units. PURE, no I/O here."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

MOST_AHEAD = timedelta(seconds=60)  # that an answer may be stamped ahead of our clock


class ParseFault(Struct, frozen=True):
    """Why an answer, or a part of it, cannot be read: the JSON path, as `$.data.race.status`, and the reason."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class RaceType(StrEnum):
    THOROUGHBRED = "thoroughbred"
    HARNESS = "harness"
    GREYHOUND = "greyhound"


class RaceStatus(StrEnum):
    """The states of a race; a state that we do not know is stored as the feed wrote it."""

    OPEN = "Open"
    CLOSED = "Closed"
    INTERIM = "Interim"
    FINAL = "Final"
    ABANDONED = "Abandoned"
    POSTPONED = "Postponed"


ENDED = frozenset({RaceStatus.FINAL, RaceStatus.ABANDONED})


class RaceCard(Struct, frozen=True, kw_only=True):
    """A race as its meeting's card lists it."""

    race_id: str
    name: str
    race_number: int
    advertised_start: datetime
    status: str
    distance: int | None  # metres
    weather: str | None
    track_condition: str | None
    protest_lodged: bool | None


class MeetingCard(Struct, frozen=True, kw_only=True):
    """A day's card at one track. `date` is the track's own calendar day."""

    meeting_id: str
    name: str
    country: str
    state: str | None
    race_type: RaceType
    date: date
    track_condition: str | None
    weather: str | None
    races: tuple[RaceCard, ...]


class FixedPrice(Struct, frozen=True):
    """A fixed-win price the bookmaker set at an instant."""

    at: datetime
    odds: Decimal


class EntrantSnapshot(Struct, frozen=True, kw_only=True):
    """One horse or dog as one poll saw it. Odds are decimal per $1; holds are 0–100; None is unknown."""

    entrant_id: str
    runner_number: int
    name: str
    is_scratched: bool
    barrier: int | None = None
    scratched_at: datetime | None = None
    jockey: str | None = None
    trainer_name: str | None = None
    weight: Decimal | None = None  # kilograms
    silk_colours: str | None = None
    silk_url_64: str | None = None
    silk_url_128: str | None = None
    is_favourite: bool | None = None
    is_mover: bool | None = None
    fixed_win_odds: Decimal | None = None
    fixed_place_odds: Decimal | None = None
    pool_win_odds: Decimal | None = None
    pool_place_odds: Decimal | None = None
    hold_percentage: Decimal | None = None
    bet_percentage: Decimal | None = None
    fixed_win_history: tuple[FixedPrice, ...] = ()


class PoolTotals(Struct, frozen=True, kw_only=True):
    """The tote pools of one race in cents; multi-leg pools belong to several races and are not here."""

    win_cents: int | None = None
    place_cents: int | None = None
    quinella_cents: int | None = None
    trifecta_cents: int | None = None
    exacta_cents: int | None = None
    first4_cents: int | None = None


class Result(Struct, frozen=True, kw_only=True):
    """One placing."""

    position: int
    runner_number: int
    name: str
    entrant_id: str
    barrier: int | None = None
    margin_length: Decimal | None = None


class DividendPosition(Struct, frozen=True):
    runner_number: int
    position: int


class Dividend(Struct, frozen=True, kw_only=True):
    """What a pool pays per $1, Interim or Final; `pool_size` in dollars as the feed prints it."""

    id: str
    product_name: str
    status: str
    dividend: Decimal
    pool_size: Decimal | None
    positions: tuple[DividendPosition, ...]
    description: str | None


class RaceSnapshot(Struct, frozen=True, kw_only=True):
    """A race as one poll saw it. Entrants by runner number; `generated_at` is the feed's own time."""

    race_id: str
    meeting_id: str
    meeting_name: str
    country: str
    state: str | None
    race_type: RaceType
    name: str
    race_number: int
    status: str
    advertised_start: datetime
    actual_start: datetime | None  # the jump; None while the feed can only estimate it
    race_date_nz: date
    distance: int | None
    weather: str | None
    track_condition: str | None
    entrants: tuple[EntrantSnapshot, ...]
    pools: PoolTotals | None
    results: tuple[Result, ...]
    dividends: tuple[Dividend, ...]
    generated_at: datetime
    has_money_tracker: bool
    left_out: tuple[ParseFault, ...] = ()  # bad parts of the answer; all that is here was read without them
    names_field: bool = True  # False: not all runners could be read, so it does not show who has left the field
