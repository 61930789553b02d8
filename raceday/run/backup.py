"""`./run backup FILE` and `./run restore FILE`: the whole database in one file, checked when written and when read.

The file is a zip, so that CRC-32 guards each part: `database.dump`, as pg_dump writes it, and `manifest.json` with the
rows and a checksum of each table, and with the files that mark a home as the demo's or the live one's.
"""

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, TypeAlias
from zipfile import BadZipFile, ZipFile

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from raceday import home
from raceday.processes import die_with_parent
from raceday.run import tree as trees
from raceday.run.embedded import addresses, start_servers
from raceday.run.postgres import postgres_install
from raceday.run.process import ProcessTree, StartError, pause, say
from raceday.run.running import lock, running_environment
from raceday.run.server_files import make_home, one_line

DUMP, MANIFEST = "database.dump", "manifest.json"
MARKS = ("demo.json", "live.json")
PIECE_BYTES = 1 << 20
TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname"
# The same on every version of PostgreSQL, whatever the order of the rows.
CONTENT = "SELECT count(*), sum(('x' || left(md5(line::text), 15))::bit(60)::bigint)::text FROM ONLY {} AS line"
LIBPQ = {name: f"PG{name.upper()}" for name in ("host", "port", "user", "password", "sslmode", "sslrootcert")}
LIBPQ |= {"dbname": "PGDATABASE"}
Contents: TypeAlias = dict[str, list[Any]]


def backup(path: Path) -> int:
    """Write the database to a new file that can be read from end to end, of a home that runs or not."""
    if path.exists():
        raise StartError(f"{path} is there already: choose another name.")
    root = home.home()
    if not os.environ.get("DATABASE_URL") and not (root / "postgres").exists():
        raise StartError(f"{root} holds no data: set RACEDAY_HOME to the folder that does.")
    part = path.with_name(f"{path.name}.part")
    try:
        with running_database(root) as url, ZipFile(part, "w") as archive, psycopg.connect(url) as connection:
            contents = write_dump(connection, url, archive)
            marks = {name: (root / name).read_text() for name in MARKS if (root / name).exists()}
            archive.writestr(MANIFEST, json.dumps({"tables": contents, "marks": marks}))
        with ZipFile(part) as archive:
            check(archive, path)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    say(f"{path}: {summary(contents)}, {path.stat().st_size / 1e6:.1f} MB, read again without a fault.")
    return 0


def restore(path: Path) -> int:
    """Read a backup into an empty home, or into the empty database that DATABASE_URL names; all of it or nothing."""
    root, is_own = home.home(), not os.environ.get("DATABASE_URL")
    if is_own and (root / "postgres").exists():
        raise StartError(f"{root} holds data already: set RACEDAY_HOME to a new folder.")
    with open_backup(path) as archive:
        manifest = check(archive, path)
        make_home(root)
        with lock(root, "restore"), empty_unless_done(root if is_own else None), ProcessTree() as tree:
            url = start_servers(tree, root, connections=trees.connections())["DATABASE_URL"]
            read_dump(archive, url)
            with psycopg.connect(url) as connection:
                if contents_of(connection) != manifest["tables"]:
                    raise StartError(f"{path} was read, but the tables differ from those that were saved.", code=1)
                connection.execute("ANALYZE")
            for name in MARKS:
                if name in manifest["marks"]:
                    (root / name).write_text(manifest["marks"][name])
    say(f"{root}: {summary(manifest['tables'])}, the same as were saved.")
    return 0


def summary(contents: Contents) -> str:
    """Say how much there is."""
    return f"{len(contents)} tables with {sum(rows for rows, _ in contents.values()):,} rows"


@contextmanager
def running_database(root: Path) -> Iterator[str]:
    """Give the address of the home's database, started for as long as the context lasts unless it runs."""
    if os.environ.get("DATABASE_URL") or running_environment(root) is not None:
        yield addresses(root)["DATABASE_URL"]
        return
    with lock(root, "backup"), ProcessTree() as tree:
        yield start_servers(tree, root, connections=trees.connections())["DATABASE_URL"]


@contextmanager
def empty_unless_done(root: Path | None) -> Iterator[None]:
    """Remove what a failed restore has made of a home's own data."""
    try:
        yield
    except BaseException:
        for name in ("postgres", "valkey") if root else ():
            shutil.rmtree(root / name, ignore_errors=True)  # type: ignore[operator]  # there is one
        raise


@contextmanager
def open_backup(path: Path) -> Iterator[ZipFile]:
    """Open a backup; StartError when the file is none."""
    try:
        archive = ZipFile(path)
    except BadZipFile:
        raise StartError(f"{path} is no backup of Raceday, or it was cut off.") from None
    with archive:
        yield archive


def check(archive: ZipFile, path: Path) -> Any:
    """Read a backup from end to end and return its manifest; StartError when it is damaged."""
    try:
        if archive.testzip() is None and archive.getinfo(DUMP).file_size:
            return json.loads(archive.read(MANIFEST))
    except (BadZipFile, KeyError, ValueError):
        pass
    raise StartError(f"{path} is no whole backup of Raceday: it is damaged.", code=1)


def write_dump(connection: psycopg.Connection[Any], url: str, archive: ZipFile) -> Contents:
    """Write the dump and return what the tables held at that instant."""
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    contents = contents_of(connection)
    exported = connection.execute("SELECT pg_export_snapshot()").fetchone()
    command = ["pg_dump", "-Fc", "--no-owner", "--no-privileges", f"--snapshot={exported and exported[0]}"]
    with program(command, url, stdout=subprocess.PIPE) as process, archive.open(DUMP, "w", force_zip64=True) as file:
        assert process.stdout  # noqa: S101 asked for above
        copy(process.stdout, file)
    return contents


def read_dump(archive: ZipFile, url: str) -> None:
    """Load the dump into an empty database in one transaction."""
    with psycopg.connect(url) as connection:
        if connection.execute(TABLES).fetchone():
            raise StartError("the database holds tables already: name an empty one.")
    command = ["pg_restore", "--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
    command += ["--dbname", str(conninfo_to_dict(url).get("dbname", ""))]
    with program(command, url, stdin=subprocess.PIPE) as process, archive.open(DUMP) as file:
        assert process.stdin  # noqa: S101 asked for above
        with suppress(BrokenPipeError):  # then it says why it ended
            copy(file, process.stdin)
            process.stdin.close()


def contents_of(connection: psycopg.Connection[Any]) -> Contents:
    """Return rows and checksum of each table, as one snapshot shows them if the transaction has one."""
    connection.execute("SET timezone = 'UTC'")
    tables = [name for (name,) in connection.execute(TABLES)]
    found = {name: connection.execute(sql.SQL(CONTENT).format(sql.Identifier("public", name))) for name in tables}
    return {name: list(rows.fetchone() or ()) for name, rows in found.items()}


@contextmanager
def program(
    command: Sequence[str], url: str, *, stdin: int = subprocess.DEVNULL, stdout: int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[bytes]]:
    """Run one of PostgreSQL's programs on a database while the context lasts; StartError if it fails.

    The address goes by the environment, where other users do not see its password.
    """
    name, *options = command
    given: Mapping[str, Any] = conninfo_to_dict(url)
    env = {LIBPQ[part]: str(value) for part, value in given.items() if part in LIBPQ and value is not None}
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(  # noqa: S603 ours
            [str(postgres_install() / "bin" / name), *options],
            env={"PATH": os.defpath, **env},
            stdin=stdin,
            stdout=stdout,
            stderr=said,
            preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 one thread, by design
        )
        try:
            yield process
            while process.poll() is None:
                pause()
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            said.seek(0)
            raise StartError(f"{name} failed: {one_line(said.read().decode(errors='replace')[-2000:])}", code=1)


def copy(source: IO[bytes], target: IO[bytes]) -> None:
    """Copy to the end, unless a signal asks to stop."""
    while piece := source.read(PIECE_BYTES):
        target.write(piece)
        pause(0)
