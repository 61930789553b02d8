"""`manage.py train_late_money`: make the late-money detector's artefact from seeds."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from moneyflow.late_money.artefact import ARTEFACT_PATH, packed
from moneyflow.late_money.study.training import Recipe, train


class Command(BaseCommand):
    help = "Train the late-money detector on simulated races and write its artefact. Equal seeds give equal bytes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        recipe = Recipe()
        parser.add_argument("--races", type=int, default=recipe.races, help="races to train on, half of each world")
        parser.add_argument("--epochs", type=int, default=recipe.epochs)
        parser.add_argument("--seed", type=int, default=recipe.seed)
        parser.add_argument("--calibration-races", type=int, default=recipe.calibration_races)
        parser.add_argument("--processes", type=int, help="one for each core when left out; changes no byte")
        parser.add_argument("--output", type=Path, default=ARTEFACT_PATH)

    def handle(self, *_: Any, **options: Any) -> None:
        recipe = Recipe(**{name: options[name] for name in ("races", "epochs", "seed", "calibration_races")})
        text = packed(train(recipe, self.show_progress, processes=options["processes"]))
        options["output"].write_text(text)
        self.stdout.write(f"{options['output'].name}: {len(text):,} bytes")

    def show_progress(self, step: str, done: int, count: int) -> None:
        """Keep one line up to date on a terminal; elsewhere print a line for each tenth."""
        ending = "\n" if done == count else ""
        if self.stdout.isatty():
            self.stdout.write(f"\r{step}: {done:,} of {count:,}", ending=ending)
            self.stdout.flush()
        elif done * 10 // count > (done - 1) * 10 // count:
            self.stdout.write(f"{step}: {done:,} of {count:,}")
