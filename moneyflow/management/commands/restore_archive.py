"""`manage.py restore_archive FILE` and `manage.py import FILE …`: files of `archive` and `export` into the database."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from moneyflow.archive.reading import Finding, read_files


class Command(BaseCommand):
    help = "Check files that `archive` or `export --format ndjson` wrote, and store all their rows, or none."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a zip, or the folder of an export")

    def handle(self, *_: Any, **options: Any) -> None:
        found = read_files(options["files"])
        for finding in found:
            self.tell(finding)
        if any(finding.faults for finding in found):
            raise CommandError("nothing was stored.", returncode=1)
        self.stdout.write(f"stored {sum(finding.rows - finding.known for finding in found):,} rows")

    def tell(self, finding: Finding) -> None:
        """Write what was found of a table, its faults last."""
        if finding.table:
            known = f", {finding.known:,} of them stored already" if finding.known else ""
            self.stdout.write(f"{finding.file}: {finding.table}: {finding.rows:,} rows{known}")
        for fault in finding.faults:
            self.stderr.write(f"{finding.file}: {finding.table or 'the file'}: {fault}")
