"""`manage.py calibrate_late_money`: score the races that ended since, and make tonight's calibration now."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from moneyflow.alerts.calibrating import calibrate, note_maxima
from moneyflow.late_money.artefact import shipped
from moneyflow.late_money.calibration import FEWEST_RACES


class Command(BaseCommand):
    help = "Calibrate late-money alerts on the archive. A calibration that moves far waits for staff in the admin."

    def handle(self, *_: Any, **__: Any) -> None:
        if (artefact := shipped()) is None:
            raise CommandError("no artefact fits this code: make one with train_late_money.")
        scored = 0
        while some := note_maxima(artefact):
            scored += some
            self.stdout.write(f"{scored} races scored")
        if (made := calibrate(artefact)) is None:
            raise CommandError(f"fewer than {FEWEST_RACES} races have ended and were judged: nothing is changed.")
        state = "in force" if made.is_in_force else "waits for approval in the admin: it moves far"
        self.stdout.write(
            f"{made}: {state}; the one before would raise {made.false_alerts:.1f} a day where 4 are asked"
        )
