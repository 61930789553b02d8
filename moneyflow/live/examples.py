"""A race in one response: the example of the API docs."""

from meetings.examples import MEETING_DETAIL
from moneyflow.alerts.examples import ALERT
from races.examples import ENTRANT, NAVIGATION, POLLED, POOLS, RACE_DETAIL

LIVE = {
    **{"race": RACE_DETAIL, "meeting": MEETING_DETAIL, "entrants": [ENTRANT], "pools": POOLS, "navigation": NAVIGATION},
    **{"alerts": [ALERT], "silent_because": None},
    "freshness": {
        "polled_at": POLLED,
        "generated_at": "2026-11-21T15:25:55.000+13:00",
        "feed_age_seconds": 11.4,
        "refresh_seconds": 5,
        "feed_refresh_seconds": 15.0,
        "next_refresh_at": "2026-11-21T15:26:07.400+13:00",
        "is_stale": False,
    },
}
