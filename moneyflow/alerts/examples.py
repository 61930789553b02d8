"""A late-money alert and the record: the examples of the API docs."""

from meetings.examples import MEETING_ID
from races.examples import IDS, KIND, RUNNER, START

RECORD_WHEN_RAISED = {"settled": 212, "won": 41, "expected": 39.6, "expected_when_raised": 33.1}
OUTCOME = {
    **{"won": True, "placed": True, "final_dividend": 4.1, "final_odds": 4.1, "final_share_percentage": 20.3812},
    **{"final_pool_cents": 3310725, "pool_moved_cents": 262785},
}
ALERT = {
    **{**RUNNER, "severity": 2, "raised_at": "2026-11-21T15:30:12.214+13:00"},
    **{"reading_at": "2026-11-21T15:30:10.000+13:00", "seconds_since_start": 12, "window_seconds": 30},
    **{"seen_cents": 64200, "expected_cents": 18150, "win_pool_cents": 3047940},
    **{"share_before_percentage": 16.4471, "share_after_percentage": 18.0},
    **{"tote_odds_before": 5.0, "tote_odds_after": 4.6, "fixed_odds_before": 4.8, "fixed_odds_after": 4.4},
    **{"score": 3.41, "one_in_races": 24.0, "e_value": 18.7, "falls": {"last 30 s": 1.9, "before": 0.6}},
    **{"artefact": "2026-11-01", "record": RECORD_WHEN_RAISED, "outcome": None},
}
RACE_ALERT = {
    **{"race_id": IDS["race_id"], "race_name": "Harbourside Mobile Pace 2600", "race_number": 4, "start_time": START},
    **{"meeting_id": MEETING_ID, "meeting_name": "Addington", "country": "NZ", "race_type": KIND["race_type"]},
    **{**ALERT, "outcome": OUTCOME},
}
BUCKET = {
    **{**RECORD_WHEN_RAISED, "severity": 2, "alerts_a_day": 4},
    "won_over_expected": {"ratio": 1.0354, "low": 0.7854, "high": 1.3385},
    "won_over_expected_when_raised": {"ratio": 1.2387, "low": 0.9396, "high": 1.6013},
}
RECORD = {"buckets": [BUCKET]}
INDICATORS = {
    **{"race_id": IDS["race_id"], "user_id": "Default User", "pool_type": "win"},
    "columns": [
        {"time_interval": 2.0, "entrants": []},
        {
            "time_interval": 1.0,
            "entrants": [
                {
                    **{"entrant_id": RUNNER["entrant_id"], "value": 11.2718},
                    **{"indicator_id": "indicator-2", "color": "#BFDBFE"},
                }
            ],
        },
    ],
}
