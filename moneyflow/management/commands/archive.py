"""`manage.py archive --into FOLDER`: what is past its retention goes into files, and then out of the database."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from moneyflow.archive.files import FileError
from moneyflow.archive.retiring import retire
from moneyflow.management.progress import Progress
from moneyflow.store import partitions
from raceday import clock
from raceday.racing_day import racing_day


class Command(BaseCommand):
    help = "Write each day past its retention to a file, read the file back, and drop the day's table."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--into", type=Path, required=True, metavar="FOLDER")

    def handle(self, *_: Any, **options: Any) -> None:
        options["into"].mkdir(parents=True, exist_ok=True)
        partitions.keep(racing_day(clock.now()))
        found = partitions.detached()
        for partition in found:
            try:
                with Progress(self.stdout, "rows") as progress:
                    path = retire(partition, options["into"], progress.show)
            except (FileError, OSError) as fault:
                raise CommandError(f"{partition.name} stays: {fault}", returncode=1) from None
            self.stdout.write(f"{path}: {path.stat().st_size / 1e6:.1f} MB, read back; the table is dropped")
        if not found:
            self.stdout.write("nothing is past its retention")
