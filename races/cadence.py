"""How often a race is polled and when next. PURE: the instant, the race and the seconds are arguments."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf

from raceday.feed.records import ENDED, RaceStatus

NEAR = timedelta(minutes=15)
SOON = timedelta(minutes=5)
CLOSING = timedelta(seconds=90)
TIER_BOUNDARIES = (NEAR, SOON, CLOSING)  # before the advertised start

# A race closes within minutes of its advertised start (p95 of NZ gallops: 188 s). Half an hour later "Open" means that
# the feed has forgotten the race, and 5 s polls of it would run on until midnight.
FORGOTTEN = timedelta(minutes=30)
# Half a day later nothing about the race will change any more: the morning's import of the day looks at it once again.
STALE = timedelta(hours=12)


@dataclass(frozen=True, slots=True, kw_only=True)
class CadenceSeconds:
    """Seconds between polls in each tier, as in settings.CADENCE_SECONDS."""

    far: int
    near: int
    soon: int
    closing: int
    settling: int


def cadence(status: str, to_start: timedelta, seconds: CadenceSeconds) -> timedelta | None:
    """Return the time between polls of a race `to_start` before its advertised start.

    `to_start` is negative after the advertised start. None: the race is polled no more. A status we do not know
    counts as a race under way.

    >>> cadence("Open", timedelta(minutes=4), CadenceSeconds(far=60, near=30, soon=15, closing=5, settling=15))
    datetime.timedelta(seconds=15)
    """
    if status in ENDED or -to_start > STALE:
        return None
    if status == RaceStatus.POSTPONED:
        return timedelta(seconds=seconds.far)
    if status != RaceStatus.OPEN:
        return timedelta(seconds=seconds.settling)
    return timedelta(seconds=_open_seconds(to_start, seconds))


def _open_seconds(to_start: timedelta, seconds: CadenceSeconds) -> int:
    if to_start > NEAR or -to_start > FORGOTTEN:
        return seconds.far
    if to_start > SOON:
        return seconds.near
    if to_start > CLOSING:
        return seconds.soon
    return seconds.closing


def is_frozen(generated_at: datetime, polled_at: datetime, refresh: timedelta) -> bool:
    """Tell whether an answer was older when it came than a source can be that renews itself each `refresh`.

    Two refreshes are allowed, and 5 s: one may just have been missed.
    """
    return polled_at - generated_at > 2 * refresh + timedelta(seconds=5)


def until_next_tier(status: str, to_start: timedelta) -> float:
    """Return the seconds until time alone changes a race's cadence; infinite when it will not.

    >>> until_next_tier("Open", timedelta(minutes=6)), until_next_tier("Closed", timedelta(minutes=6))
    (60.0, inf)
    """
    if status != RaceStatus.OPEN:
        return inf
    left = [(to_start - tier).total_seconds() for tier in (*TIER_BOUNDARIES, -FORGOTTEN)]
    return min((seconds for seconds in left if seconds > 0), default=inf)


def next_poll(
    due: datetime, now: datetime, *, status: str, advertised_start: datetime, seconds: CadenceSeconds
) -> datetime | None:
    """Return when the race last due at `due` is due next: strictly after `now`, or None for never.

    Polls stand on the grid due + k·cadence, so that lateness never adds up; polls that were missed are skipped. Where
    an Open race enters a shorter cadence before that, it is due at that boundary.

    One worked: due 12:00:00, now 12:01:10, cadence 60 s → 12:02:00, k = 2.
    """
    interval = cadence(status, advertised_start - now, seconds)
    if interval is None:
        return None
    candidate = due + max(1, (now - due) // interval + 1) * interval
    boundaries = [advertised_start - tier for tier in TIER_BOUNDARIES] if status == RaceStatus.OPEN else []
    return min([candidate, *(boundary for boundary in boundaries if boundary > now)])
