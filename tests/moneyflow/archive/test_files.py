"""What `export` and `archive` write, and what `import` and `restore_archive` take of it."""

import csv
import json
import re
import sys
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pyarrow import parquet
from pytest_django import Settings

from moneyflow.archive import files, retiring
from moneyflow.models import FeedAnswer, LateMoneyAlert, MoneyFlowHistory, OddsHistory
from moneyflow.store import partitions
from raceday import clock
from raceday.racing_day import nz_instant, racing_day
from races.models import Race
from tests.support.card import add_money, add_odds, make_alert, make_entrant, make_meeting, make_race

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def noon() -> datetime:
    return nz_instant(racing_day(clock.now())) + timedelta(hours=12)


@pytest.fixture
def stored(noon: datetime) -> None:
    """A race of two today, with readings, prices and an alert."""
    race = make_race(
        make_meeting(date=racing_day(noon)), start_time=noon, race_date_nz=racing_day(noon), polled_at=noon
    )
    for number in (1, 2):
        entrant = make_entrant(race, number, fixed_win_odds="2.50")
        for second in range(3):
            add_money(entrant, noon + timedelta(seconds=second), None if second == 1 else 100 * number, "12.50")
        add_odds(entrant, noon, "2.40")
    make_alert(entrant)


@pytest.fixture
def exported(stored: None, noon: datetime, tmp_path: Path) -> Path:
    export(noon, tmp_path / "day")
    return tmp_path / "day"


def export(noon: datetime, folder: Path, **options: Any) -> str:
    call_command("export", date=racing_day(noon), into=folder, stdout=(out := StringIO()), **options)
    return out.getvalue()


def imported(*paths: Path) -> str:
    call_command("import", *map(str, paths), stdout=(out := StringIO()), stderr=out)
    return out.getvalue()


def refused(path: Path) -> str:
    """Import what is to be refused, and return why."""
    before = rows()
    with pytest.raises(CommandError, match="nothing was stored"):
        call_command("import", str(path), stdout=StringIO(), stderr=(out := StringIO()))
    assert rows() == before
    return out.getvalue()


def empty() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE meetings, money_flow_history, odds_history, feed_answers CASCADE")


def rows() -> tuple[Any, ...]:
    """All that a client sees of the day's rows."""
    models = (Race, MoneyFlowHistory, OddsHistory, LateMoneyAlert)
    with connection.cursor() as cursor:
        found = []
        for model in models:
            cursor.execute(f"SELECT to_jsonb(line) - 'id' FROM {model._meta.db_table} AS line ORDER BY 1")  # noqa: S608
            found.append(cursor.fetchall())
    return tuple(found)


def rewrite(folder: Path, name: str, change: Callable[[list[dict[str, Any]]], object]) -> None:
    """Change a table's rows in an export, and its manifest with them, as a program would that knows no better."""
    file = folder / f"{name}.ndjson"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    change(lines)
    with file.open("wb") as out:
        content = files.write_lines(out, [json.dumps(line).encode() + b"\n" for line in lines], lambda _: None)
    manifest = json.loads((folder / files.MANIFEST).read_text())
    manifest["tables"][name] = {"rows": content.rows, "sha256": content.sha256}
    (folder / files.MANIFEST).write_text(json.dumps(manifest))


# ── Export ──────────────────────────────────────────────────────────────────────────────────────
def test_an_export_has_every_table_and_says_how_many_rows(stored: None, noon: datetime, tmp_path: Path) -> None:
    told = export(noon, tmp_path / "day")
    assert "races: 1 rows\nentrants: 2 rows\npools: 0 rows\n" in told
    assert "readings: 6 rows\nodds: 2 rows\nalerts: 1 rows\ncalibrations: 0 rows\nanswers: 0 rows\n" in told
    (race,) = [json.loads(line) for line in (tmp_path / "day/races.ndjson").read_text().splitlines()]
    assert (race["race_id"], race["race_date_nz"]) == ("r1", str(racing_day(noon)))


def test_on_a_terminal_an_export_keeps_one_line_a_table(stored: None, noon: datetime, tmp_path: Path) -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    call_command("export", date=racing_day(noon), into=tmp_path, stdout=(out := Terminal()))
    assert "\rreadings: 0 rows\rreadings: 6 rows\n\rodds: 0 rows" in out.getvalue()


def test_another_day_is_not_exported(stored: None, noon: datetime, tmp_path: Path) -> None:
    assert "races: 0 rows" in export(noon - timedelta(days=1), tmp_path / "day")


def test_csv_has_names_and_leaves_what_is_not_known_empty(stored: None, noon: datetime, tmp_path: Path) -> None:
    export(noon, tmp_path, format="csv")
    with (tmp_path / "readings.csv").open() as file:
        readings = list(csv.DictReader(file))
    assert [(row["entrant_id"], row["win_pool_amount"]) for row in readings[:3]] == [
        ("r1-e1", "100"),
        ("r1-e1", ""),
        ("r1-e1", "100"),
    ]


def test_parquet_has_types(stored: None, noon: datetime, tmp_path: Path) -> None:
    export(noon, tmp_path, format="parquet")
    readings = parquet.read_table(tmp_path / "readings.parquet").to_pylist()
    assert (readings[1]["event_timestamp"], readings[1]["win_pool_amount"]) == (noon + timedelta(seconds=1), None)
    assert (readings[0]["hold_percentage"], readings[0]["win_pool_amount"]) == (12.5, 100)
    (alert,) = parquet.read_table(tmp_path / "alerts.parquet").to_pylist()
    assert json.loads(alert["record"])["settled"] == 0
    assert parquet.read_table(tmp_path / "races.parquet").to_pylist()[0]["race_date_nz"] == racing_day(noon)
    assert parquet.read_table(tmp_path / "answers.parquet").num_rows == 0


def test_without_pyarrow_a_sentence_says_what_to_install(
    noon: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(CommandError, match="pip install -r requirements-parquet"):
        export(noon, tmp_path, format="parquet")


def test_days_that_end_before_they_begin_are_refused(noon: datetime, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="is before"):
        export(noon, tmp_path, to=racing_day(noon) - timedelta(days=1))


def test_nothing_is_written_over(exported: Path, noon: datetime) -> None:
    with pytest.raises(CommandError, match="is not empty"):
        export(noon, exported)


# ── Import ──────────────────────────────────────────────────────────────────────────────────────
def test_an_import_brings_back_what_was_exported(exported: Path) -> None:
    before = rows()
    empty()
    assert "stored 14 rows" in imported(exported)
    assert rows() == before


def test_what_is_stored_already_is_left_alone(exported: Path) -> None:
    before = rows()
    told = imported(exported, exported)
    assert "readings: 6 rows, 6 of them stored already" in told
    assert "stored 0 rows" in told
    assert rows() == before


DAYS = '{"days": ["2026-11-21", "2026-11-21"]'
FAULTS: dict[str, tuple[str, Callable[[list[dict[str, Any]]], object], str]] = {
    "a column too few": ("odds", lambda lines: lines[1].pop("odds"), "odds, line 2: its columns are others, odds"),
    "a column too many": ("races", lambda lines: lines[0].update(colour=1), "races, line 1: .* colour"),
    "a wrong type": ("races", lambda lines: lines[0].update(race_number="six"), "invalid input syntax"),
    "no value": ("races", lambda lines: lines[0].update(name=None), "null value in column"),
    "a price below the stake": ("odds", lambda lines: lines[0].update(odds=0.5), "1 rows hold what cannot be"),
    "another day": (
        "readings",
        lambda lines: lines[0].update(event_timestamp="2020-01-01T00:00:00+00:00"),
        "1 rows hold what cannot be, or what is of other days",
    ),
    "a row twice": ("readings", lambda lines: lines.append(lines[0]), "1 rows are there twice"),
    "a row of no race": ("entrants", lambda lines: lines[0].update(race_id="r9"), "violates foreign key"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_bad_row_keeps_all_files_out(exported: Path, fault: str) -> None:
    name, change, reason = FAULTS[fault]
    rewrite(exported, name, change)
    empty()
    assert re.search(reason, refused(exported))


def test_what_is_stored_and_says_something_else_is_not_written_over(exported: Path) -> None:
    Race.objects.update(name="Another")
    assert "races: 1 rows are stored already and say something else" in refused(exported)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("odds.ndjson", "", "odds: the manifest has 2 rows, and these 0 are not they"),
        ("odds.ndjson", "{\n", "odds, line 1: "),
        ("manifest.json", "{}", "no manifest that can be read"),
        ("manifest.json", '{"days": ["", ""], "tables": {}}', "no manifest that can be read"),
        ("manifest.json", DAYS + ', "version": 9, "tables": {}}', "it is of version 9"),
        ("manifest.json", DAYS + ', "tables": {"x": {"rows": 1, "sha256": ""}}}', "does not know: x"),
    ],
)
def test_a_damaged_export_is_refused(exported: Path, name: str, content: str, reason: str) -> None:
    (exported / name).write_text(content)
    assert reason in refused(exported)


def test_what_is_no_whole_export_is_refused(exported: Path, tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("no zip")
    assert "it cannot be opened" in refused(tmp_path / "text.zip")
    (exported / "odds.ndjson").write_bytes(b'{"\xff": 1}')
    assert "odds, line 1: " in refused(exported)
    (exported / "odds.ndjson").unlink()
    assert "odds: " in refused(exported)


# ── Past the retention ──────────────────────────────────────────────────────────────────────────
@pytest.fixture
def old_day(make_partitions: Callable[..., None]) -> Iterator[date]:
    day = racing_day(clock.now()) - timedelta(days=40)
    make_partitions(day)
    entrant = make_entrant(make_race(make_meeting()), 1)
    add_money(entrant, nz_instant(day), 100)
    add_odds(entrant, nz_instant(day), "2.40")
    yield day
    with connection.cursor() as cursor:
        for parent in partitions.PARENTS:
            cursor.execute(f"DROP TABLE IF EXISTS {parent}_{day:%Y_%m_%d}")


def archived(folder: Path) -> str:
    call_command("archive", into=folder, stdout=(out := StringIO()))
    return out.getvalue()


def attached(day: date) -> int:
    return sum(partition.day == day for partition in partitions.existing())


def test_what_is_past_its_retention_goes_into_files_and_comes_back(
    old_day: date, tmp_path: Path, settings: Settings
) -> None:
    before = rows()
    told = archived(tmp_path)
    assert f"odds_history_{old_day:%Y_%m_%d}: 1 rows" in told
    assert "read back; the table is dropped" in told
    assert partitions.detached() == []
    assert not OddsHistory.objects.exists()
    assert archived(tmp_path) == "nothing is past its retention\n"

    settings.HISTORY_RETENTION_DAYS = settings.ANSWERS_RETENTION_DAYS = 50
    call_command("restore_archive", *map(str, tmp_path.glob("*.zip")), stdout=StringIO())
    assert rows() == before
    assert partitions.keep(racing_day(clock.now())).detach == ()


def test_a_file_that_differs_when_it_is_read_back_drops_nothing(
    old_day: date, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_less(*arguments: Any) -> files.Content:
        return files.write_lines(arguments[0], [], arguments[2])

    monkeypatch.setattr(retiring, "write_lines", write_less)
    with pytest.raises(CommandError, match="holds 1 rows, and its file 0"):
        archived(tmp_path)
    assert [partition.parent for partition in partitions.detached()] == ["money_flow_history", "odds_history"]
    assert [path.name for path in tmp_path.iterdir()] == [f"feed_answers_{old_day:%Y_%m_%d}.zip"]


def test_a_file_that_is_there_is_not_written_over(old_day: date, tmp_path: Path) -> None:
    for parent in partitions.PARENTS:
        (tmp_path / f"{parent}_{old_day:%Y_%m_%d}.zip").touch()
    with pytest.raises(CommandError, match="is there already"):
        archived(tmp_path)
    assert len(partitions.detached()) == len(partitions.PARENTS)


def test_answers_may_be_kept_for_a_shorter_time_than_history(old_day: date, settings: Settings) -> None:
    settings.HISTORY_RETENTION_DAYS = 50
    detached = partitions.keep(racing_day(clock.now())).detach
    assert [partition.parent for partition in detached if partition.day == old_day] == ["feed_answers"]
    assert attached(old_day) == 2
    assert not FeedAnswer.objects.exists()
