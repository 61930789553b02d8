"""Writes meetings: their cards as imported, and their status once their races have ended."""

from collections.abc import Sequence

import msgspec
from django.db import connection

from raceday.feed.records import MeetingCard

_json = msgspec.json.Encoder()

WRITE_MEETINGS = """
INSERT INTO meetings AS meeting (meeting_id, meeting_name, country, state, race_type, date, track_condition, weather)
SELECT meeting_id, name, country, state, race_type, date, track_condition, weather
FROM json_to_recordset(%s::json) AS card (meeting_id text, name text, country text, state text, race_type text,
    date date, track_condition text, weather text)
ON CONFLICT (meeting_id) DO UPDATE SET
    meeting_name = excluded.meeting_name, country = excluded.country, state = excluded.state,
    race_type = excluded.race_type, date = excluded.date, track_condition = excluded.track_condition,
    weather = excluded.weather
WHERE (meeting.meeting_name, meeting.country, meeting.state, meeting.race_type, meeting.date,
        meeting.track_condition, meeting.weather)
    IS DISTINCT FROM (excluded.meeting_name, excluded.country, excluded.state, excluded.race_type, excluded.date,
        excluded.track_condition, excluded.weather)
"""

SETTLE_MEETING = """
UPDATE meetings AS meeting SET status = settled.status
FROM (
    SELECT meeting_id, CASE
        WHEN bool_and(status = 'Abandoned') THEN 'abandoned'
        WHEN bool_and(status IN ('Final', 'Abandoned')) THEN 'completed'
        ELSE 'active' END AS status
    FROM races WHERE meeting_id = ANY(%s) GROUP BY meeting_id) AS settled
WHERE meeting.meeting_id = settled.meeting_id AND meeting.status <> settled.status
"""


def write_meetings(cards: Sequence[MeetingCard]) -> None:
    """This function will store meetings as their cards have them; rows that say the same are left alone."""
    with connection.cursor() as cursor:
        cursor.execute(WRITE_MEETINGS, [_json.encode(cards).decode()])


def settle_meetings(meeting_ids: Sequence[str]) -> None:
    """This function will set meetings' status from their races': completed once all have ended."""
    with connection.cursor() as cursor:
        cursor.execute(SETTLE_MEETING, [list(meeting_ids)])
