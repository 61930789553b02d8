"""What room 3 is handed and what it hands on: frozen records, no I/O. Amounts in cents, percentages 0–100."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from moneyflow.late_money.alerts import Alert, AlertOutcome, RaisedAlert, WindowReading
from raceday.feed.records import Dividend, Result


class Basis(StrEnum):
    """What an entrant's Win share was derived from."""

    POOL_WIN = "pool_win"  # tote Win dividends
    HOLD = "hold"  # TAB-wide money, where the tote shows no dividends
    NONE = "none"  # neither is known: so are the amounts


class Reading(Struct, frozen=True, kw_only=True):
    """A stored reading of one entrant, as far as the next one needs it."""

    entrant_id: str
    event_timestamp: datetime
    type: Basis
    win_pool_amount: int | None
    place_pool_amount: int | None
    has_place_dividend: bool


RecordedOdds = tuple[Decimal | None, Decimal | None, Decimal | None, Decimal | None]
UNRECORDED: RecordedOdds = (None, None, None, None)


class RaceState(Struct, frozen=True, kw_only=True):
    """What is stored of a race when a poll comes in. Version 0: nothing yet."""

    version: int = 0
    generated_at: datetime | None = None
    digest: str | None = None
    last_reading_at: datetime | None = None
    field: frozenset[str] = frozenset()  # entrants that are still in the field
    elsewhere: frozenset[str] = frozenset()  # entrants the poll names that are another race's
    win_pool_cents: int | None = None
    # The newest reading of each entrant before the poll, and every one from the poll's own time on.
    readings: tuple[Reading, ...] = ()
    recorded_odds: dict[str, RecordedOdds] = {}
    dividends: tuple[Dividend, ...] = ()
    result_status: str | None = None
    result_time: datetime | None = None
    window: tuple[WindowReading, ...] = ()  # readings before the poll, oldest first; none unless late money matters
    alerts: tuple[RaisedAlert, ...] = ()


class MoneyFlowPoint(Struct, frozen=True, kw_only=True):
    """One reading of the money on one entrant; column for column a row of money_flow_history."""

    entrant_id: str
    type: Basis
    hold_percentage: Decimal | None
    bet_percentage: Decimal | None
    win_pool_amount: int | None
    place_pool_amount: int | None
    win_pool_percentage: Decimal | None
    place_pool_percentage: Decimal | None
    incremental_win_amount: int | None
    incremental_place_amount: int | None
    fixed_win_odds: Decimal | None
    fixed_place_odds: Decimal | None
    pool_win_odds: Decimal | None
    pool_place_odds: Decimal | None


class OddsPoint(Struct, frozen=True):
    """A price worth a row of odds_history."""

    entrant_id: str
    type: str
    odds: Decimal
    event_timestamp: datetime


class Correction(Struct, frozen=True):
    """The increments a stored reading has now that a late poll was written before it."""

    entrant_id: str
    event_timestamp: datetime
    incremental_win_amount: int | None
    incremental_place_amount: int | None


class Outcome(StrEnum):
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    LATE = "late"


class RaceEnd(Struct, frozen=True, kw_only=True):
    """Results and dividends as stored: Interim and Final rows both stay."""

    results: tuple[Result, ...]
    dividends: tuple[Dividend, ...]
    result_status: str
    result_time: datetime


class MoneyFlow(Struct, frozen=True, kw_only=True):
    """All that one poll changes; what room 4 writes."""

    outcome: Outcome
    digest: str
    seconds_to_start: int
    time_interval: Decimal
    interval_type: str
    points: tuple[MoneyFlowPoint, ...]
    odds: tuple[OddsPoint, ...]
    recorded_odds: dict[str, RecordedOdds]
    corrections: tuple[Correction, ...]
    data_quality_score: int | None
    end: RaceEnd | None
    newest_at: datetime  # of the feed's answers about the race, and of its readings
    last_reading_at: datetime | None
    gone: tuple[str, ...]  # entrants that the answer names no more
    previous_at: datetime | None = None  # of the stored reading before this poll's
    alerts: tuple[Alert, ...] = ()
    outcomes: tuple[AlertOutcome, ...] = ()
