"""Files of the archive: a folder, or a zip, with rows as NDJSON and a manifest that counts and names what they hold.

PostgreSQL writes each row as JSON and reads it again, so nothing is lost on the way. The manifest comes last: without
it a file is not whole.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile, ZipFile
from zipfile import Path as ZipPath

import msgspec
from django.db.backends.base.base import BaseDatabaseWrapper
from msgspec import Struct

from moneyflow.archive.tables import TABLES, Table

MANIFEST = "manifest.json"
VERSION = 1
Show = Callable[[str, int], None]  # a table's name, and how many of its rows are done


class FileError(ValueError):
    """A file is not what it should be; says why."""


class Content(Struct, frozen=True):
    """What a file of rows holds: their number, and the SHA-256 of its bytes."""

    rows: int
    sha256: str


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an export or an archive holds, by table."""

    version: int = VERSION
    days: tuple[date, date]
    tables: dict[str, Content]


def lines_of(database: BaseDatabaseWrapper, select: str, values: dict[str, Any] | None) -> Iterator[bytes]:
    """Yield each row that a statement selects as a line of JSON."""
    with database.chunked_cursor() as cursor:
        cursor.execute(f"SELECT row_to_json(line)::text FROM ({select}) AS line", values)  # noqa: S608  # ours
        for (line,) in cursor:
            yield line.encode() + b"\n"


def write_lines(file: IO[bytes], lines: Iterable[bytes], show: Callable[[int], None]) -> Content:
    """Write lines and return what they are."""
    count, digest = 0, sha256()
    show(count)
    for line in lines:
        file.write(line)
        digest.update(line)
        count += 1
        show(count)
    return Content(count, digest.hexdigest())


def read_lines(folder: Path | ZipPath, table: Table, content: Content) -> Iterator[bytes]:
    """Yield a table's lines; FileError at the end if they are not those of the manifest."""
    count, digest = 0, sha256()
    try:
        with (folder / file_of(table)).open("rb") as file:
            for line in file:
                count += 1
                digest.update(line)
                yield line
    except (OSError, BadZipFile, zlib.error) as fault:
        raise FileError(f"{table.name}: {fault}") from None
    if (count, digest.hexdigest()) != (content.rows, content.sha256):
        raise FileError(f"{table.name}: the manifest has {content.rows:,} rows, and these {count:,} are not they")


def file_of(table: Table) -> str:
    """Return the name of a table's file."""
    return f"{table.name}.ndjson"


def read_manifest(folder: Path | ZipPath) -> Manifest:
    """Return what a folder or a zip says that it holds; FileError if it is none of ours."""
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as fault:
        raise FileError(f"it has no manifest that can be read: {fault}") from None
    if manifest.version != VERSION:
        raise FileError(f"it is of version {manifest.version}; this Raceday reads version {VERSION}")
    if unknown := manifest.tables.keys() - {table.name for table in TABLES}:
        raise FileError(f"it has tables that this Raceday does not know: {', '.join(sorted(unknown))}")
    return manifest


@contextmanager
def opened(path: Path) -> Iterator[Path | ZipPath]:
    """Open a folder or a zip for reading; FileError if it is neither."""
    if path.is_dir():
        yield path
        return
    try:
        file = ZipFile(path)
    except (OSError, BadZipFile) as fault:
        raise FileError(f"it cannot be opened: {fault}") from None
    with file:
        yield ZipPath(file)
