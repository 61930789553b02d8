"""Which scores are unusual, learned each night from our own archive: highest scores of races, dated versions."""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import numpy as np
from django.db import connection
from django.db.models import QuerySet

from moneyflow.late_money.alerts import BEFORE_START, WINDOW, WindowReading
from moneyflow.late_money.artefact import Artefact, shipped
from moneyflow.late_money.calibration import FEWEST_RACES, MOST_RACES, RACES_A_DAY, Calibration, rolling
from moneyflow.late_money.judge import judge
from moneyflow.late_money.records import Reading, Severity, Verdict
from moneyflow.models import LateMoneyCalibration, LateMoneyMaximum
from moneyflow.store import statements
from moneyflow.transform.late_money import readings_of
from raceday.feed.records import RaceStatus
from races.models import Race

# Where the new calibration gives four false alerts a day, the one before may give from two to eight. Else staff decide.
LEAST_FALSE_ALERTS, MOST_FALSE_ALERTS = 2.0, 8.0
LOOK_AGAIN_SECONDS = 60.0
RACES_AT_ONCE = 50  # scored in some 3 s
_in_force: dict[str, tuple[float, Calibration | None]] = {}


def judge_calibrated(readings: Sequence[Reading]) -> Verdict:
    """Judge by the artefact that Raceday ships and the calibration in force."""
    artefact = shipped()
    return judge(readings, artefact, in_force(artefact) if artefact else None)


def in_force(artefact: Artefact) -> Calibration | None:
    """Return the calibration in force, looked up once a minute; None while the artefact's own is."""
    until, found = _in_force.get(artefact.name, (0.0, None))
    if time.monotonic() >= until:
        newest = LateMoneyCalibration.objects.filter(artefact=artefact.name, is_in_force=True).first()
        found = Calibration(maxima=np.array(newest.maxima)) if newest else None
        _in_force[artefact.name] = (time.monotonic() + LOOK_AGAIN_SECONDS, found)
    return found


def note_maxima(artefact: Artefact) -> int:
    """Score some of the ended races that this artefact has not scored; return how many there were."""
    races = list(unscored(artefact)[:RACES_AT_ONCE])
    rows = [_scored(race, artefact) for race in races]
    LateMoneyMaximum.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["race"], update_fields=["artefact", "maximum", "closed_at"]
    )
    return len(rows)


def _scored(race: Race, artefact: Artefact) -> LateMoneyMaximum:
    assert race.actual_start is not None  # noqa: S101 unscored() asked for it
    readings = read_readings(race.pk, race.start_time, race.actual_start)
    score = highest_score(readings, artefact)
    return LateMoneyMaximum(race=race, artefact=artefact.name, maximum=score, closed_at=race.actual_start)


def unscored(artefact: Artefact) -> QuerySet[Race]:
    """Return the ended races with an actual start that this artefact has not scored, the newest first."""
    ended = Race.objects.filter(status=RaceStatus.FINAL, actual_start__isnull=False)
    return ended.exclude(late_money_maximum__artefact=artefact.name).order_by("-actual_start")


def highest_score(readings: Sequence[Reading], artefact: Artefact) -> float | None:
    """Return the highest score of a race's readings, oldest first; None if no poll could be judged."""
    verdicts = [judge(readings[:count], artefact) for count in range(1, len(readings) + 1)]
    return max((runner.score for verdict in verdicts for runner in verdict.runners), default=None)


def read_readings(race_id: str, start: datetime, close: datetime) -> list[Reading]:
    """Read a race's readings from before the first that is judged until its close, as the detector takes them."""
    with connection.cursor() as cursor:
        window = {"window_from": start - BEFORE_START - WINDOW, "window_until": close + timedelta(microseconds=1)}
        cursor.execute(statements.WINDOW, {"race_id": race_id, **window})
        (found,) = cursor.fetchone()
    stored = msgspec.convert(found or [], list[WindowReading])
    ids = tuple(dict.fromkeys(entrant_id for reading in stored for entrant_id in reading.prices))
    return readings_of(stored, ids, start, status=RaceStatus.OPEN)


def calibrate(artefact: Artefact) -> LateMoneyCalibration | None:
    """Make a calibration of the newest scored races, None while there are too few; far moves wait for staff."""
    scored = LateMoneyMaximum.objects.filter(artefact=artefact.name, maximum__isnull=False).order_by("-closed_at")
    maxima = [float(each) for each in scored.values_list("maximum", flat=True)[:MOST_RACES] if each is not None]
    if len(maxima) < FEWEST_RACES:
        return None
    newest = LateMoneyCalibration.objects.filter(artefact=artefact.name, is_in_force=True).first()
    before = Calibration(maxima=np.array(newest.maxima)) if newest else artefact.calibration
    made = rolling(maxima[::-1], artefact.calibration)
    asked = np.array([made.threshold(Severity.UNUSUAL)])
    false_alerts = float(before.p_values(asked)[0] * RACES_A_DAY)
    return LateMoneyCalibration.objects.create(
        artefact=artefact.name,
        maxima=made.maxima.tolist(),
        false_alerts=false_alerts,
        is_in_force=LEAST_FALSE_ALERTS <= false_alerts <= MOST_FALSE_ALERTS,
    )
