"""A day exported, imported elsewhere and replayed there: the same rows and the same bytes for every client."""

import time
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from psycopg.conninfo import make_conninfo

from moneyflow.alerts import calibrating
from moneyflow.archive import past, replay, tables
from moneyflow.archive.databases import snapshot, working_on
from moneyflow.late_money.artefact import shipped
from moneyflow.management.commands.replay import passing_database
from moneyflow.models import FeedAnswer, LateMoneyAlert, LateMoneyCalibration
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


def said(*command: str) -> str:
    call_command(*command, stdout=(out := StringIO()), stderr=out)
    return out.getvalue()


def contents(day: ShortDay) -> dict[str, tuple[int, int]]:
    return {table.name: tables.content_of(connection, table, day.days) for table in tables.WRITTEN}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_is_exported_imported_elsewhere_and_replayed_to_the_same_bytes(
    seed: str, play: Callable[[str], ShortDay], tmp_path: Path
) -> None:
    day = play(seed)
    rows, bodies, answers = contents(day), day.bodies(), FeedAnswer.objects.count()
    assert LateMoneyAlert.objects.exists()
    assert all(count for count, _ in rows.values())
    said("export", "--date", str(day.day), "--into", str(tmp_path / "day"))

    with passing_database() as elsewhere, working_on(elsewhere):
        call_command("migrate", verbosity=0)
        said("import", str(tmp_path / "day"))
        assert (contents(day), day.bodies()) == (rows, bodies)

        with snapshot() as source, passing_database() as empty, working_on(empty, past.OPTIONS):
            assert replay.replay(source, day.days, speed=1e9) == answers == FeedAnswer.objects.count()
            assert (contents(day), day.bodies()) == (rows, bodies)
            with connection.cursor() as cursor:  # the database goes on with the time of its own clock
                cursor.execute("SELECT abs(extract(epoch FROM clock_timestamp() - now())) < 60")
                assert cursor.fetchone() == (True,)


def test_the_command_compares_a_replay_with_what_was_stored(play: Callable[[str], ShortDay]) -> None:
    day = play(SEEDS[0])
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE money_flow_history SET win_pool_amount = win_pool_amount + 1 WHERE race_id = %s",
            [day.races[0].race_id],
        )
    with pytest.raises(CommandError, match="differs"):
        call_command("replay", date=day.day, stdout=(out := StringIO()))
    told = out.getvalue()
    assert "odds" in told


def test_a_database_that_holds_something_is_not_replayed_into(play: Callable[[str], ShortDay]) -> None:
    here = {
        name: connection.get_connection_params()[name]
        for name in ("host", "port", "user", "dbname")
        if name in connection.get_connection_params()
    }
    with pytest.raises(CommandError, match="has tables already"):
        call_command("replay", date=racing_day(clock.now()), into=make_conninfo("", **here))
