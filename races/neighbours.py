"""SERVE: the races before and after a race, and the next one to start. Queries use an index only."""

from datetime import datetime
from typing import Any

import msgspec
from django.db.models import QuerySet
from msgspec import Struct

from raceday.feed.records import ENDED
from raceday.rows import read
from races.models import Race

NEIGHBOURS = """
SELECT side, race_id, name, start_time, meeting_name FROM (
    (SELECT 'previous' AS side, * FROM races
     WHERE (start_time, race_id) < ((SELECT start_time FROM races WHERE race_id = %(race_id)s), %(race_id)s)
     ORDER BY start_time DESC, race_id DESC LIMIT 1)
    UNION ALL
    (SELECT 'next', * FROM races
     WHERE (start_time, race_id) > ((SELECT start_time FROM races WHERE race_id = %(race_id)s), %(race_id)s)
     ORDER BY start_time, race_id LIMIT 1)
    UNION ALL
    (SELECT 'scheduled', * FROM races
     WHERE status <> ALL(%(ended)s) AND start_time > %(now)s ORDER BY start_time, race_id LIMIT 1)
) AS race JOIN meetings USING (meeting_id)
"""
BY_SIDE = f"(SELECT coalesce(json_object_agg(side, row), '{{}}') FROM ({NEIGHBOURS}) AS row)"  # noqa: S608  our own text


class Neighbour(Struct, frozen=True):
    """A race beside another."""

    race_id: str
    name: str
    start_time: datetime
    meeting_name: str


class Neighbours(Struct, frozen=True):
    """The previous, the next and the next scheduled race.

    The order is (start_time, race_id) over all meetings, with any status, so that a user finds the way back to an open
    race.
    """

    previous: Neighbour | None = None
    next: Neighbour | None = None
    scheduled: Neighbour | None = None


_neighbours = msgspec.json.Decoder(Neighbours)


def next_scheduled(now: datetime) -> QuerySet[Race]:
    """Return the live races that start after `now`, the first one first."""
    return Race.objects.live().filter(start_time__gt=now).order_by("start_time", "race_id")


def read_neighbours(race_id: str, now: datetime) -> Neighbours:
    """Read a race's neighbours: one query, three index look-ups."""
    return read(f"SELECT {BY_SIDE}::text", parameters(race_id, now), _neighbours)


def parameters(race_id: str, now: datetime) -> dict[str, Any]:
    """Return what NEIGHBOURS has to know."""
    return {"race_id": race_id, "now": now, "ended": sorted(ENDED)}
