"""Calibration on our own archive: races' highest scores, versions, and the step that staff must approve."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from moneyflow.alerts import calibrating
from moneyflow.alerts.calibrating import calibrate, highest_score, in_force, note_maxima, read_readings, unscored
from moneyflow.late_money.artefact import Artefact, shipped
from moneyflow.late_money.judge import judge
from moneyflow.models import LateMoneyCalibration, LateMoneyMaximum
from moneyflow.tasks import calibrate as calibrate_task
from raceday import clock
from raceday.racing_day import racing_day
from races.models import Race
from tests.support.card import START, make_entrant, make_meeting, make_race

pytestmark = pytest.mark.django_db
SHARES = (0.4, 0.3, 0.2, 0.1)
READING = """
INSERT INTO money_flow_history (entrant_id, race_id, type, time_to_start, seconds_to_start, time_interval,
    interval_type, event_timestamp, polling_timestamp, win_pool_amount, pool_win_odds, fixed_win_odds)
VALUES (%s, %s, 'pool_win', 0, 0, 0, 'live', %s, %s, %s, %s, %s)
"""


@pytest.fixture
def artefact(monkeypatch: pytest.MonkeyPatch, make_partitions: Callable[..., None]) -> Artefact:
    monkeypatch.setattr(calibrating, "_in_force", {})
    make_partitions(racing_day(START))
    found = shipped()
    assert found
    return found


def add_readings(race: Race) -> None:
    """Readings of four runners each 15 s around the start, the last after the close."""
    entrants = [make_entrant(race, number) for number in range(1, 5)]
    with connection.cursor() as cursor:
        for step in range(-12, 4):
            at, pool = START + timedelta(seconds=15 * step), 500_000 + 20_000 * (step + 12)
            for entrant, share in zip(entrants, SHARES, strict=True):
                odds = round(0.837 / share, 1)
                cursor.execute(READING, [entrant.pk, race.pk, at, at, round(pool * share), odds, odds])


def ended(number: int = 1) -> Race:
    meeting = make_meeting(meeting_id=f"m{number}")
    race = make_race(meeting, race_id=f"r{number}", status="Final", actual_start=START + timedelta(seconds=40))
    add_readings(race)
    return race


def archive(artefact: Artefact, scores: list[float]) -> None:
    meeting = make_meeting()
    for number, score in enumerate(scores):
        race = make_race(meeting, race_id=f"a{number}", polled_at=None, status="Final")
        at = START + timedelta(minutes=number)
        LateMoneyMaximum.objects.create(race=race, artefact=artefact.name, maximum=score, closed_at=at)


def test_a_race_is_scored_by_the_readings_before_its_close_as_live_polls_were(artefact: Artefact) -> None:
    ended()
    readings = read_readings("r1", START, START + timedelta(seconds=40))
    assert readings[-1].polled_at == START + timedelta(seconds=30)
    assert len(readings) == 15
    verdicts = [judge(readings[:count], artefact) for count in range(1, len(readings) + 1)]
    scores = [runner.score for verdict in verdicts for runner in verdict.runners]
    assert scores
    note_maxima(artefact)
    assert LateMoneyMaximum.objects.get().maximum == max(scores) == highest_score(readings, artefact)


def test_a_race_is_scored_once_for_an_artefact(artefact: Artefact) -> None:
    race = ended()
    assert list(unscored(artefact)) == [race]
    assert note_maxima(artefact) == 1
    assert note_maxima(artefact) == 0
    LateMoneyMaximum.objects.update(artefact="an older one")
    assert note_maxima(artefact) == 1
    assert LateMoneyMaximum.objects.get().artefact == artefact.name


def test_a_race_without_readings_has_no_score_and_is_not_counted(artefact: Artefact) -> None:
    make_race(make_meeting(), status="Final", actual_start=START)
    assert note_maxima(artefact) == 1
    assert LateMoneyMaximum.objects.get().maximum is None
    assert calibrate(artefact) is None


def test_with_fewer_than_200_races_the_trainings_calibration_stays(artefact: Artefact) -> None:
    archive(artefact, [0.0] * 199)
    assert calibrate(artefact) is None
    assert in_force(artefact) is None


def test_a_calibration_that_moves_little_comes_into_force(artefact: Artefact) -> None:
    archive(artefact, np.random.default_rng(1).choice(artefact.calibration.maxima, 400).tolist())
    made = calibrate(artefact)
    assert made
    assert made.is_in_force
    assert 2 <= made.false_alerts <= 8
    used = in_force(artefact)
    assert used
    assert used.maxima.tolist() == sorted(made.maxima)


def test_a_calibration_that_moves_far_waits_and_the_one_before_stays(artefact: Artefact) -> None:
    archive(artefact, (artefact.calibration.maxima[:400] - 100.0).tolist())
    made = calibrate(artefact)
    assert made
    assert not made.is_in_force
    assert made.false_alerts > 8
    assert in_force(artefact) is None


def test_the_nights_task_calibrates_once_a_day(artefact: Artefact) -> None:
    assert calibrate_task() == "too few races have ended"
    archive(artefact, artefact.calibration.maxima[:: max(1, len(artefact.calibration.maxima) // 300)].tolist())
    assert "calibration of " in calibrate_task()
    assert calibrate_task() == "calibrated today already"
    LateMoneyCalibration.objects.update(made_at=clock.now() - timedelta(days=1))
    assert "calibration of " in calibrate_task()


def test_the_command_says_what_it_did(artefact: Artefact) -> None:
    ended()
    with pytest.raises(CommandError, match="fewer than 200 races"):
        call_command("calibrate_late_money", stdout=(out := StringIO()))
    assert out.getvalue() == "1 races scored\n"
