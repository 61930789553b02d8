"""The database as the staff route shows it: the example of the API docs."""

DAY = {"since": "2026-11-28T00:00:00.000+13:00", "until": "2026-11-29T00:00:00.000+13:00"}
STATEMENT = {
    "statement": "SELECT race_id, status, start_time FROM races WHERE start_time BETWEEN $1 AND $2",
    "calls": 1769,
    "total_ms": 2083.69,
    "mean_ms": 1.178,
    "max_ms": 29.57,
    "rows": 1769,
    "hit_ratio": 0.99999,
}
INDEX = {
    "table": "odds_history",
    "index": "odds_history_pkey",
    "scans": 204080,
    "last_scan_at": "2026-11-28T02:12:41.000+13:00",
    "bytes": 2629632,
    "is_unique": True,
    "parts": 15,
}
UNUSED_INDEX = {
    **{"table": "poll_runs", "index": "poll_runs_polled_at", "scans": 0, "last_scan_at": None},
    **{"bytes": 229376, "is_unique": False, "parts": 1},
}
TABLE = {
    "table": "poll_runs",
    "rows_estimate": 9335,
    "dead_rows": 0,
    "table_bytes": 1409024,
    "index_bytes": 1400832,
    "total_bytes": 2850816,
    "sequential_scans": 7,
    "index_scans": 9329,
    "vacuumed_at": "2026-11-28T02:05:17.933+13:00",
    "analyzed_at": "2026-11-28T02:12:18.536+13:00",
}
PARTITIONED = {
    **{"table": "money_flow_history", "partitions": 15, "rows_estimate": 17096, "total_bytes": 6914048},
    **{"oldest_since": "2026-11-21T00:00:00.000+13:00", "newest_until": "2026-12-06T00:00:00.000+13:00"},
    "newest": [{"table": "money_flow_history_2026_11_28", **DAY, "rows_estimate": 17096, "total_bytes": 6569984}],
}
LONG_RUNNING: dict[str, object] = {
    **{"pid": 4711, "application": "raceday", "state": "active", "seconds": 1.8, "waits_for": None},
    **{"wait_event": None, "blocked_by": [], "statement": "SELECT count(*) FROM poll_runs"},
}
REPLICA = {
    **{"name": "replica_1", "host": "replica.example", "is_reachable": True, "lag_seconds": 0.4, "is_used": True},
}
DATABASE_STATS = {
    "timestamp": "2026-11-28T04:11:44.127+13:00",
    "connections": {
        **{"max": 27, "used": 9},
        "by_application": [{"application": "raceday", "state": "idle", "count": 6}],
    },
    "pool": {"max": 12, "open": 9, "by_state": {"active": 1, "idle": 8}},
    "tables": [TABLE],
    "partitions": [PARTITIONED],
    "indexes": {"used": [INDEX], "unused": [UNUSED_INDEX]},
    "cache": {
        **{"hit_ratio": 0.99996, "hits": 2386569, "reads": 85, "commits": 45655, "rollbacks": 0},
        **{"deadlocks": 0, "temp_bytes": 0, "database_bytes": 26146495, "since": None},
    },
    "statements": {"by_total": [STATEMENT], "by_mean": [STATEMENT], "reason": None},
    "long_running": [LONG_RUNNING],
    "replicas": [REPLICA],
    "problems": {},
}
