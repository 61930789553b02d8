"""Timers and counters that any process may observe; a scrape adds up what all of them saw."""

from prometheus_client import Counter, Gauge, Histogram

BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

RACE_PROCESSING_SECONDS = Histogram(
    "race_processing_seconds",
    "One poll, from the answer in hand to published",
    buckets=(*BUCKETS_SECONDS, 15.0, 30.0),
)
NZTAB_FETCH_SECONDS = Histogram("nztab_fetch_seconds", "One request to the feed", buckets=BUCKETS_SECONDS)
TRANSFORM_SECONDS = Histogram("transform_seconds", "Parse and transform of one answer", buckets=BUCKETS_SECONDS)
DB_WRITE_SECONDS = Histogram(
    "db_write_seconds",
    "Reading what is stored of a race, and writing and committing what a poll changes",
    buckets=BUCKETS_SECONDS,
)
POLL_LATENESS_SECONDS = Histogram(
    "raceday_poll_lateness_seconds", "How late a poll began after it was due", buckets=BUCKETS_SECONDS
)
POLLER_STALL_SECONDS = Gauge(
    "raceday_poller_stall_seconds",
    "The longest time in the last ten seconds for which the poller's loop did not run",
    multiprocess_mode="mostrecent",
)
PUBLISH_SECONDS = Histogram("publish_seconds", "Making the bodies of one topic", buckets=BUCKETS_SECONDS)
POLLS = Counter("raceday_polls", "Poll attempts by what became of them", ["outcome"])
POLLS_STRETCHED = Counter(
    "raceday_polls_stretched", "Polls sent a second or more after they were due, by their cadence", ["cadence_seconds"]
)
ALERTS = Counter("raceday_late_money_alerts", "Late-money alerts raised")
CACHE_REQUESTS = Counter("raceday_cache_requests", "Answers from kept bodies (hit) or not (miss)", ["route", "outcome"])
# Not a sum of the living: the streams of a process that was killed would count on.
STREAMS = Gauge("raceday_streams", "Streams that are open", multiprocess_mode="mostrecent")
STREAM_EVENTS = Counter("raceday_stream_events", "Events put before the readers of streams, one a reader")
STREAMS_CONFLATED = Counter("raceday_streams_conflated", "Times a reader fell behind and got the latest state instead")
STREAMS_REFUSED = Counter("raceday_streams_refused", "Streams not opened, by the status answered", ["status"])
CRASHES = Counter("raceday_crashes", "Processes of a cluster that ended by themselves", ["cluster"])
REFUSED = Counter("raceday_refused", "Requests refused before anybody looked at them, by status", ["status"])
