"""Why late money cannot be seen in a race now: what the detector would say of its newest reading. PURE."""

from collections.abc import Sequence
from datetime import datetime
from math import inf
from typing import Any

import numpy as np

from moneyflow.late_money.alerts import BEFORE_START
from moneyflow.late_money.judge import silence
from moneyflow.late_money.records import Reading, Silence


def silent_because(
    race: Any, entrants: Sequence[Any], *, pool_cents: int | None, now: datetime, is_stale: bool
) -> Silence | None:
    """Return why late money cannot be seen at `now`, None where nothing is in the way."""
    reading = Reading(
        polled_at=now,
        seconds_since_start=(now - race.start_time).total_seconds(),
        status=race.status,
        win_pool_cents=pool_cents,
        entrant_ids=tuple(entrant.entrant_id for entrant in entrants),
        dividends=np.array([entrant.pool_win_odds for entrant in entrants], float),
        fixed_odds=np.array([entrant.fixed_win_odds for entrant in entrants], float),
        is_scratched=np.array([entrant.is_scratched for entrant in entrants], bool),
    )
    return silence(reading) or (Silence.STALE if is_stale else None)


def until_it_matters(now: datetime, start: datetime) -> float:
    """Return the seconds until time alone ends a silence; infinite when it will not."""
    seconds = (start - BEFORE_START - now).total_seconds()
    return seconds if seconds > 0 else inf
