"""What the detector is handed and what it answers: frozen records. Odds are decimal per $1, nan where unknown."""

from collections.abc import Sequence
from datetime import datetime
from enum import IntEnum, StrEnum

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Indexes = NDArray[np.intp]


class Reading(Struct, frozen=True, kw_only=True, eq=False):
    """One poll of a race. The arrays have one value for each entrant, in the order of `entrant_ids`."""

    polled_at: datetime
    seconds_since_start: float  # since the advertised start; below 0 before it
    status: str
    win_pool_cents: int | None
    entrant_ids: tuple[str, ...]
    dividends: Floats  # what the tote would pay for a win
    fixed_odds: Floats
    is_scratched: Flags


class Silence(StrEnum):
    """Why the detector says nothing about a poll."""

    NOT_OPEN = "the race is not open"
    TOO_EARLY = "more than three minutes before the advertised start"
    POOL_UNKNOWN = "the Win pool is unknown"
    POOL_TOO_SMALL = "the Win pool is too small"
    DIVIDENDS_INCOMPLETE = "the dividends are incomplete"
    STALE = "the readings are stale"
    TOO_FEW_READINGS = "too few readings"


class Severity(IntEnum):
    """An alert's severity is the smallest budget, in false-alert races a race day, that includes it."""

    RARE = 1
    UNUSUAL = 4
    NOTABLE = 10


class Evidence(Struct, frozen=True, kw_only=True):
    """What an alert says beside its dollars: before the window with the largest excess, and after. Shares are 0–1."""

    share_before: float
    share_after: float
    tote_before: float | None
    tote_after: float | None
    fixed_before: float | None
    fixed_after: float | None
    e_value: float  # second opinion: a betting score against "standing prices explain the money"
    falls: dict[str, float]  # group of numbers: how much the score falls when it says nothing


class RunnerVerdict(Struct, frozen=True, kw_only=True):
    """How unusual the money on one runner is. A higher score is more unusual, in any race."""

    entrant_id: str
    score: float
    p_value: float  # the chance that an ordinary race reaches this score before it closes
    severity: Severity | None
    window_seconds: float
    dollars_seen: float  # in the window with the largest excess
    dollars_expected: float
    evidence: Evidence | None  # with a severity

    @property
    def one_in(self) -> int:
        """Return N of "1 in N races look like this"."""
        return round(1 / self.p_value)


class Verdict(Struct, frozen=True, kw_only=True):
    """What one poll shows: each runner's verdict, or why there is none."""

    runners: Sequence[RunnerVerdict] = ()
    silent_because: Silence | None = None
    detector: str = ""  # name of the artefact, or of the fallback
