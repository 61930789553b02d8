"""`manage.py import_day [--date YYYY-MM-DD]`: the card of a racing day, and a first poll of each of its races."""

import asyncio
from argparse import ArgumentParser, ArgumentTypeError
from datetime import date, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from moneyflow.pipeline import PollReport
from moneyflow.polling.round import poll_each
from moneyflow.publisher import ask_to_publish
from moneyflow.tasks import import_card
from raceday import clock
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
        walks = asyncio.run(self.poll_all(live))
        ask_to_publish(dict.fromkeys(["card", *(topic for walked in walks for topic in walked.outdated)]))
        faulty = [walked for walked in walks if walked.outcome.endswith(("error", "partition"))]
        self.stdout.write(f"{card.day}: {len(live)} live races polled, {len(faulty)} without success")

    async def poll_all(self, race_ids: list[str]) -> list[PollReport]:
        """Poll races once, and show how far it is."""
        walks: list[PollReport] = []
        async for walked in poll_each(race_ids):
            walks.append(walked)
            self.show_progress(len(walks), len(race_ids))
        return walks

    def show_progress(self, done: int, total: int) -> None:
        """Keep one line up to date on a terminal; print nothing elsewhere."""
        if self.stdout.isatty():
            self.stdout.write(f"\rentrants of {done} of {total} races", ending="\n" if done == total else "")
            self.stdout.flush()
