"""`manage.py doctor`: health in words, and the feed asked once. One line a part; exit code 1 when one is not well."""

import asyncio
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from operations import checks
from operations.checks import Part, Status
from raceday import clock, home
from raceday.feed.client import FeedAnswer, FeedClient, FeedError
from raceday.feed.parse import parse_generated_at
from raceday.feed.records import ParseFault
from raceday.racing_day import racing_day
from raceday.run import running

MOST_SKEW_SECONDS = 5.0
WORDS = {Status.OK: "ok", Status.DEGRADED: "weak", Status.UNHEALTHY: "FAIL"}


class Command(BaseCommand):
    help = "Check the servers, the polls, the feed and its clock, partitions, clusters and disk: one line each."
    requires_system_checks = ()  # a missing runway is to be told here, not to keep the doctor away

    def handle(self, *_: Any, **__: Any) -> None:
        if nothing_runs():
            self.stdout.write("Nothing runs here: start it with ./run demo or ./run live, then ask again.")
            raise SystemExit(1)
        parts, _facts = checks.run_all(clock.now())
        parts |= {"door": door()}
        for name, part in parts.items():
            self.stdout.write(f"{name:<9} {WORDS[part.status]:<5} {part.told}")
        if checks.worst(parts.values()) is not Status.OK:
            raise SystemExit(1)


def nothing_runs() -> bool:
    """Tell whether the home's servers run for this command alone."""
    is_own = home.database_url(settings.HOME) == settings.DATABASE_URL
    return is_own and running.holder(settings.HOME)[1].startswith("manage")


def door() -> Part:
    """Fetch today's card from the feed and compare its clock with ours."""
    found = asyncio.run(_card())
    if isinstance(found, FeedError):
        return Part(Status.UNHEALTHY, f"{settings.NZTAB_API_URL}: {found.reason}")
    try:
        generated_at = parse_generated_at(found.content())
    except ValueError as fault:
        return Part(Status.UNHEALTHY, str(fault))
    if isinstance(generated_at, ParseFault):
        return Part(Status.UNHEALTHY, str(generated_at))
    skew_seconds = (found.polled_at - generated_at).total_seconds() - found.fetch_ms / 1000
    if abs(clock.real_seconds(skew_seconds)) > MOST_SKEW_SECONDS:
        return Part(Status.DEGRADED, f"our clock is {skew_seconds:+.1f} s off the feed's: set this machine's clock")
    took = f"{settings.NZTAB_API_URL} answers in {found.fetch_ms:.0f} ms"
    return Part(Status.OK, f"{took}, its clock is {abs(skew_seconds):.1f} s off ours")


async def _card() -> FeedAnswer | FeedError:
    today = racing_day(clock.now())
    async with FeedClient.from_settings() as client:
        return await client.fetch_meetings(date_from=today, date_to=today)
