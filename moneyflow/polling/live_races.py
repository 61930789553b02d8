"""Which races are polled, and when the feed renews those that close: read from what polls have stored."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
import psycopg

from moneyflow.polling.plan import LiveRace
from moneyflow.polling.refresh import Beat, Poll, beat_of, upcoming
from raceday import clock
from raceday.selecting import select
from races.cadence import FORGOTTEN, SOON, STALE

AHEAD = timedelta(hours=24)
LOOK_BACK = timedelta(minutes=5)  # at polls, for the feed's beat

# As moneyflow.polling.plan.is_closing.
IS_CLOSING = "status = 'Open' AND start_time BETWEEN %(now)s - %(forgotten)s AND %(now)s + %(soon)s"
# Asked for, in hand, whether it found news, stamp: as moneyflow.polling.refresh.Poll.
POLLS = """(
    SELECT json_agg(json_build_array(
        extract(epoch FROM polled_at) - coalesce(fetch_ms, 0) / 1000 * %(speed)s, extract(epoch FROM polled_at),
        outcome = 'changed', extract(epoch FROM generated_at)) ORDER BY polled_at)::text
    FROM poll_runs AS run
    WHERE run.race_id = races.race_id AND polled_at > %(now)s - %(look_back)s
        AND outcome IN ('changed', 'unchanged'))"""
LIVE = f"""
SELECT race_id, start_time, status, CASE WHEN {IS_CLOSING} THEN {POLLS} END FROM races
WHERE status NOT IN ('Final', 'Abandoned') AND start_time BETWEEN %(now)s - %(stale)s AND %(now)s + %(ahead)s
"""  # noqa: S608  # every part of it is ours
CLOSING = f"SELECT {POLLS} AS polls FROM races WHERE {IS_CLOSING}"  # noqa: S608
OF_RACE = f"(SELECT CASE WHEN {IS_CLOSING} THEN {POLLS} END FROM races WHERE race_id = %(race_id)s)"  # noqa: S608
_polls = msgspec.json.Decoder(list[Poll])


def read_live(connection: psycopg.Connection[Any], now: datetime) -> tuple[list[LiveRace], dict[str, Beat]]:
    """Read the races of the coming day, and of the half day behind, that have not ended, and which beats are known."""
    rows = connection.execute(LIVE, {**instants(now), "stale": STALE, "ahead": AHEAD}).fetchall()
    beats = {race_id: _beat(polls) for race_id, _, _, polls in rows if polls}
    return [LiveRace(*row[:3]) for row in rows], {race_id: beat for race_id, beat in beats.items() if beat}


class Expected(NamedTuple):
    """What is known of a race's refreshes: seconds between two, and when the next one is expected."""

    period: float
    at: datetime


def expected_refreshes(now: datetime) -> list[Expected]:
    """Read what the feed's refreshes are of the races that close, where that is known; the next one first."""
    found = [expected_after(row["polls"], now) for row in select(CLOSING, instants(now))]
    return sorted(filter(None, found), key=lambda each: each.at)


def expected_refresh(race_id: str, now: datetime) -> Expected | None:
    """Read what the feed's refreshes of a race are; None while that is unclear, or the race does not close."""
    rows = select(f"SELECT {OF_RACE} AS polls", {**instants(now), "race_id": race_id})
    return expected_after(rows[0]["polls"], now)


def expected_after(polls: str | None, now: datetime) -> Expected | None:
    """Return what POLLS say of the refreshes after `now`; None while that is unclear."""
    if not polls or (beat := _beat(polls)) is None:
        return None
    return Expected(beat.period, datetime.fromtimestamp(upcoming(beat, now.timestamp()).expected_at, UTC))


def instants(now: datetime) -> dict[str, Any]:
    """Return what the statements above have to know."""
    return {"now": now, "forgotten": FORGOTTEN, "soon": SOON, "look_back": LOOK_BACK, "speed": clock.CLOCK.speed}


@lru_cache(maxsize=256)  # most polls are read again before there is a newer one
def _beat(polls: str) -> Beat | None:
    return beat_of(_polls.decode(polls))
