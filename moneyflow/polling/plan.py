"""When a race is polled next: on the grid of its cadence, or just after the refresh that is expected. PURE."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import ceil, floor
from typing import NamedTuple

from moneyflow.polling.refresh import Beat, upcoming
from raceday.feed.records import RaceStatus
from races.cadence import FORGOTTEN, SOON, CadenceSeconds, next_poll

LEAST_CADENCE = 3  # seconds, of the shortest; polls that are closer see each refresh at once
LEAST_PERIOD = 1.9  # of the shortest cadence; below, no poll between two refreshes can show that there is a beat
NARROW_SECONDS = 1.7  # an expectation that wide needs no poll in its middle
MARGIN_SECONDS = 0.1
FLOOR_SECONDS = 1.0  # between two polls of a race
LONGEST_GAP = 1.6  # cadences, while polls can be spared
ABOUT = 0.1  # cadences by which polls between refreshes may be closer
AHEAD_POLLS = 2  # by which a race may be ahead of the grid of its shortest cadence


class LiveRace(NamedTuple):
    """What decides when a race is polled."""

    race_id: str
    start: datetime  # as advertised
    status: str


class Turn(NamedTuple):
    """A poll of a race: when it is due, and the instant up to which it and those before use the shortest cadence up."""

    due: datetime
    used_until: datetime


def next_turn(last: Turn, now: datetime, race: LiveRace, beat: Beat | None, seconds: CadenceSeconds) -> Turn | None:
    """Return a race's next poll, strictly after `now`; None for never.

    In the last five minutes it is on the grid of the shortest cadence until there is a beat. Then it comes just after
    each refresh that is expected, with polls between: never more of them than on that grid, but for two.
    """
    to_start = race.start - now
    learns = seconds.closing >= LEAST_CADENCE and is_closing(race.status, to_start)
    tiers = replace(seconds, soon=seconds.closing) if learns else seconds
    due = next_poll(last.due, now, status=race.status, advertised_start=race.start, seconds=tiers)
    if due is None:
        return None
    if learns and beat is not None and beat.period >= LEAST_PERIOD * seconds.closing:
        earliest = last.used_until.timestamp() - AHEAD_POLLS * seconds.closing
        at = _after_refresh(beat, last.due.timestamp(), seconds.closing)
        if at <= now.timestamp():
            at = _after_refresh(beat, now.timestamp(), seconds.closing)
        due = datetime.fromtimestamp(max(at, earliest), UTC)
    return Turn(due, max(last.used_until, due) + timedelta(seconds=seconds.closing))


def is_closing(status: str, to_start: timedelta) -> bool:
    """Tell whether a race is so near its close that the feed's refreshes of it are looked for."""
    return status == RaceStatus.OPEN and -FORGOTTEN <= to_start <= SOON


def _after_refresh(beat: Beat, since: float, interval: float) -> float:
    """Return the first of the polls that lead from the poll at `since` to the next refresh.

    A wide expectation is halved: a poll in its middle, and one after it if the first found no news.
    """
    refresh = upcoming(beat, since)
    is_wide = refresh.latest - refresh.earliest > NARROW_SECONDS
    has_middle = is_wide and refresh.expected_at > since + FLOOR_SECONDS
    target = refresh.expected_at if has_middle else refresh.latest + MARGIN_SECONDS
    rest = target - since
    polls = max(1, min(ceil(rest / (LONGEST_GAP * interval)), floor(rest / interval + ABOUT)))
    return since + max(rest / polls, FLOOR_SECONDS)
