"""SERVE: how Raceday works now, as a page for everybody: measured, and made once in ten seconds at most."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from statistics import median
from typing import Any, NamedTuple

import msgspec
from django.conf import settings
from redis.exceptions import RedisError

from moneyflow import answers
from moneyflow.models import Reconciliation
from moneyflow.polling.budget import read_stretched
from moneyflow.polling.live_races import expected_refreshes
from operations import checks
from operations.admin.task_words import CLUSTERS
from operations.checks import LiveRace, Status
from raceday import clock, valkey
from raceday.feed.host import read_circuit
from raceday.pages.look import render_page
from raceday.pages.page import PAGE, Page
from raceday.published import events
from raceday.published.resources import Body, resource
from raceday.queue.broker import StreamBroker
from raceday.queue.cluster import heartbeat_ages
from raceday.racing_day import NZ, day_bounds, racing_day
from raceday.selecting import select
from races.cadence import CadenceSeconds, cadence

RENEW_SECONDS = 10
WINDOW = timedelta(hours=1)
MOST_EVENTS = 200  # of the log, from which the streams' lag is measured

# Races are polled most often from 90 s before their start until they close: often enough to see each refresh. The
# feed stamps each answer anew, so a refresh is an answer that says something new.
CLOSING = """
WITH polls AS (
    SELECT race_id, polled_at, outcome, extract(epoch FROM polled_at - lag(polled_at) OVER race)::float AS apart
    FROM poll_runs JOIN races USING (race_id)
    WHERE polled_at >= %(since)s AND outcome IN ('changed', 'unchanged')
        AND polled_at BETWEEN start_time - interval '90 s' AND coalesce(actual_start, %(now)s)
    WINDOW race AS (PARTITION BY race_id ORDER BY polled_at)
), renewals AS (
    SELECT extract(epoch FROM polled_at - lag(polled_at) OVER race)::float AS seconds
    FROM polls WHERE outcome = 'changed' WINDOW race AS (PARTITION BY race_id ORDER BY polled_at))
SELECT * FROM (
    SELECT count(apart) AS polls, count(*) FILTER (WHERE apart > %(gap_seconds)s) AS gaps, max(apart) AS longest
    FROM polls) AS polled, (
    SELECT count(seconds) AS refreshes, percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS refresh_median,
        percentile_cont(0.9) WITHIN GROUP (ORDER BY seconds) AS refresh_p90
    FROM renewals) AS renewed
"""
# The first condition is that of the index.
INCIDENTS = """
SELECT outcome, count(*) AS times, count(DISTINCT race_id) AS races, min(polled_at) AS first, max(polled_at) AS last
FROM poll_runs WHERE NOT outcome IN ('changed', 'unchanged') AND outcome <> 'late' AND polled_at >= %(since)s
GROUP BY outcome ORDER BY last DESC
"""
WORDS = {
    "feed_error": "the feed gave no answer",
    "parse_error": "an answer of the feed could not be read",
    "no_partition": "a reading's day had no partition",
    "crashed": "a fault of Raceday with an answer",
}


class Tier(NamedTuple):
    """The live races that are polled each so many seconds, and the ages of their last polls in Raceday's seconds."""

    seconds: float
    races: int
    median_age: float
    highest_age: float


class Lag(NamedTuple):
    """Machine seconds from answers in hand to the streams' log, of the newest readings in it."""

    readings: int
    median: float
    highest: float


class StatusPage(Page):
    @resource("status", **PAGE)
    def retrieve(self) -> Body:
        """Show what works, the feed's refresh, polls, gaps and limits, the streams' lag, queues, incidents."""
        now = clock.now()
        parts, facts = checks.run_all(now)
        found: dict[str, Any] = {"parts": parts, "worst": checks.worst(parts.values()), "renew_seconds": RENEW_SECONDS}
        found["feed_refresh"] = settings.FEED_REFRESH_SECONDS
        if facts is not None:
            found |= {"is_known": True, "tiers": tiers_of(facts.live, now), "polled_at": _local(facts.polled_at)}
            found["expected"] = [(each.period, _local(each.at)) for each in expected_refreshes(now)]
            found["refresh"] = found["tiers"][0].seconds if found["tiers"] else None
            found |= {"reconciliation": Reconciliation.objects.first()}
            found |= {"closing": closing(now), "incidents": incidents(now), "generated_at": _local(facts.generated_at)}
        if parts["valkey"].status is Status.OK:
            found |= {"lag": lag(), "queues": queues(), "waiting": answers.waiting()}
            found |= {"circuit": read_circuit(valkey.client()), "stretched": read_stretched()}
        return Body(data=render_page("operations/status.html", **found), keep_seconds=RENEW_SECONDS)


def tiers_of(live: Iterable[LiveRace], now: datetime) -> list[Tier]:
    """Return the live races by how often they are polled, the most often first; without those never polled."""
    seconds = CadenceSeconds(**settings.CADENCE_SECONDS)
    ages: dict[float, list[float]] = {}
    for race in live:
        interval = cadence(race.status, race.start - now, seconds)
        if interval is not None and race.polled_at is not None:
            ages.setdefault(interval.total_seconds(), []).append((now - race.polled_at).total_seconds())
    return [Tier(each, len(found), median(found), max(found)) for each, found in sorted(ages.items())]


def closing(now: datetime) -> dict[str, Any]:
    """Measure the feed's refresh, and gaps between our polls, in the closing minutes of the last hour's races."""
    gap_seconds = 2 * settings.CADENCE_SECONDS["closing"]
    (row,) = select(CLOSING, {"since": now - WINDOW, "now": now, "gap_seconds": gap_seconds})
    return {**row, "gap_seconds": gap_seconds}


def incidents(now: datetime) -> list[dict[str, Any]]:
    """Return what went wrong with polls on this racing day, the newest first."""
    found = select(INCIDENTS, {"since": day_bounds(racing_day(now))[0]})
    return [
        {**row, "told": WORDS[row["outcome"]], "first": _local(row["first"]), "last": _local(row["last"])}
        for row in found
    ]


def lag() -> Lag | None:
    """Measure how long answers took to reach the streams' log; None if it has no readings.

    Each age is taken by the clock that stamped it: Valkey's machine may show another time than this one.
    """
    entries = valkey.client().xrevrange(valkey.key(events.LOG), count=MOST_EVENTS)
    now, (seconds, microseconds) = clock.now(), valkey.client().time()
    readings = [event for event in map(events.parse, entries) if event.kind == events.FLOW]
    lags = [
        clock.real_seconds((now - _polled_at(event.data)).total_seconds())
        - (seconds + microseconds / 1e6 - event.position[0] / 1000)
        for event in readings
    ]
    return Lag(len(lags), median(lags), max(lags)) if lags else None


def _polled_at(reading: bytes) -> datetime:
    return datetime.fromisoformat(msgspec.json.decode(reading)["polled_at"])


def queues() -> list[dict[str, Any]]:
    """Return each cluster with its purpose, its heartbeat's age, and the tasks that wait or are being done."""
    try:
        return [_queue(name, age) for name, age in heartbeat_ages().items()]
    except RedisError:  # it answered a moment ago
        return []


def _queue(name: str, age: float | None) -> dict[str, Any]:
    queue = StreamBroker(list_key=name)
    counts = {"waiting": queue.queue_size(), "taken": queue.lock_size()}
    return {"name": name, "purpose": CLUSTERS[name], "age": age, **counts}


def _local(instant: datetime | None) -> datetime | None:
    return instant and instant.astimezone(NZ)
