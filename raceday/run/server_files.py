"""Folders and logs of the embedded servers: how they are made, whose they are and what a log says went wrong."""

import os
from pathlib import Path

from raceday.run.process import Account, StartError

SERVER_ENV = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}  # none of the user's PG* variables
START_SECONDS = 60.0  # replaying the journal after a crash takes the longest


def make_home(root: Path) -> None:
    """Make RACEDAY_HOME, passable for the account of PostgreSQL but listable by its owner only."""
    try:
        if not root.exists():
            root.mkdir(parents=True)
            root.chmod(0o711)
        if not os.access(root, os.W_OK | os.X_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as fault:
        raise StartError(
            f"{root} cannot be written ({fault.strerror}): set RACEDAY_HOME to a folder you can write."
        ) from None


def make_folder(path: Path, *, mode: int = 0o700, account: Account | None = None) -> None:
    """Make a folder of ours for `account`; StartError when someone else owns one of that name."""
    owner = account.uid if account else os.geteuid()
    if not path.exists():
        path.mkdir()
        path.chmod(mode)
        if account:
            os.chown(path, account.uid, account.gid)
    elif path.is_symlink() or path.stat().st_uid != owner:
        raise StartError(f"{path} belongs to someone else: remove it, or set RACEDAY_HOME to another folder.")


def last_words(log: Path | None, *, lines: int = 1) -> str:
    """Return the end of a log: the last lines that say what went wrong, else the last ones."""
    if log is None or not log.exists():
        return ""
    said = [line.strip() for line in log.read_text(errors="replace").splitlines()[-40:] if line.strip()]
    faults = [line for line in said if any(word in line for word in ("FATAL", "PANIC", "error:", "rror ", "Can't"))]
    return " ".join((faults or said)[-lines:])


def server_fault(server: str, log: Path | None) -> StartError:
    """Say in a sentence why a server did not start."""
    if "No space left" in last_words(log, lines=20):
        return StartError(f"{server} did not start: the disk that holds {log and log.parent.parent} is full.")
    return StartError(f"{server} did not start: {one_line(last_words(log))} (log: {log})")


def one_line(text: str) -> str:
    """Fold a message of several lines into one."""
    return " ".join(text.split()).rstrip(".") + "."
