"""`manage.py replay --date YYYY-MM-DD`: archived answers through the same code again, into an empty database."""

from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any
from uuid import uuid4

from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from psycopg.conninfo import make_conninfo

from moneyflow.archive import past, tables
from moneyflow.archive.databases import PARTS, snapshot, working_on
from moneyflow.archive.packing import DamagedError
from moneyflow.archive.replay import NotEmptyError, replay
from moneyflow.archive.tables import Days
from moneyflow.management.days import add_days, days_of
from moneyflow.management.progress import Progress


class Command(BaseCommand):
    help = "Replay archived answers into an empty database and compare it with this one; exit code 1 if they differ."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_days(parser)
        parser.add_argument("--race", action="append", default=[], help="only this race; may be given again")
        parser.add_argument("--speed", type=float, help="times as fast as it was; as fast as it goes if left out")
        parser.add_argument("--into", metavar="URL", help="an empty database; if left out, one that is dropped again")

    def handle(self, *_: Any, **options: Any) -> None:
        days = days_of(options)
        into = nullcontext(options["into"]) if options["into"] else passing_database()
        try:
            with snapshot() as source, into as url, working_on(url, past.OPTIONS) as target:
                with Progress(self.stdout, "answers") as progress:
                    show = partial(progress.show, "replayed")
                    replay(source, days, race_ids=options["race"], speed=options["speed"], show=show)
                if not options["race"]:
                    self.compare(source, target, days)
        except (NotEmptyError, DamagedError) as fault:
            raise CommandError(str(fault), returncode=1) from None

    def compare(self, source: Any, target: Any, days: Days) -> None:
        """Say of each table whether both databases hold the same of these days; CommandError if one does not."""
        differ = False
        for table in tables.WRITTEN:
            before, now = (tables.content_of(database, table, days) for database in (source, target))
            differ |= before != now
            told = "the same" if before == now else f"not the same: {before[0]:,} rows before"
            self.stdout.write(f"{table.name:<9} {now[0]:>9,} rows, {told}")
        if differ:
            raise CommandError("the replay differs from what was stored.", returncode=1)


@contextmanager
def passing_database() -> Iterator[str]:
    """Make an empty database beside Django's, and drop it at the end."""
    name = f"raceday_replay_{uuid4().hex[:12]}"
    parts = {part: connection.settings_dict[setting] for setting, part in PARTS.items()}
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    try:
        yield make_conninfo(**{part: value for part, value in {**parts, "dbname": name}.items() if value})
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
