"""One tree a home: its lock, what other commands may know of it while it is up, and the environment of children."""

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from raceday.processes import is_running
from raceday.run.postgres import postgres_install
from raceday.run.process import ORPHAN_SECONDS, StartError, pause

SHARED = ("RACEDAY_CLOCK", "NZTAB_API_URL", "DEMO")  # what `./run manage` takes over from the tree that is up
START_SECONDS = 20.0


def environment(root: Path, urls: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of every child: one home, one pair of servers, the real clock."""
    path = f"{os.environ.get('PATH', os.defpath)}{os.pathsep}{postgres_install() / 'bin'}"  # psql for dbshell
    own = {"RACEDAY_HOME": str(root), "RACEDAY_CLOCK": "", "DJANGO_SETTINGS_MODULE": "config.settings", "PATH": path}
    inherited = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
    return {**inherited, **urls, **own}


@contextmanager
def lock(root: Path, command: str) -> Iterator[None]:
    """Keep the home to one command; StartError when another has it."""
    with (root / "lock").open("a+") as file:
        take_lock(file, root)
        file.truncate(0)
        file.write(f"{os.getpid()} {command}")
        file.flush()
        try:
            yield
        finally:
            running_file(root).unlink(missing_ok=True)


def take_lock(file: IO[str], root: Path) -> None:
    """Lock the file, waiting while what a killed tree left behind is being cleared away."""
    give_up = time.monotonic() + ORPHAN_SECONDS + 2
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid, command = holder(root)
            if (pid and is_running(pid)) or time.monotonic() > give_up:
                raise StartError(f"{root} is already running `./run {command}` (pid {pid}).") from None
        pause(0.1)


def holder(root: Path) -> tuple[int, str]:
    """Return who wrote the lock last: process and command, (0, "") while it is being written, or if nobody did."""
    path = root / "lock"
    pid, _, command = path.read_text().partition(" ") if path.exists() else ("", "", "")
    return int(pid or 0), command


def running_file(root: Path) -> Path:
    """Return where the tree that is up tells about itself."""
    return root / "running.json"


def announce(root: Path, env: Mapping[str, str]) -> None:
    """Tell `./run manage` that the servers are up and which clock and feed the tree has."""
    path = running_file(root)
    scratch = path.with_suffix(".new")
    scratch.write_text(json.dumps({name: env[name] for name in SHARED if name in env}))
    scratch.replace(path)


def is_locked(root: Path) -> bool:
    """Tell whether a command has the home just now."""
    with (root / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def running_environment(root: Path) -> dict[str, str] | None:
    """Return what to take over from the tree that is up, None when none is."""
    give_up = time.monotonic() + START_SECONDS
    while is_locked(root):
        if running_file(root).exists():
            join(root)
            shared: dict[str, str] = json.loads(running_file(root).read_text())
            return shared
        if time.monotonic() > give_up:
            raise StartError(f"{root} is in use by a command that is starting or stopping: try again in a moment.")
        pause(0.1)
    return None


def join(root: Path) -> None:
    """Mark this process, and what it becomes by exec, as a user of someone else's servers."""
    file = os.open(root / "joined", os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(file, fcntl.LOCK_SH)
    os.set_inheritable(file, True)


def await_joined(root: Path) -> None:
    """Wait until no other command uses the servers this one is about to stop."""
    with (root / "joined").open("a") as file:
        while True:
            try:
                return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pause(0.1)
