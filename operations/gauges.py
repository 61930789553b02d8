"""Gauges read at a scrape, so that every process reports the same; what cannot be read is left out."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.models import Max, Q
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from redis.exceptions import RedisError

from moneyflow import answers, publisher
from moneyflow.polling.live_races import expected_refreshes
from operations import checks
from operations.checks import LiveRace, Part, Status
from raceday import clock, valkey
from raceday.feed import host
from raceday.queue import broker
from raceday.queue.cluster import heartbeat_ages
from raceday.racing_day import day_bounds, racing_day
from races.models import PollMark, Race

POLLED_LATELY = timedelta(minutes=5)
DATABASE = """
SELECT pg_database_size(current_database()), count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'raceday%'
"""
CGROUP, MEMORY = Path("/sys/fs/cgroup"), Path("/proc/meminfo")


class Gauges:
    """What prometheus_client collects; the checks of health come first, and say which servers are worth asking."""

    def collect(self) -> Iterator[Metric]:
        now = clock.now()
        parts, facts = checks.run_all(now)
        yield _health(parts)
        yield from _machine()
        if facts is not None:
            yield _overdue(facts.live, now)
            for read in (_active_races, _database, _ages, _refreshes):
                try:
                    yield from read(now)
                except (DatabaseError, InterfaceError):
                    continue
        if parts["valkey"].status is Status.OK:
            for ask in (_waiting, _circuit, _cluster_heartbeats, _valkey):
                try:
                    yield from ask()
                except RedisError:
                    continue


def _health(parts: Mapping[str, Part]) -> Metric:
    told = "Each part as /api/health has it: 0 ok, 1 degraded, 2 unhealthy"
    family = GaugeMetricFamily("health_status", told, labels=["part"])
    for name, part in parts.items():
        family.add_metric([name], list(Status).index(part.status))
    return family


# ── The machine ─────────────────────────────────────────────────────────────────────────────────
def _machine() -> Iterator[Metric]:
    disk = checks.data_disk()
    yield GaugeMetricFamily("disk_free_bytes", "Free on the disk of the data", value=disk.free)
    yield GaugeMetricFamily("disk_size_bytes", "Size of the disk of the data", value=disk.total)
    used, limit = memory_bytes(CGROUP, MEMORY)
    yield GaugeMetricFamily("memory_used_bytes", "Memory that cannot be had, of machine or container", value=used)
    yield GaugeMetricFamily("memory_limit_bytes", "Memory of the machine, or of the container", value=limit)


def memory_bytes(cgroup: Path, machine: Path) -> tuple[int, int]:
    """Return the memory used, without what the kernel can take back, and its limit.

    The container's where it has a limit (cgroup v2), else the machine's.
    """
    limit = cgroup / "memory.max"
    if limit.exists() and (most := limit.read_text().strip()) != "max":
        files = _numbers(cgroup / "memory.stat")["inactive_file"]
        return int((cgroup / "memory.current").read_text()) - files, int(most)
    kib = _numbers(machine)
    return 1024 * (kib["MemTotal:"] - kib["MemAvailable:"]), 1024 * kib["MemTotal:"]


def _numbers(path: Path) -> dict[str, int]:
    """Read the kernel's lines of a name and a number."""
    return {line.split()[0]: int(line.split()[1]) for line in path.read_text().splitlines()}


# ── From the database ───────────────────────────────────────────────────────────────────────────
def _overdue(live: list[LiveRace], now: datetime) -> Metric:
    told = "How long the most overdue race should have been stored, beyond a cadence and 5 s; 0: none is"
    late = [checks.seconds_late(race, now) for race in live]
    return GaugeMetricFamily("poll_overdue_seconds", told, value=max([0.0, *late]))


def _active_races(now: datetime) -> Iterator[Metric]:
    start, end = day_bounds(racing_day(now))
    today_or_polled = Q(start_time__gte=start, start_time__lt=end) | Q(mark__polled_at__gte=now - POLLED_LATELY)
    yield GaugeMetricFamily(
        "active_races_total",
        "Races that can still change and start on this NZ racing day or were polled in the last 5 minutes",
        value=Race.objects.live().filter(today_or_polled).count(),
    )


def _database(_: datetime) -> Iterator[Metric]:
    with connection.cursor() as cursor:
        cursor.execute(DATABASE)
        size, held = cursor.fetchone()
    yield GaugeMetricFamily("db_size_bytes", "Size of Raceday's database", value=size)
    yield GaugeMetricFamily("db_pool_connections", "Database connections Raceday holds", value=held)
    yield GaugeMetricFamily("db_pool_max_connections", "Those it may hold: DB_POOL_MAX", value=settings.DB_POOL_MAX)


def _ages(now: datetime) -> Iterator[Metric]:
    newest = PollMark.objects.aggregate(polled_at=Max("polled_at"), generated_at=Max("generated_at"))
    if newest["polled_at"] is not None:
        age_seconds = (now - newest["generated_at"]).total_seconds()
        yield GaugeMetricFamily("feed_age_seconds", "Since the feed's own newest stamp", value=age_seconds)
        age_seconds = (now - newest["polled_at"]).total_seconds()
        yield GaugeMetricFamily("poll_age_seconds", "Since the newest poll of any race", value=age_seconds)


def _refreshes(now: datetime) -> Iterator[Metric]:
    periods = [each.period for each in expected_refreshes(now)]
    told = "Races about to close whose next refresh by the feed is expected"
    yield GaugeMetricFamily("closing_races_on_beat", told, value=len(periods))
    if periods:
        told = "Between the feed's refreshes of those races, median"
        yield GaugeMetricFamily("feed_refresh_seconds", told, value=median(periods))


# ── From Valkey ─────────────────────────────────────────────────────────────────────────────────
def _waiting() -> Iterator[Metric]:
    yield GaugeMetricFamily("waiting_answers", "Answers of the feed that are not stored yet", value=answers.waiting())
    asked = publisher.waiting()
    yield GaugeMetricFamily("waiting_publications", "Changes whose responses are still to be prepared", value=asked)


def _circuit() -> Iterator[Metric]:
    held_seconds, failures = host.read_circuit(broker.valkey())
    yield GaugeMetricFamily("feed_held_seconds", "For which no request is sent to the feed's host", value=held_seconds)
    yield GaugeMetricFamily("feed_failures", "Requests to the feed's host that failed in a row", value=failures)


def _cluster_heartbeats() -> Iterator[Metric]:
    family = GaugeMetricFamily("cluster_heartbeat_age_seconds", "Since a cluster's last heartbeat", labels=["cluster"])
    for cluster, age_seconds in heartbeat_ages().items():
        if age_seconds is not None:
            family.add_metric([cluster], age_seconds)
    yield family


def _valkey() -> Iterator[Metric]:
    used = valkey.client().info("memory")["used_memory"]
    yield GaugeMetricFamily("valkey_used_bytes", "Memory that Valkey uses", value=used)
