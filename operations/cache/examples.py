"""The response cache as the staff routes show it: the examples of the API docs."""

CACHE_STATS = {
    "timestamp": "2026-11-28T04:11:44.268+13:00",
    "routes": [{"route": "race-live", "hits": 1204, "stales": 9, "misses": 11, "hit_rate": 0.9837}],
    "routes_unknown": None,
    "topics": {"alerts": 1, "card": 1, "meeting": 6, "race": 64},
    "bodies": 341,
    "bytes": {"identity": 69355, "gzip": 862076, "br": 713972},
    "oldest_mark": {"polled_at": "2026-11-28T01:47:40.975+13:00", "age_seconds": 1728},
    "newest_mark": {"polled_at": "2026-11-28T04:11:40.026+13:00", "age_seconds": 0},
    "is_complete": True,
    "events": {"length": 3805, "first_id": "1795783382794-0", "last_id": "1795785160021-1"},
    "valkey": {
        **{"used_bytes": 8041440, "max_bytes": 268435456, "evicted_keys": 0},
        **{"hits": 205353, "misses": 93, "hit_ratio": 0.9995},
    },
}
