"""When late money is looked for, on what, and what an alert says. PURE: frozen records and no I/O."""

from datetime import datetime, timedelta

from msgspec import Struct

from moneyflow.late_money.judge import EARLIEST_SECONDS, KEPT_SECONDS
from raceday.feed.records import RaceSnapshot, RaceStatus

WINDOW = timedelta(seconds=KEPT_SECONDS)  # of readings
BEFORE_START = -timedelta(seconds=EARLIEST_SECONDS)  # from here on, until the race is no longer Open

Prices = tuple[float | None, float | None]  # None is unknown


def matters(snapshot: RaceSnapshot) -> bool:
    """Tell whether late money is looked for in this poll."""
    return snapshot.status == RaceStatus.OPEN and snapshot.generated_at >= snapshot.advertised_start - BEFORE_START


class WindowReading(Struct, frozen=True):
    """One changed poll of a race. prices: tote dividend and fixed odds of each runner that was not scratched."""

    polled_at: datetime
    win_pool_cents: int | None
    prices: dict[str, Prices]


class RaisedAlert(Struct, frozen=True):
    """An alert that is stored already."""

    entrant_id: str
    severity: int


class Alert(Struct, frozen=True, kw_only=True):
    """Unusual money on one runner, with the evidence for it. Percentages are of the Win pool.

    severity: 1, 2 and 3 at budgets of 10, 4 and 1 alerts a race day. before and after: at both ends of the window in
    which the money came. one_in_races: how many ordinary races there are to one that looks like this. e_value: the
    second opinion. falls: how much the score falls without a group of numbers.
    """

    entrant_id: str
    severity: int
    window_seconds: int
    seen_cents: int
    expected_cents: int
    win_pool_cents: int
    share_before_percentage: float
    share_after_percentage: float
    tote_odds_before: float | None
    tote_odds_after: float | None
    fixed_odds_before: float | None
    fixed_odds_after: float | None
    score: float
    one_in_races: float
    e_value: float | None
    falls: dict[str, float]
    artefact: str


class AlertOutcome(Struct, frozen=True, kw_only=True):
    """How the race ended for a runner with alerts; None is unknown. final_dividend: what a Win bet of $1 was paid."""

    entrant_id: str
    won: bool
    placed: bool | None
    final_dividend: float | None
    final_odds: float | None
    final_share_percentage: float | None
    final_pool_cents: int | None
