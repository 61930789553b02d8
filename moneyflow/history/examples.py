"""Histories as the API shows them: the examples of the API docs."""

from races.examples import ENTRANT, RACE

RACE_ID, ENTRANT_ID = RACE["race_id"], ENTRANT["entrant_id"]
ENTRANT_HISTORIES = {
    **ENTRANT,
    "odds_history": [
        {"odds": 4.6, "type": "pool_win", "timestamp": "2026-11-21T15:25:55.000+13:00"},
        {"odds": 4.4, "type": "fixed_win", "timestamp": "2026-11-21T15:25:40.000+13:00"},
    ],
    "money_flow_history": [
        {"hold_percentage": 18.0, "win_pool_amount": 548629, "timestamp": "2026-11-21T15:25:55.000+13:00"},
        {"hold_percentage": 17.6, "win_pool_amount": 531204, "timestamp": "2026-11-21T15:25:40.000+13:00"},
    ],
}
HISTORY = {
    "race_id": RACE_ID,
    "pool_type": None,
    "timestamps": [1795227899000, 1795227914000, 1795227929000],
    "entrants": [
        {
            "entrant_id": ENTRANT_ID,
            "runner_number": 1,
            "hold_percentage": [3.0, 3.0, 3.1],
            "win_pool_amount": [51204, 52538, 53910],
            "win_pool_percentage": [1.7021, 1.7237, 1.7302],
            "incremental_win_amount": [None, 1334, 1372],
            "place_pool_amount": [14100, 14310, 14502],
            "place_pool_percentage": [1.78, 1.7794, 1.7801],
            "incremental_place_amount": [None, 210, 192],
            "odds": {"fixed_win": {"timestamps": [1795140000000, 1795227914000], "odds": [21.0, 23.0]}},
        }
    ],
}
DOCUMENT = {
    "id": f"{ENTRANT_ID}:2",
    "race_id": RACE_ID,
    "entrant_id": ENTRANT_ID,
    "type": "bucketed_aggregation",
    "time_interval": 2.0,
    "time_to_start": 2,
    "interval_type": "30s",
    "hold_percentage": 3.1,
    "incremental_win_amount": 53910,
    "incremental_place_amount": 14502,
    "win_pool_amount": 53910,
    "place_pool_amount": 14502,
    "win_pool_percentage": 1.7302,
    "place_pool_percentage": 1.7801,
    "fixed_win_odds": 23.0,
    "fixed_place_odds": 5.4,
    "pool_win_odds": 48.6,
    "pool_place_odds": 7.1,
    "event_timestamp": "2026-11-21T15:27:41.000+13:00",
    "polling_timestamp": "2026-11-21T15:27:41.402+13:00",
    "created_at": "2026-11-21T15:27:41.455+13:00",
}
TIMELINE = {
    "success": True,
    "documents": [DOCUMENT],
    "total": 1,
    "race_id": RACE_ID,
    "entrant_ids": [ENTRANT_ID],
    "pool_type": "win",
    "bucketed_data": True,
    "interval_coverage": {
        "summary": {
            "total_documents": 1,
            "entrants_covered": 1,
            "intervals_covered": [2.0],
            "critical_period_gaps": [{"entrant_id": ENTRANT_ID, "missing_intervals": [5, 4, 3]}],
            "coverage_report": "1 of 1 entrants have documents, 1 have gaps in the last 5 minutes",
        },
        "entrants": [
            {
                "entrant_id": ENTRANT_ID,
                "document_count": 1,
                "intervals_covered": [2.0],
                "critical_period_coverage": [2],
                "missing_critical_intervals": [60, 55, 50, 45, 40, 35, 30, 25, 20, 15, 10, 5, 4, 3],
            }
        ],
    },
    "next_cursor": None,
    "next_created_at": "2026-11-21T15:27:41.455120+13:00",
    "limit": 200,
    "created_after": None,
}
