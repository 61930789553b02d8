"""Writes meetings as their cards have them."""

from collections.abc import Sequence

import msgspec
from django.db import connection

from raceday.feed.records import MeetingCard
from raceday.upsert import on_conflict

_json = msgspec.json.Encoder()

COLUMNS = "meeting_name, country, state, race_type, date, track_condition, weather"
WRITE_MEETINGS = f"""
INSERT INTO meetings AS meeting (meeting_id, {COLUMNS})
SELECT meeting_id, name, country, state, race_type, date, track_condition, weather
FROM json_to_recordset(%s::json) AS card (meeting_id text, name text, country text, state text, race_type text,
    date date, track_condition text, weather text)
{on_conflict("meeting_id", "meeting", COLUMNS)}
"""  # noqa: S608  # every part of it is ours


def write_meetings(cards: Sequence[MeetingCard]) -> None:
    """Store meetings as their cards have them; rows without changes are left alone."""
    with connection.cursor() as cursor:
        cursor.execute(WRITE_MEETINGS, [_json.encode(cards).decode()])
