"""Why late money cannot be seen in a race now. PURE."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from math import inf

from moneyflow.late_money.alerts import BEFORE_START
from moneyflow.transform.shares import is_plausible
from raceday.feed.records import RaceStatus

SMALLEST_POOL_DOLLARS = 500
Dividends = Sequence[Decimal | None]


class Silence(StrEnum):
    """What a client reads where there is nothing to read in the money."""

    NOT_OPEN = "the race is not open"
    TOO_EARLY = "more than three minutes before the advertised start"
    POOL_UNKNOWN = "the Win pool is unknown"
    POOL_TOO_SMALL = "the Win pool is too small"
    DIVIDENDS_INCOMPLETE = "the dividends are incomplete"
    STALE = "the readings are stale"


def silent_because(
    *,
    status: str,
    to_start: timedelta,
    pool_dollars: Decimal | None,
    dividends: Sequence[Decimal | None],
    is_stale: bool,
) -> Silence | None:
    """Return the first reason why late money cannot be seen, None where there is none.

    dividends: of the runners that are not scratched.
    """
    reasons = {
        Silence.NOT_OPEN: status != RaceStatus.OPEN,
        Silence.TOO_EARLY: to_start > BEFORE_START,
        Silence.POOL_UNKNOWN: pool_dollars is None,
        Silence.POOL_TOO_SMALL: pool_dollars is not None and pool_dollars < SMALLEST_POOL_DOLLARS,
        Silence.DIVIDENDS_INCOMPLETE: not is_plausible(dividends),
        Silence.STALE: is_stale,
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def until_it_matters(now: datetime, start: datetime) -> float:
    """Return the seconds until time alone ends a silence; infinite when it will not."""
    seconds = (start - BEFORE_START - now).total_seconds()
    return seconds if seconds > 0 else inf
