"""`manage.py evaluate_late_money`: how much informed money the detector and the baselines find, and at what cost."""

import bz2
import json
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from moneyflow.late_money.artefact import shipped
from moneyflow.late_money.study.evaluation import Json, play_stream_often, play_world, report_of
from moneyflow.late_money.study.plots import write_plots
from moneyflow.late_money.worlds.catalogue import TRAINED_ON, WORLDS
from moneyflow.late_money.worlds.crowds import stream_of

CROWD_REFRESHES = (5.0, 15.0)  # seconds


class Command(BaseCommand):
    help = "Play races with known informed bettors and print what is found of them before the close."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--world", action="append", choices=WORLDS, help="may be repeated; all when left out")
        parser.add_argument("--races", type=int, default=2_000, help="ordinary races a world; a quarter for each stake")
        parser.add_argument("--json", action="store_true", help="print the whole record as JSON")
        parser.add_argument("--crowds", type=Path, help="folder of recorded exchange markets, *.bz2 of JSON lines")
        parser.add_argument("--plots", type=Path, help="folder to write SVG plots to")

    def handle(self, *_: Any, **options: Any) -> None:
        records: dict[str, Json] = {}
        for name, record in self.records(options):
            records[name] = record
            if not options["json"]:
                self.stdout.write("\n".join(table_of(name, record)))
        if options["json"]:
            self.stdout.write(json.dumps(records))
        if options["plots"]:
            write_plots(records, options["plots"])

    def records(self, options: dict[str, Any]) -> Iterator[tuple[str, Json]]:
        """Yield the record of each world and each real crowd, as it is ready."""
        artefact = shipped()
        for world in options["world"] or WORLDS:
            yield world, report_of(play_world(world, options["races"], artefact), artefact)
        folder = options["crowds"]
        paths = sorted(folder.glob("*.bz2")) if folder else []
        if not paths:
            self.stderr.write("The real crowds are left out: --crowds names no folder with recorded markets.")
        for path in paths:
            with bz2.open(path, "rt") as lines:
                stream = stream_of(lines)
            for refresh in CROWD_REFRESHES:
                played = play_stream_often(stream, refresh, options["races"] // 2, artefact)
                yield f"crowd {path.stem}, {refresh:.0f} s", report_of(played, artefact)


def table_of(name: str, record: Json) -> Iterator[str]:
    """Yield the lines that a person reads of a world's record."""
    learnt = " (trained on)" if name in TRAINED_ON else ""
    races, informed = record["ordinary_races"], record["informed_races_a_stake"]
    yield f"\n{name}{learnt}: {races:,} ordinary races, {informed:,} informed a stake"
    stakes = list(next(iter(record["detectors"].values())))
    yield "  found before the close at 4 (1) false-alert races a day; [95 %] at 4; AUC; median seconds left"
    for detector, by_stake in record["detectors"].items():
        yield f"  {detector:16}" + "".join(f"  {stake}: {cell_of(by_stake[stake])}" for stake in stakes)
    if calibration := record["calibration"]:
        alerts = calibration["false_alerts_a_day"]
        seen = ", ".join(f"{alerts[budget]:.1f}" for budget in ("1", "4", "10"))
        yield f"  false-alert races a day by the shipped thresholds: {seen} where 1, 4, 10 were asked"
        if own := calibration["after_200_own_races_4_asked"]:
            span = f"5–95 %: {own['p5']:.1f}–{own['p95']:.1f}"
            yield f"  calibrated on 200 of its own races: {own['mean']:.1f} where 4 were asked ({span})"
        reliability = ", ".join(f"{nominal} → {seen:.3f}" for nominal, seen in calibration["reliability"].items())
        yield f"  p-values: {reliability}; Kolmogorov–Smirnov {calibration['kolmogorov_smirnov']:.3f}"


def cell_of(record: Json) -> str:
    four, one = record["found"]["4"], record["found"]["1"]
    left = "–" if four["seconds_left"] is None else f"{four['seconds_left']:.0f} s"
    interval = f"[{four['low']:.2f} {four['high']:.2f}]"
    return f"{four['value']:.3f} ({one['value']:.3f}) {interval} {record['auc']:.2f} {left}"
