"""SERVE: a race and its parts, read together or alone: what is made again at each poll."""

from datetime import datetime
from typing import Any

import msgspec
from rest_framework.exceptions import NotFound

from meetings.models import Meeting
from raceday.rows import many, one, read, row_type, together
from races.models import Entrant, Race, RacePool, RaceResult

RACE = """
SELECT races.*, polled_at AS polled, changed_at AS changed, generated_at AS generated,
    (SELECT count(*) FROM entrants
     WHERE entrants.race_id = races.race_id AND NOT is_scratched AND gone_at IS NULL) AS runner_count
FROM races LEFT JOIN poll_marks USING (race_id) WHERE races.race_id = %(race_id)s
"""
MEETING = """
SELECT meetings.*,
    (SELECT min(start_time) FROM races WHERE races.meeting_id = meetings.meeting_id) AS first_race_time
FROM meetings WHERE meeting_id = (SELECT meeting_id FROM races WHERE race_id = %(race_id)s)
"""
ENTRANTS = "SELECT * FROM entrants WHERE race_id = %(race_id)s AND gone_at IS NULL ORDER BY runner_number, entrant_id"
PARTS = {
    "race": one(RACE),
    "meeting": one(MEETING),
    "entrants": many(ENTRANTS),
    "pools": one("SELECT * FROM race_pools WHERE race_id = %(race_id)s"),
    "results": one("SELECT * FROM race_results WHERE race_id = %(race_id)s"),
}
ALONE, WHOLE = together(race=PARTS["race"]), together(race=PARTS["race"], meeting=PARTS["meeting"])
FIELD = together(entrants=PARTS["entrants"])
# The last poll, the last change and the feed's time stamp are None before the first poll.
BESIDE: dict[str, Any] = {**dict.fromkeys(("polled", "changed", "generated"), datetime), "runner_count": int}
Parts: Any = msgspec.defstruct(
    "Parts",
    [
        ("race", row_type(Race, **BESIDE, meeting=Any) | None, None),
        ("meeting", row_type(Meeting, first_race_time=datetime) | None, None),
        ("entrants", list[row_type(Entrant)], []),  # type: ignore[misc]  # made above
        ("pools", row_type(RacePool) | None, None),
        ("results", row_type(RaceResult, runners=Any) | None, None),
    ],
)
_parts = msgspec.json.Decoder(Parts)


def find_race(race_id: str) -> Any:
    """Read a race; None if there is none.

    It has its last poll, its last change and the feed's time stamp (`polled`, `changed`, `generated`: None before the
    first poll), and `runner_count`, which leaves out entrants that are scratched or have left the field.
    """
    return read(ALONE, {"race_id": race_id}, _parts).race


def read_race(race_id: str) -> Any:
    """Read a race as `find_race` does; NotFound if there is none."""
    return whole(read(ALONE, {"race_id": race_id}, _parts)).race


def read_whole_race(race_id: str) -> Any:
    """Read a race as `read_race` does, its meeting with it, which knows its `first_race_time`."""
    return whole(read(WHOLE, {"race_id": race_id}, _parts)).race


def read_entrants(race_id: str) -> list[Any]:
    """Read a race's entrants by runner number, without those that left the field; none if there is no such race."""
    entrants: list[Any] = read(FIELD, {"race_id": race_id}, _parts).entrants
    return entrants


def whole(parts: Any) -> Any:
    """Return the parts of a race, put together: its meeting is the race's, its entrants the result's; NotFound."""
    if parts.race is None:
        raise NotFound("no such race")
    parts.race.meeting = parts.meeting
    if parts.results:
        parts.results.runners = parts.entrants
    return parts
