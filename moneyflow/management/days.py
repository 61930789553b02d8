"""Which racing days a command is about: `--date` and `--to`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from moneyflow.archive.tables import Days
from moneyflow.management.commands.import_day import day


def add_days(parser: ArgumentParser) -> None:
    """Let a command be given racing days."""
    parser.add_argument("--date", type=day, required=True, help="NZ racing day, YYYY-MM-DD")
    parser.add_argument("--to", type=day, help="the last day, if there are several")


def days_of(options: dict[str, Any]) -> Days:
    """Return the days that a command was given; CommandError if they end before they begin."""
    days = Days(options["date"], options["to"] or options["date"])
    if days.last < days.first:
        raise CommandError(f"{days.last} is before {days.first}.")
    return days
