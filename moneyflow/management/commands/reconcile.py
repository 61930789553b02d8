"""`manage.py reconcile [--date YYYY-MM-DD]`: a second look at a day's ended races, as each evening."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from moneyflow.management.commands.import_day import day
from moneyflow.models import Reconciliation
from moneyflow.publisher import ask_to_publish
from moneyflow.reconcile import read_again
from raceday import clock
from raceday.racing_day import racing_day


class Command(BaseCommand):
    help = "Read a day's ended races again, and repair what the feed has changed since."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--date", type=day, help="NZ racing day, YYYY-MM-DD; today when left out")

    def handle(self, *_: Any, **options: Any) -> None:
        since, after = clock.now(), ""
        wanted = options["date"] or racing_day(since)
        while reports := read_again(wanted, since, after=after):
            ask_to_publish(topic for report in reports for topic in report.outdated)
            after = reports[-1].race_id
        found = Reconciliation.objects.filter(race_date_nz=wanted, since=since).first()
        self.stdout.write(str(found or f"{wanted}: no race has ended"))
