"""`manage.py doctor`: is everything Raceday stands on well? One line each; exit code 1 when something is not."""

import asyncio
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import Error, connection
from redis.exceptions import RedisError

from moneyflow.partitions import LEAST_RUNWAY_DAYS, runway_days
from raceday import clock
from raceday.broker import valkey
from raceday.cluster import beat_ages
from raceday.feed.client import FeedAnswer, FeedClient, FeedError
from raceday.feed.parse import parse_generated_at
from raceday.feed.records import ParseFault
from raceday.health import STALE_SECONDS
from raceday.racing_day import racing_day

MOST_SKEW_SECONDS = 5.0


class IllError(Exception):
    """What a check found wrong, in a sentence."""


class Command(BaseCommand):
    help = "Check database, Valkey, feed, clock, partitions and clusters: one line each."
    requires_system_checks = ()  # a missing runway is to be told here, not to keep the doctor away

    def handle(self, *_: Any, **__: Any) -> None:
        checks: dict[str, Callable[[], str]] = {
            "database": database,
            "valkey": valkey_server,
            "feed": feed,
            "runway": runway,
            "clusters": clusters,
        }
        told = [self.tell(name, check) for name, check in checks.items()]
        if not all(told):
            raise SystemExit(1)

    def tell(self, name: str, check: Callable[[], str]) -> bool:
        """This function will print one check's line and say whether it is well."""
        try:
            self.stdout.write(f"{name:<9} ok    {check()}")
        except (IllError, Error, RedisError) as fault:
            self.stdout.write(f"{name:<9} FAIL  {' '.join(str(fault).split())}")
            return False
        return True


def database() -> str:
    """This function will ask PostgreSQL for its version."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version'), pg_size_pretty(pg_database_size(current_database()))")
        version, size = cursor.fetchone()
    return f"PostgreSQL {version}, {size}"


def valkey_server() -> str:
    """This function will ask Valkey for its version."""
    server = valkey().info()
    return f"Valkey {server.get('valkey_version') or server['redis_version']}, {server['used_memory_human']}"


def feed() -> str:
    """This function will fetch today's card and compare the feed's clock with ours."""
    found = asyncio.run(_card())
    if isinstance(found, FeedError):
        raise IllError(f"{settings.NZTAB_API_URL}: {found.reason}")
    try:
        generated_at = parse_generated_at(found.content())
    except ValueError as fault:
        raise IllError(str(fault)) from None
    if isinstance(generated_at, ParseFault):
        raise IllError(str(generated_at))
    skew_seconds = (found.polled_at - generated_at).total_seconds() - found.fetch_ms / 1000
    if abs(clock.real_seconds(skew_seconds)) > MOST_SKEW_SECONDS:
        raise IllError(f"our clock is {skew_seconds:+.1f} s off the feed's: set this machine's clock")
    return f"{settings.NZTAB_API_URL} answers in {found.fetch_ms:.0f} ms, its clock is within {skew_seconds:+.1f} s"


async def _card() -> FeedAnswer | FeedError:
    today = racing_day(clock.now())
    async with FeedClient.from_settings() as client:
        return await client.fetch_meetings(date_from=today, date_to=today)


def runway() -> str:
    """This function will count the days ahead that history has partitions for."""
    days = runway_days(racing_day(clock.now()))
    if days < LEAST_RUNWAY_DAYS:
        raise IllError(f"partitions for {days} days ahead, {LEAST_RUNWAY_DAYS} needed: manage.py partitions --apply")
    return f"partitions for {days} days ahead"


def clusters() -> str:
    """This function will look for both clusters' heartbeats."""
    ages = beat_ages()
    stale = [name for name, age in ages.items() if age is None or age > STALE_SECONDS]
    if stale:
        raise IllError(f"no heartbeat of {' and '.join(stale)} for {STALE_SECONDS:.0f} s: see their logs")
    return ", ".join(f"{name} beat {age:.0f} s ago" for name, age in ages.items())
