"""`manage.py import_day [--date YYYY-MM-DD]`: the card of a racing day, and a first poll of each of its races."""

import asyncio
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import AsyncIterator, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from moneyflow.pipeline import PollReport, process_answer
from moneyflow.publisher import ask_to_publish
from moneyflow.tasks import import_card
from raceday import clock
from raceday.feed.client import FeedAnswer, FeedClient, FeedError
from raceday.racing_day import racing_day
from races.models import Race

NEAR = timedelta(days=7)


def day(text: str) -> date:
    """Read a date; a mistake is told in a sentence."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"a day is written 2026-11-21, not {text!r}") from None


class Command(BaseCommand):
    help = "Import a racing day: its meetings, races and, by a first poll of each race, entrants."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--date", type=day, help="NZ racing day, YYYY-MM-DD; today when left out")
        parser.add_argument("--far", action="store_true", help=f"also a day more than {NEAR.days} days from today")

    def handle(self, *_: Any, **options: Any) -> None:
        today = racing_day(clock.now())
        wanted = options["date"] or today
        if abs(wanted - today) > NEAR and not options["far"]:
            raise CommandError(f"{wanted} is {abs((wanted - today).days)} days from today: add --far if you mean it.")
        card = import_card(wanted)
        for fault in card.faults:
            self.stderr.write(f"left out: {fault}")
        if card.error:
            raise CommandError(f"the feed did not give the card of {card.day}: {card.error.reason}", returncode=1)
        self.stdout.write(f"{card.day}: {len(card.meetings)} meetings, {len(card.race_ids)} races")
        live = list(Race.objects.live().filter(pk__in=card.race_ids).values_list("pk", flat=True))
        walks = asyncio.run(self.poll_each(live))
        ask_to_publish(dict.fromkeys(["card", *(topic for walked in walks for topic in walked.outdated)]))
        faulty = [walked for walked in walks if walked.outcome.endswith(("error", "partition"))]
        self.stdout.write(f"{card.day}: {len(live)} live races polled, {len(faulty)} without success")

    async def poll_each(self, race_ids: list[str]) -> list[PollReport]:
        """Poll races side by side, write each as it comes, and show how far it is."""
        walks: list[PollReport] = []
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(max_workers=1) as writer:  # a thread is a connection: one is enough
            async for race_id, found in fetch_each(race_ids):
                walks.append(await loop.run_in_executor(writer, process_answer, race_id, found))
                self.show_progress(len(walks), len(race_ids))
            await loop.run_in_executor(writer, connections.close_all)
        return walks

    def show_progress(self, done: int, total: int) -> None:
        """Keep one line up to date on a terminal; print nothing elsewhere."""
        if self.stdout.isatty():
            self.stdout.write(f"\rentrants of {done} of {total} races", ending="\n" if done == total else "")
            self.stdout.flush()


async def fetch_each(race_ids: Iterable[str]) -> AsyncIterator[tuple[str, FeedAnswer | FeedError]]:
    """Fetch races side by side, FEED_CONCURRENCY at once, and yield each as it comes in."""

    async def fetch(feed: FeedClient, race_id: str) -> tuple[str, FeedAnswer | FeedError]:
        async with places:
            return race_id, await feed.fetch_event(race_id)

    # httpx would let them queue inside their own time limits: a place is taken before the clock starts.
    places = asyncio.Semaphore(settings.FEED_CONCURRENCY)
    async with FeedClient.from_settings() as feed:
        for fetched in asyncio.as_completed([fetch(feed, race_id) for race_id in race_ids]):
            yield await fetched
