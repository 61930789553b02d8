"""`./run backup` and `./run restore` on real servers: all comes back as it was, or nothing does."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree
from zipfile import ZipFile

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from pytest_django import Settings

from raceday.run.backup import DUMP, MANIFEST
from tests.raceday.run.test_supervisor import NO_SETTINGS, said_by
from tests.support.paths import ROOT

FILL = """
from datetime import date
from django.core.management import call_command
from meetings.models import Meeting
call_command("migrate", verbosity=0)
names = {"meeting_id": "m1", "meeting_name": "Awapuni", "country": "NZ", "race_type": "harness"}
Meeting.objects.create(**names, date=date(2026, 11, 21))
"""
SHOW = "from meetings.models import Meeting; print(*Meeting.objects.values_list('meeting_name', flat=True))"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="raceday-"))
    path.chmod(0o711)
    yield path
    rmtree(path)


@pytest.fixture(scope="module")
def saved(folder: Path) -> Path:
    """A backup of a demo's home with one meeting in it."""
    root, file = folder / "home", folder / "raceday.backup"
    assert said_by(root, "manage", "shell", "--no-imports", "-c", FILL)[0] == 0
    (root / "demo.json").write_text('{"seed": "1", "first_starts": []}')
    code, said = said_by(root, "backup", str(file))
    assert code == 0, said
    assert "read again without a fault" in said
    return file


def test_a_restored_home_is_as_it_was(folder: Path, saved: Path) -> None:
    root = folder / "restored"
    code, said = said_by(root, "restore", str(saved))
    assert code == 0, said
    assert "the same as were saved" in said
    assert said_by(root, "manage", "shell", "--no-imports", "-c", SHOW) == (0, "Awapuni\n")
    assert (root / "demo.json").read_text() == '{"seed": "1", "first_starts": []}'
    assert not list(folder.glob("*.part"))


def test_nothing_is_overwritten(folder: Path, saved: Path) -> None:
    code, said = said_by(folder / "home", "backup", str(saved))
    assert code == 2
    assert "is there already" in said
    code, said = said_by(folder / "home", "restore", str(saved))
    assert code == 2
    assert "holds data already" in said


def test_what_has_no_data_cannot_be_saved(folder: Path) -> None:
    code, said = said_by(folder / "nowhere", "backup", str(folder / "nothing"))
    assert code == 2
    assert "holds no data" in said


def test_a_damaged_file_changes_nothing(folder: Path, saved: Path) -> None:
    content = bytearray(saved.read_bytes())
    content[len(content) // 2] ^= 255
    damaged = folder / "damaged"
    damaged.write_bytes(content)
    code, said = said_by(folder / "fresh", "restore", str(damaged))
    assert (code, said) == (1, f"raceday: {damaged} is no whole backup of Raceday: it is damaged.\n")
    damaged.write_bytes(content[:1000])
    code, said = said_by(folder / "fresh", "restore", str(damaged))
    assert (code, said) == (2, f"raceday: {damaged} is no backup of Raceday, or it was cut off.\n")
    assert not (folder / "fresh" / "postgres").exists()


def test_what_differs_from_the_manifest_is_not_kept(folder: Path, saved: Path) -> None:
    other = folder / "other"
    with ZipFile(saved) as source, ZipFile(other, "w") as target:
        manifest = json.loads(source.read(MANIFEST))
        manifest["tables"]["meetings"][0] += 1
        target.writestr(DUMP, source.read(DUMP))
        target.writestr(MANIFEST, json.dumps(manifest))
    root = folder / "differs"
    code, said = said_by(root, "restore", str(other))
    assert code == 1
    assert "the tables differ from those that were saved" in said
    assert not (root / "postgres").exists()


def test_a_dump_that_cannot_be_loaded_is_told_and_not_kept(folder: Path, saved: Path) -> None:
    other = folder / "no-dump"
    with ZipFile(saved) as source, ZipFile(other, "w") as target:
        target.writestr(DUMP, b"PGDMP, but no more")
        target.writestr(MANIFEST, source.read(MANIFEST))
    code, said = said_by(folder / "no-dump-home", "restore", str(other))
    assert code == 1
    assert "pg_restore failed: " in said
    assert not (folder / "no-dump-home" / "postgres").exists()


def test_a_file_is_named_from_where_the_person_is(folder: Path, saved: Path) -> None:
    env = {**os.environ, **NO_SETTINGS, "RACEDAY_HOME": str(folder / "home"), "RACEDAY_CWD": str(folder)}
    command = [sys.executable, "-m", "raceday.run.supervisor", "backup", saved.name]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert f"{saved} is there already" in done.stderr


def test_a_database_with_tables_is_left_alone(folder: Path, saved: Path, own_database: str) -> None:
    code, said = said_by(folder / "outside", "restore", str(saved), DATABASE_URL=own_database)
    assert code == 2
    assert "the database holds tables already" in said
    with psycopg.connect(own_database) as connection:
        assert connection.execute("SELECT count(*) FROM mine").fetchone() == (0,)


@pytest.fixture
def own_database(settings: Settings) -> Iterator[str]:
    server = settings.DATABASE_URL
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS backup_test")
        connection.execute("CREATE DATABASE backup_test")
        url = make_conninfo(server, dbname="backup_test")
        with psycopg.connect(url, autocommit=True) as own:
            own.execute("CREATE TABLE mine (id int)")
        yield url
        connection.execute("DROP DATABASE backup_test WITH (FORCE)")
