"""One meeting as the API shows it: the examples of the API docs."""

MEETING_ID = "6d1536e5-be66-55e2-9ce2-a976a3b734b1"
WRITTEN = {"created_at": "2026-11-21T06:00:02.145+13:00", "updated_at": "2026-11-21T15:26:00.301+13:00"}
MEETING = {
    "meeting_id": MEETING_ID,
    "meeting_name": "Addington",
    "country": "NZ",
    "race_type": "harness",
    "date": "2026-11-21",
    "status": "active",
    "first_race_time": "2026-11-21T14:00:00.000+13:00",
    "track_condition": "Fast",
    "weather": "Cloudy",
}
MEETING_DETAIL = {**MEETING, **WRITTEN}
