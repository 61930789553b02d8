"""`manage.py export --date YYYY-MM-DD --format ndjson|csv|parquet --into FOLDER`: racing days for other programs."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from moneyflow.archive.databases import snapshot
from moneyflow.archive.export import FORMATS, NoParquetError
from moneyflow.archive.tables import TABLES
from moneyflow.management.days import add_days, days_of
from moneyflow.management.progress import Progress


class Command(BaseCommand):
    help = f"Write what is stored of racing days to files: {', '.join(table.name for table in TABLES)}."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_days(parser)
        parser.add_argument("--format", choices=FORMATS, default="ndjson", help="`manage.py import` reads ndjson")
        parser.add_argument("--into", type=Path, required=True, metavar="FOLDER", help="new, or empty")

    def handle(self, *_: Any, **options: Any) -> None:
        folder: Path = options["into"]
        days = days_of(options)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise CommandError(f"{folder} is not empty.")
            with snapshot() as source, Progress(self.stdout, "rows") as progress:
                FORMATS[options["format"]](source, days, folder, progress.show)
        except (NoParquetError, OSError) as fault:
            raise CommandError(str(fault)) from None
