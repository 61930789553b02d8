"""SERVE: a race and its parts as models, read by plain statements, for what is made again at each poll.

The ORM took twice as long to write such statements as PostgreSQL to answer them.
"""

from typing import Any

from rest_framework.exceptions import NotFound

from meetings.models import Meeting
from races.models import Entrant, Race, RacePool, RaceResult

RACE = """
SELECT races.*, polled_at AS polled, changed_at AS changed, generated_at AS generated,
    (SELECT count(*) FROM entrants
     WHERE entrants.race_id = races.race_id AND NOT is_scratched AND gone_at IS NULL) AS runner_count
FROM races LEFT JOIN poll_marks USING (race_id) WHERE races.race_id = %s
"""
MEETING = """
SELECT meetings.*,
    (SELECT min(start_time) FROM races WHERE races.meeting_id = meetings.meeting_id) AS first_race_time
FROM meetings WHERE meeting_id = %s
"""
ENTRANTS = "SELECT * FROM entrants WHERE race_id = %s AND gone_at IS NULL ORDER BY runner_number, entrant_id"
POOL = "SELECT * FROM race_pools WHERE race_id = %s"
RESULT = "SELECT * FROM race_results WHERE race_id = %s"


def find_race(race_id: str) -> Any:
    """Read a race; None if there is none.

    It has its last poll, its last change and the feed's time stamp (`polled`, `changed`, `generated`: None before the
    first poll), and `runner_count`, which leaves out entrants that are scratched or have left the field.
    """
    return next(iter(Race.objects.raw(RACE, [race_id])), None)


def read_race(race_id: str) -> Any:
    """Read a race as `find_race` does; NotFound if there is none."""
    if (race := find_race(race_id)) is None:
        raise NotFound("no such race")
    return race


def read_whole_race(race_id: str) -> Any:
    """Read a race as `read_race` does, its meeting with it, which knows its `first_race_time`."""
    race = read_race(race_id)
    (race.meeting,) = Meeting.objects.raw(MEETING, [race.meeting_id])
    return race


def read_entrants(race_id: str) -> list[Any]:
    """Read a race's entrants by runner number, without those that left the field; none if there is no such race."""
    return list(Entrant.objects.raw(ENTRANTS, [race_id]))


def read_pool(race_id: str) -> RacePool | None:
    """Read a race's tote pools."""
    return next(iter(RacePool.objects.raw(POOL, [race_id])), None)


def read_result(race_id: str) -> Any:
    """Read a race's result; None before it ends. The caller adds its `runners`, whose prices it shows."""
    return next(iter(RaceResult.objects.raw(RESULT, [race_id])), None)
