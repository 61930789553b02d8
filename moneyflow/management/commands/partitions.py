"""`manage.py partitions [--apply]`: the plan for history's partitions, and the carrying out of it."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from moneyflow.store import partitions
from raceday import clock
from raceday.racing_day import racing_day


class Command(BaseCommand):
    help = "Print which history partitions are to be made and detached; --apply does it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--apply", action="store_true", help="carry the plan out")

    def handle(self, *_: Any, **options: Any) -> None:
        today = racing_day(clock.now())
        planned = partitions.keep(today) if options["apply"] else partitions.plan_today(today)
        done = ("made", "detached") if options["apply"] else ("to make", "to detach")
        for partition in planned.create:
            self.stdout.write(f"{done[0]:<10} {partition.name}")
        for partition in planned.detach:
            self.stdout.write(f"{done[1]:<10} {partition.name}")
        self.stdout.write(f"runway: {partitions.runway_days(today)} days after {today}")
