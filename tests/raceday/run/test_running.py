"""One command has a home at a time, and the others wait for it, or are told."""

import fcntl
import os
from pathlib import Path
from threading import Timer

import pytest

from raceday.run import running
from raceday.run.process import StartError
from raceday.run.running import await_joined, holder, lock, running_environment

NOBODY = 2**30  # above every process number
MOMENT_SECONDS = 0.3


def test_a_start_waits_until_what_a_killed_tree_left_is_cleared_away(tmp_path: Path) -> None:
    killed = (tmp_path / "lock").open("w")
    killed.write(f"{NOBODY} demo")
    killed.flush()
    fcntl.flock(killed, fcntl.LOCK_EX)
    Timer(MOMENT_SECONDS, killed.close).start()
    with lock(tmp_path, "live"):
        assert killed.closed
        assert holder(tmp_path) == (os.getpid(), "live")


def test_servers_are_not_stopped_while_another_command_uses_them(tmp_path: Path) -> None:
    user = (tmp_path / "joined").open("w")
    fcntl.flock(user, fcntl.LOCK_SH)
    Timer(MOMENT_SECONDS, user.close).start()
    await_joined(tmp_path)
    assert user.closed


def test_a_home_whose_tree_does_not_get_up_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "START_SECONDS", MOMENT_SECONDS)
    with lock(tmp_path, "demo"), pytest.raises(StartError, match="a command that is starting or stopping"):
        running_environment(tmp_path)
    assert running_environment(tmp_path) is None
