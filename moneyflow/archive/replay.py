"""Archived answers through the rooms again, into an empty database: the same rows, and nobody is told."""

import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from functools import partial
from itertools import groupby

import numpy as np
from django.core.management import call_command
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from moneyflow.archive.databases import rows_of
from moneyflow.archive.past import tell_time, told_time
from moneyflow.archive.store import ArchivedAnswer, archive_card, day_of_card, read_answers
from moneyflow.archive.tables import ANSWERS, Days
from moneyflow.late_money.artefact import shipped
from moneyflow.late_money.calibration import Calibration
from moneyflow.late_money.judge import judge
from moneyflow.pipeline import process_answer
from moneyflow.store import partitions
from moneyflow.transform.late_money import Judge
from raceday.racing_day import racing_day
from races.day_card import read_day_card, store_day_card

SOME_ANSWERS = f"""
SELECT * FROM feed_answers
WHERE {ANSWERS.rows} AND (%(is_all)s OR race_id = ANY(%(race_ids)s) OR race_id = ANY(%(cards)s)) ORDER BY sequence
"""  # noqa: S608  # every part of it is ours
CALIBRATIONS = """
SELECT made_at, maxima FROM late_money_calibrations WHERE artefact = %(artefact)s AND is_in_force ORDER BY made_at
"""


class NotEmptyError(RuntimeError):
    """The database to replay into holds something."""


def replay(
    source: BaseDatabaseWrapper,
    days: Days,
    *,
    race_ids: Sequence[str] = (),
    speed: float | None = None,
    show: Callable[[int], None] = lambda _: None,
) -> int:
    """Take the answers about the races of these days from `source` into the empty database that Django works on.

    Return their number. race_ids: only these. speed: so many seconds of then pass in one of now; None: none is waited
    for. The connection that Django works on must have the OPTIONS of moneyflow.archive.past.
    """
    if connection.introspection.table_names():
        raise NotEmptyError("the database to replay into has tables already: name an empty one.")
    call_command("migrate", verbosity=0, interactive=False)
    _make_partitions(days)
    done, judge_at, pace = 0, _judges(source), _Pace(speed)
    with told_time():
        for answers in _written_together(source, days, race_ids):
            pace.wait(answers[0].answer.polled_at)
            tell_time(answers[0].created_at)
            _process(answers, judge_at(answers[0].created_at))
            show(done := done + len(answers))
    return done


def _process(answers: Sequence[ArchivedAnswer], judge: Judge) -> None:
    if day := day_of_card(answers[0].race_id):
        pages = [page.answer for page in answers]
        store_day_card(read_day_card(day, pages))
        archive_card(day, pages)
    else:
        for each in answers:
            process_answer(each.race_id, each.answer, is_replay=True, judge=judge)


def _written_together(
    source: BaseDatabaseWrapper, days: Days, race_ids: Sequence[str]
) -> Iterator[list[ArchivedAnswer]]:
    """Yield answers in the order in which they were stored; the pages of a card come together."""
    rows = rows_of(source, SOME_ANSWERS, {**days.values, "is_all": not race_ids, "race_ids": list(race_ids)})
    for _, answers in groupby(read_answers(rows), key=lambda each: (each.race_id, each.created_at)):
        yield list(answers)


def _make_partitions(days: Days) -> None:
    """Make a place for all that the answers about these days can bring."""
    first, last = racing_day(days.values["since"]), racing_day(days.values["until"])
    partitions.apply(partitions.plan(partitions.existing(), list(Days(first, last)), oldest=date.min))


def _judges(source: BaseDatabaseWrapper) -> Callable[[datetime], Judge]:
    """Return what judged late money at an instant: each night's calibration holds until the next one's."""
    artefact = shipped()
    rows = list(rows_of(source, CALIBRATIONS, {"artefact": artefact and artefact.name}))
    made = [row["made_at"] for row in rows]
    calibrations = [None, *(Calibration(maxima=np.array(row["maxima"])) for row in rows)]
    return lambda instant: partial(judge, artefact=artefact, calibration=calibrations[bisect_right(made, instant)])


class _Pace:
    """Waits so that the instants it is given pass `speed` times as fast as they did."""

    def __init__(self, speed: float | None) -> None:
        self._speed = speed
        self._began: tuple[float, datetime] | None = None

    def wait(self, instant: datetime) -> None:
        if self._speed:
            real, first = self._began = self._began or (time.monotonic(), instant)
            time.sleep(max(0.0, real + (instant - first).total_seconds() / self._speed - time.monotonic()))
