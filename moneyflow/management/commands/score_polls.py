"""`manage.py score_polls --input polls.ndjson --output scores.ndjson`: recorded polls through the live detector."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from msgspec import json

from moneyflow.late_money.artefact import shipped
from moneyflow.late_money.calibration import FEWEST_RACES, SCAN, Calibration, rolling
from moneyflow.late_money.polls import Replay, race_maxima, score_lines
from moneyflow.late_money.records import Severity


class Command(BaseCommand):
    help = "Score recorded polls (docs/late-money.md has the format). Bad lines are reported and skipped; exit code 1."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--input", type=Path, required=True, help="polls, one JSON object a line")
        parser.add_argument("--output", type=Path, required=True, help="scores, one JSON object a poll and entrant")
        parser.add_argument("--budget", type=int, choices=[*map(int, Severity)], default=int(Severity.UNUSUAL))
        parser.add_argument("--calibrate-on", type=Path, help=f"polls of {FEWEST_RACES} ordinary races or more")

    def handle(self, *_: Any, **options: Any) -> None:
        replay = Replay(
            artefact=shipped(),
            calibration=self.calibration(options["calibrate_on"]),
            budget=Severity(options["budget"]),
        )
        if replay.artefact is None:
            self.stderr.write("No artefact fits this code: the scan statistic is the score.")
        with options["input"].open("rb") as lines, options["output"].open("wb") as output:
            for row in score_lines(lines, replay):
                output.write(json.encode(row) + b"\n")
        for fault in replay.faults:
            self.stderr.write(fault)
        self.stdout.write(f"{replay.scored:,} polls scored, {replay.silences.total():,} silent")
        for reason, count in replay.silences.most_common():
            self.stdout.write(f"  {count:,}: {reason}")
        if replay.faults:
            sys.exit(1)

    def calibration(self, path: Path | None) -> Calibration | None:
        """Return the calibration on a file's races, None without a file: the artefact's own holds."""
        if path is None:
            return None
        artefact = shipped()
        with path.open("rb") as lines:
            maxima = race_maxima(lines, artefact)
        if len(maxima) < FEWEST_RACES:
            self.stderr.write(f"{path.name} has {len(maxima)} scored races, fewer than {FEWEST_RACES}: left aside.")
        return rolling(maxima, artefact.calibration if artefact else SCAN)
