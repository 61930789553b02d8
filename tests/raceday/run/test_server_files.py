"""Folders that belong to someone else, and servers that do not start, are told in a sentence."""

from pathlib import Path

import pytest

from raceday.run.process import StartError
from raceday.run.server_files import make_folder, server_fault


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("LOG:  starting\nFATAL:  data is gone\nLOG:  stopped\n", "FATAL:  data is gone. (log: {log})"),
        ("first\nlast words\n\n", "last words. (log: {log})"),
        ("FATAL:  cannot write: No space left on device\nLOG:  stopped\n", "the disk that holds {folder} is full."),
    ],
)
def test_a_server_that_does_not_start_is_told_by_the_end_of_its_log(tmp_path: Path, said: str, told: str) -> None:
    log = tmp_path / "logs" / "postgres.log"
    log.parent.mkdir()
    log.write_text(said)
    expected = " ".join(told.format(log=log, folder=tmp_path).split())
    assert str(server_fault("PostgreSQL", log)) == f"PostgreSQL did not start: {expected}"


def test_a_folder_is_made_once_and_that_of_someone_else_is_refused(tmp_path: Path) -> None:
    own, other = tmp_path / "own", tmp_path / "other"
    for _ in range(2):
        make_folder(own)
    assert own.stat().st_mode & 0o777 == 0o700
    other.symlink_to(own)  # by whoever can write here
    with pytest.raises(StartError, match=f"{other} belongs to someone else"):
        make_folder(other)
