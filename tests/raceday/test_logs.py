"""Logs that stay short, private and readable, whatever clients and programs write."""

import json
import logging
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from raceday.log import MOST_TEXT, logging_config
from raceday.run import process
from raceday.run.process import ProcessTree, Program, open_log, trim_log
from tests.support.paths import ROOT

WRITER = (
    "import sys, time\nfor n in range(400): sys.stderr.write('x' * 99 + chr(10)); sys.stderr.flush(); time.sleep(.002)"
)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_log_is_for_its_owner_only_and_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)  # as a home, through which the account of PostgreSQL passes
    before = tmp_path / "demo.log"
    before.touch(mode=0o644)
    for path in (before, tmp_path / "logs" / "web.log"):
        with open_log(path):
            pass
        assert mode(path) == 0o600
    assert (mode(tmp_path), mode(tmp_path / "logs")) == (0o711, 0o700)


def test_a_large_log_is_put_aside_and_goes_on_in_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LOG_LIMIT_BYTES", 10)
    path = tmp_path / "web.log"
    with open_log(path) as first, open_log(path) as second:
        for file in (first, second):
            open(file, "w", closefd=False).write("a long line\n")  # noqa: SIM115 a descriptor, closed by its owner
        trim_log(path)
        open(first, "w", closefd=False).write("short\n")  # noqa: SIM115 as above
    assert path.read_text() == "short\n"
    older = path.with_suffix(".1.log")
    assert (older.read_text(), mode(older)) == ("a long line\na long line\n", 0o600)


def test_the_log_of_a_running_program_is_kept_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LOG_LIMIT_BYTES", 5_000)
    monkeypatch.setattr(process, "TRIM_EVERY_SECONDS", 0.05)
    path = tmp_path / "logs" / "writer.log"
    with ProcessTree() as tree:
        child = tree.start(
            Program(name="writer", argv=[sys.executable, "-c", WRITER], env={}, log=path, restarts=False)
        )
        while child.process.poll() is None:
            tree.tend()
            assert path.stat().st_size < 30_000
    assert path.with_suffix(".1.log").exists()


def test_what_a_client_wrote_is_cut(capfd: pytest.CaptureFixture[str]) -> None:
    logging_config("INFO")
    logging.getLogger("django.request").warning("Not Found: %s", "/x" * 30_000)
    line = json.loads(capfd.readouterr().err)
    assert len(line["event"]) <= MOST_TEXT + 3


TELL = """
import django; django.setup()
import structlog
from raceday.run.process import say
for _ in range(2):
    say("a cluster starts anew")
    structlog.get_logger(__name__).warning("no room")
print("went on")
"""


def test_a_log_without_room_ends_nobody() -> None:
    with Path("/dev/full").open("w") as full:
        told = subprocess.run(
            [sys.executable, "-c", TELL],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=full,
            text=True,
            check=True,
        )
    assert told.stdout == "went on\n"
