"""SERVE: the races before and after a race, and the next one to start. Queries use an index only."""

from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from raceday.feed.records import ENDED
from races.models import Race

SIDES = ("previous", "next", "scheduled")
COLUMNS = ("race_id", "name", "start_time", "meeting_name")
NEIGHBOURS = """
SELECT side, race_id, name, start_time, meeting_name FROM (
    (SELECT 'previous' AS side, * FROM races
     WHERE (start_time, race_id) < (%(start_time)s, %(race_id)s) ORDER BY start_time DESC, race_id DESC LIMIT 1)
    UNION ALL
    (SELECT 'next', * FROM races
     WHERE (start_time, race_id) > (%(start_time)s, %(race_id)s) ORDER BY start_time, race_id LIMIT 1)
    UNION ALL
    (SELECT 'scheduled', * FROM races
     WHERE status <> ALL(%(ended)s) AND start_time > %(now)s ORDER BY start_time, race_id LIMIT 1)
) AS race JOIN meetings USING (meeting_id)
"""


def next_scheduled(now: datetime) -> QuerySet[Race]:
    """Return the live races that start after `now`, the first one first."""
    return Race.objects.live().filter(start_time__gt=now).order_by("start_time", "race_id")


def neighbours(race: Race, now: datetime) -> dict[str, dict[str, Any] | None]:
    """Read the previous, the next and the next scheduled race: one query, three index look-ups.

    The order is (start_time, race_id) over all meetings, with any status, so that a user finds the way back to an open
    race. Each is `{race_id, name, start_time, meeting_name}`, or None.
    """
    parameters: dict[str, Any] = {
        "race_id": race.race_id,
        "start_time": race.start_time,
        "now": now,
        "ended": list(ENDED),
    }
    with connection.cursor() as cursor:
        cursor.execute(NEIGHBOURS, parameters)
        found = {side: dict(zip(COLUMNS, columns, strict=True)) for side, *columns in cursor.fetchall()}
    return {side: found.get(side) for side in SIDES}
