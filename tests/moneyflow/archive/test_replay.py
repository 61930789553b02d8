"""A day exported, imported elsewhere and replayed there: the same rows and the same bytes for every client."""

import re
import time
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from psycopg.conninfo import make_conninfo

from meetings.models import Meeting
from moneyflow.alerts import calibrating
from moneyflow.archive import tables
from moneyflow.archive.databases import working_on
from moneyflow.late_money.artefact import shipped
from moneyflow.management.commands.replay import passing_database
from moneyflow.models import FeedAnswer, LateMoneyCalibration, MoneyFlowHistory
from moneyflow.store import partitions
from raceday import clock
from raceday.racing_day import nz_instant, racing_day
from tests.support.card import own_keys  # noqa: F401  # a fixture
from tests.support.short_day import ShortDay

pytestmark = pytest.mark.django_db(transaction=True)
SEEDS = ("one", "four")  # that raise alerts


@pytest.fixture
def play(own_keys: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ShortDay]:  # noqa: F811
    def play(seed: str) -> ShortDay:
        noon = nz_instant(racing_day(clock.now())) + timedelta(hours=12)
        artefact = shipped()
        assert artefact
        LateMoneyCalibration.objects.create(
            artefact=artefact.name, maxima=list(artefact.calibration.maxima * 0.9), false_alerts=4, is_in_force=True
        )
        monkeypatch.setattr(calibrating, "_in_force", {})
        stopped = clock.Clock(real=time.time(), shown=noon.timestamp() + 3600, speed=1e-12)  # bodies tell ages
        monkeypatch.setattr(clock, "CLOCK", stopped)
        day = ShortDay(seed, noon)
        day.play()
        return day

    return play


def said(command: str, *arguments: str | Path, **options: Any) -> str:
    call_command(command, *map(str, arguments), stdout=(out := StringIO()), stderr=out, **options)
    return out.getvalue()


def contents(day: ShortDay) -> dict[str, tuple[int, int]]:
    return {table.name: tables.content_of(connection, table, day.days) for table in tables.WRITTEN}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_is_exported_imported_elsewhere_and_replayed_to_the_same_bytes(
    seed: str, play: Callable[[str], ShortDay], tmp_path: Path
) -> None:
    day = play(seed)
    rows, bodies, answers = contents(day), day.bodies(), FeedAnswer.objects.count()
    assert all(count for count, _ in rows.values())  # alerts, too
    said("export", date=day.day, into=tmp_path / "day")

    with connection.cursor() as cursor:  # which makes it another database
        cursor.execute("TRUNCATE meetings, late_money_calibrations, " + ", ".join(partitions.PARENTS) + " CASCADE")
    said("import", tmp_path / "day")
    assert (contents(day), day.bodies()) == (rows, bodies)

    with passing_database() as empty:
        told = said("replay", date=day.day, into=empty, speed=1e9)
        assert told.count("the same") - told.count("not the same") == len(rows)
        with working_on(empty):
            assert FeedAnswer.objects.count() == answers
            assert (contents(day), day.bodies()) == (rows, bodies)
            with connection.cursor() as cursor:  # its now() is its own again
                cursor.execute("SELECT count(*) FROM pg_proc WHERE proname = 'now'")
                assert cursor.fetchone() == (1,)
                cursor.execute(
                    "INSERT INTO meetings (meeting_id, meeting_name, country, race_type, date)"
                    " VALUES ('m', 'M', 'NZ', 'harness', now()) RETURNING created_at"
                )
                assert cursor.fetchone()[0] == max(Meeting.objects.values_list("created_at", flat=True))


def test_a_replay_that_differs_is_told_and_leaves_no_database(play: Callable[[str], ShortDay]) -> None:
    day = play(SEEDS[0])
    with connection.cursor() as cursor:
        cursor.execute("UPDATE odds_history SET odds = odds + 1")
    with pytest.raises(CommandError, match="differs"):
        call_command("replay", date=day.day, stdout=(out := StringIO()))
    assert re.search(r"readings .* the same\nodds .* not the same", out.getvalue())
    with connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE 'raceday_replay_%'")
        assert cursor.fetchall() == []


def test_one_race_alone_can_be_replayed(play: Callable[[str], ShortDay]) -> None:
    day = play(SEEDS[0])
    with passing_database() as empty:
        said("replay", date=day.day, race=[day.races[0].race_id], into=empty)
        with working_on(empty):
            assert set(MoneyFlowHistory.objects.values_list("race_id", flat=True)) == {day.races[0].race_id}


def test_a_database_that_holds_something_is_not_replayed_into() -> None:
    here = connection.get_connection_params()
    url = make_conninfo(**{name: here[name] for name in ("host", "port", "user", "dbname") if name in here})
    with pytest.raises(CommandError, match="has tables already"):
        call_command("replay", date=racing_day(clock.now()), into=url)
