"""One race in every response that shows it: the examples of the API docs."""

from meetings.examples import MEETING_ID, WRITTEN

START, POLLED = "2026-11-21T15:30:00.000+13:00", "2026-11-21T15:26:00.214+13:00"
IDS = {"race_id": "fa64781b-d9ff-5d34-8c18-e4a28e9711fb", "meeting_id": MEETING_ID}
NAMED = {"name": "Harbourside Mobile Pace 2600", "race_number": 4, "start_time": START}
RACE = {"race_id": IDS["race_id"], **NAMED, "status": "Open", "meeting_id": IDS["meeting_id"]}
KIND = {"race_type": "harness", "type": "harness"}
RACE_DETAIL = {
    **{**IDS, **NAMED, "actual_start": "2026-11-21T15:30:40.000+13:00", "status": "Open", "distance": 2600},
    **{"track_condition": "Fast", "weather": "Cloudy", **KIND, "runner_count": 14, **WRITTEN},
}
RUNNER = {"entrant_id": "d93379c5-16fc-509e-b9ce-121bf5dd42e2", "name": "Velvet Bandit", "runner_number": 1}
PRICES = {"fixed_win_odds": 4.4, "fixed_place_odds": 1.6}
ENTRANT = {
    **{**RUNNER, "win_odds": 4.6, "place_odds": 1.7, "hold_percentage": 18.0, "is_scratched": False},
    **{"jockey": "Kerry Lowther", "trainer_name": "Billie Adair", "barrier": 1, "weight": None},
    **{"silk_colours": "Orange, white spots & cap", "silk_url_64": "https://silks.example/velvet_bandit_64x64.png"},
    **{"silk_url_128": "https://silks.example/velvet_bandit_128x128.png", **PRICES},
    **{"pool_win_odds": 4.6, "pool_place_odds": 1.7},
}
POOLS = {
    **{"race_id": IDS["race_id"], "win_pool_total": 3047940, "place_pool_total": 804196},
    **{"quinella_pool_total": 1443749, "trifecta_pool_total": 1345937, "exacta_pool_total": None},
    **{"first4_pool_total": 800524, "total_race_pool": 7442346, "currency": "$", "data_quality_score": 100},
    **{"extracted_pools": 5, "last_updated": POLLED},
}
DIVIDEND = {
    **{"product_name": "Pool Win", "dividend": 4.6, "positions": [{"runner_number": 1, "position": 1}]},
    **{"pool_size": 3047940, "status": "Final", "description": None},
}
RESULT = {
    **{"race_id": IDS["race_id"], "results_available": True},
    "results_data": [{"position": 1, **RUNNER, "barrier": 1, "margin_length": 0.0}],
    "dividends_data": [DIVIDEND],
    "fixed_odds_data": {"1": {**PRICES, "runner_name": RUNNER["name"], "entrant_id": RUNNER["entrant_id"]}},
    **{"result_status": "final", "photo_finish": None, "stewards_inquiry": None, "protest_lodged": None},
    **{"result_time": "2026-11-21T15:36:20.000+13:00", **WRITTEN},
}
MEETING_RACES = {"races": [RACE], "total": 1, "timestamp": POLLED}
MEETING_STATUS = {"isCompleted": False, "totalRaces": 10, "finalizedRaces": 3}
NEIGHBOUR = {
    **{"race_id": "1f0b2a0e-7a55-5c58-8a3c-2d4a1c1f6f10", "name": "Two Mile Cup"},
    **{"start_time": "2026-11-21T15:37:00.000+13:00", "meeting_name": "Awapuni"},
}
NAVIGATION = {"previousRace": None, "nextRace": NEIGHBOUR, "nextScheduledRace": NEIGHBOUR}
UPCOMING_RACE = {**RACE, "meeting_name": "Addington", "country": "NZ", **KIND}
WINDOW = {
    **{"lower_bound": "2026-11-21T15:21:00.214+13:00", "upper_bound": "2026-11-21T17:26:00.214+13:00"},
    **{"window_minutes": 120, "lookback_minutes": 5},
}
UPCOMING = {"races": [UPCOMING_RACE], "total": 1, "timestamp": POLLED, "window": WINDOW}
BATCH = {"races": [RACE_DETAIL], "missing": ["no-such-race"]}
