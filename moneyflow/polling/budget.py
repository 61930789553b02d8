"""Who goes first while requests are short, and which cadences were stretched for it."""

import asyncio
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog
from redis.exceptions import RedisError

from raceday import clock, metrics
from raceday.feed.client import FeedAnswer, FeedError
from raceday.feed.records import RaceStatus
from raceday.queue.broker import valkey
from races.cadence import FORGOTTEN, NEAR

STRETCHED_SECONDS = 1.0  # of the machine, by which a request left later than it was due
REPORT_SECONDS = 10.0
SHOWN_SECONDS = 60  # for which the newest report can be read
NAME = "raceday:stretched"

log = structlog.get_logger(__name__)


def urgency(status: str, start: datetime, now: datetime) -> float:
    """Return the Unix seconds by which a race's next answer matters; the lowest goes first.

    For an Open race that is its advertised start, when it may close. A race whose betting is over, or that the feed
    has forgotten, comes after those that start within 15 minutes. It is an instant, so waiting changes no order.
    """
    if status != RaceStatus.OPEN or now - start > FORGOTTEN:
        return (now + NEAR).timestamp()
    return start.timestamp()


def seconds_late(due: datetime, found: FeedAnswer | FeedError) -> float:
    """Return the machine's seconds from when a request was due until it was sent."""
    return clock.real_seconds((found.polled_at - due).total_seconds()) - found.fetch_ms / 1000


class Stretched:
    """Polls that came late since the last report: by the seconds of their cadence, how many and the longest wait."""

    def __init__(self) -> None:
        self._longest: dict[float, float] = {}
        self._polls: dict[float, int] = {}

    def note(self, cadence_seconds: float, late_seconds: float) -> None:
        """Note a poll, if it was late."""
        if late_seconds < STRETCHED_SECONDS:
            return
        metrics.POLLS_STRETCHED.labels(cadence_seconds=f"{cadence_seconds:g}").inc()
        self._polls[cadence_seconds] = self._polls.get(cadence_seconds, 0) + 1
        self._longest[cadence_seconds] = max(late_seconds, self._longest.get(cadence_seconds, 0.0))

    async def report(self) -> None:
        """Log which cadences were stretched since the last report, and show it to other processes for a while."""
        if not self._polls:
            return
        told = {
            f"{cadence:g}": {"polls": polls, "longest_seconds": round(self._longest[cadence], 1)}
            for cadence, polls in sorted(self._polls.items())
        }
        self._polls, self._longest = {}, {}
        log.warning("cadences_stretched", cadence_seconds=told)
        try:
            await asyncio.to_thread(valkey().set, NAME, json.dumps(told), SHOWN_SECONDS)
        except RedisError as fault:
            log.warning("poller_without_valkey", fault=str(fault))


def read_stretched() -> Mapping[str, Any]:
    """Return the newest report of the last minute, by the seconds of a cadence; redis.RedisError without Valkey."""
    told: Any = valkey().get(NAME)
    return json.loads(told) if told else {}
