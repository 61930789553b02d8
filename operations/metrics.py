"""/metrics: what every process counted, and gauges read at the scrape, so that every process reports the same."""

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from ipaddress import ip_address
from statistics import median

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.models import Max, Q
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from redis.exceptions import RedisError

from moneyflow import answers
from moneyflow.polling.live_races import expected_refreshes
from raceday import clock
from raceday.api.errors import permission_denied
from raceday.feed import host
from raceday.queue.broker import valkey
from raceday.queue.cluster import heartbeat_ages
from raceday.racing_day import day_bounds, racing_day
from races.models import PollMark, Race

POLLED_LATELY = timedelta(minutes=5)
FORWARDED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_REAL_IP")


@never_cache
@require_safe
def scrape(request: HttpRequest) -> HttpResponse:
    """Answer a scrape, to this machine only unless METRICS_PUBLIC."""
    if not (settings.METRICS_PUBLIC or is_local(request)):
        return permission_denied(request)
    registry = CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(REGISTRY)
    registry.register(Gauges())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def is_local(request: HttpRequest) -> bool:
    """Tell whether the caller sits on this machine, not behind a proxy that does."""
    if any(name in request.META for name in FORWARDED):
        return False
    return ip_address(request.META["REMOTE_ADDR"]).is_loopback


class Gauges:
    """Gauges read at the scrape; a gauge whose server is away is left out."""

    def collect(self) -> Iterator[Metric]:
        for read in (
            _active_races, _database_connections, _ages, _refreshes, _waiting_answers, _circuit, _cluster_heartbeats,
        ):  # fmt: skip
            try:
                yield from read(clock.now())
            except (DatabaseError, InterfaceError, RedisError):
                continue


def _active_races(now: datetime) -> Iterator[Metric]:
    start, end = day_bounds(racing_day(now))
    today_or_polled = Q(start_time__gte=start, start_time__lt=end) | Q(mark__polled_at__gte=now - POLLED_LATELY)
    yield GaugeMetricFamily(
        "active_races_total",
        "Races that can still change and start on this NZ racing day or were polled in the last 5 minutes",
        value=Race.objects.live().filter(today_or_polled).count(),
    )


def _database_connections(_: datetime) -> Iterator[Metric]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name LIKE 'raceday%'"
        )
        (count,) = cursor.fetchone()
    yield GaugeMetricFamily("db_pool_connections", "Database connections Raceday holds", value=count)


def _ages(now: datetime) -> Iterator[Metric]:
    newest = PollMark.objects.aggregate(polled_at=Max("polled_at"), generated_at=Max("generated_at"))
    if newest["polled_at"] is not None:
        age_seconds = (now - newest["generated_at"]).total_seconds()
        yield GaugeMetricFamily("feed_age_seconds", "Since the feed's own newest stamp", value=age_seconds)
        age_seconds = (now - newest["polled_at"]).total_seconds()
        yield GaugeMetricFamily("poll_age_seconds", "Since the newest poll of any race", value=age_seconds)


def _refreshes(now: datetime) -> Iterator[Metric]:
    periods = [each.period for each in expected_refreshes(now)]
    yield GaugeMetricFamily(
        "closing_races_on_beat", "Races about to close whose next refresh by the feed is expected", value=len(periods)
    )
    if periods:
        yield GaugeMetricFamily(
            "feed_refresh_seconds", "Between the feed's refreshes of those races, median", value=median(periods)
        )


def _waiting_answers(_: datetime) -> Iterator[Metric]:
    yield GaugeMetricFamily("waiting_answers", "Answers of the feed that are not stored yet", value=answers.waiting())


def _circuit(_: datetime) -> Iterator[Metric]:
    held_seconds, failures = host.read_circuit(valkey())
    yield GaugeMetricFamily("feed_held_seconds", "For which no request is sent to the feed's host", value=held_seconds)
    yield GaugeMetricFamily("feed_failures", "Requests to the feed's host that failed in a row", value=failures)


def _cluster_heartbeats(_: datetime) -> Iterator[Metric]:
    family = GaugeMetricFamily("cluster_heartbeat_age_seconds", "Since a cluster's last heartbeat", labels=["cluster"])
    for cluster, age_seconds in heartbeat_ages().items():
        if age_seconds is not None:
            family.add_metric([cluster], age_seconds)
    yield family
