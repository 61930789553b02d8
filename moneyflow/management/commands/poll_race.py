"""`manage.py poll_race ID`: one race through every room, with what each saw and how long it took."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from moneyflow.pipeline import PollReport
from moneyflow.tasks import poll_race


class Command(BaseCommand):
    help = "Poll one race from fetch to publish and print what each room saw, timed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("race_id")

    def handle(self, *_: Any, **options: Any) -> None:
        walked = poll_race(options["race_id"])
        for line in lines(walked):
            self.stdout.write(line)
        if walked.reason:
            raise CommandError(f"{walked.outcome}: {walked.reason}", returncode=1)


def lines(walked: PollReport) -> list[str]:
    """Return a poll report as one line for each room; a room that was not reached has no time."""
    rooms = [f"fetch      {_ms(walked.fetch_ms)}"]
    if race := walked.snapshot:
        pool = race.pools.win_cents if race.pools else None
        running = sum(not entrant.is_scratched for entrant in race.entrants)
        rooms += [
            f"parse      R{race.race_number} {race.name}, {race.meeting_name}: {race.status}",
            f"           {running} of {len(race.entrants)} entrants run, Win pool {_dollars(pool)},"
            f" feed time {race.generated_at:%H:%M:%S} UTC",
            f"transform  {_ms(walked.transform_ms)} (parse included): {walked.points} readings, {walked.odds} prices",
            f"write      {_ms(walked.write_ms)}: {walked.outcome}",
            f"publish    {_ms(walked.publish_ms)}",
        ]
    return rooms


def _ms(milliseconds: float | None) -> str:
    return "       –  " if milliseconds is None else f"{milliseconds:8.1f} ms"


def _dollars(cents: int | None) -> str:
    return "unknown" if cents is None else f"${cents / 100:,.2f}"
