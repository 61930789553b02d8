"""Files of the archive back into the database, in stages: checked, told, and then all of it or nothing."""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from zipfile import Path as ZipPath

import msgspec
from django.db import DatabaseError, connection, transaction
from django.db.backends.utils import CursorWrapper
from msgspec import Raw, Struct

from moneyflow.archive.files import FileError, Manifest, opened, read_lines, read_manifest
from moneyflow.archive.tables import NUMBERS, TABLES, Days, Table
from moneyflow.store import partitions
from raceday.racing_day import racing_day

NO_LIMITS = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"
# As text first, so that a bad value is told and not raised half-way through a file.
STAGE = """
DROP TABLE IF EXISTS pg_temp.staged, pg_temp.read_{name};
CREATE TEMP TABLE staged (number bigserial, line text) ON COMMIT DROP
"""
READ = """
CREATE TEMP TABLE read_{name} ON COMMIT DROP AS
SELECT read.* FROM staged, json_populate_record(NULL::{table}, line::json) AS read ORDER BY number
"""
LOOK = """
SELECT count(*), count(*) FILTER (WHERE NOT ({ranges})), count(*) - count(DISTINCT ({key})) FROM read_{name}
"""
KNOWN = """
SELECT count(*), count(*) FILTER (WHERE to_jsonb(read) - %(numbers)s::text[] <> to_jsonb(stored) - %(numbers)s::text[])
FROM read_{name} AS read JOIN {table} AS stored USING ({key})
"""
WRITE = """
INSERT INTO {table} ({columns}) SELECT {columns} FROM (
    SELECT read.* FROM read_{name} AS read LEFT JOIN {table} AS stored USING ({key})
    WHERE stored.tableoid IS NULL ORDER BY read.ctid) AS unknown
"""
_line = msgspec.json.Decoder(dict[str, Raw])


class Finding(Struct, kw_only=True):
    """What was found of one table in one file. known: rows that are stored already; faults: why nothing is written."""

    file: str
    table: str
    rows: int = 0
    known: int = 0
    faults: list[str]


def read_files(paths: Sequence[Path]) -> list[Finding]:
    """Check files and, unless one has a fault, write all rows that are not stored yet, in one transaction."""
    found: list[Finding] = []
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(NO_LIMITS)
        for path in paths:
            try:
                with opened(path) as folder:
                    found += _read_file(folder, path.name)
            except FileError as fault:
                found.append(Finding(file=path.name, table="", faults=[str(fault)]))
        if any(finding.faults for finding in found):
            transaction.set_rollback(True)
    return found


def _read_file(folder: Path | ZipPath, name: str) -> list[Finding]:
    manifest = read_manifest(folder)
    tables = [table for table in TABLES if table.name in manifest.tables]
    found = [_checked(folder, table, manifest, name) for table in tables]
    if not any(finding.faults for finding in found):
        for table, finding in zip(tables, found, strict=True):
            finding.faults += _write(table)
    return found


def _checked(folder: Path | ZipPath, table: Table, manifest: Manifest, name: str) -> Finding:
    found = Finding(file=name, table=table.name, faults=[])
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            _stage(cursor, table, read_lines(folder, table, manifest.tables[table.name]))
            _look(cursor, table, manifest, found)
    except (FileError, DatabaseError) as fault:
        found.faults.append(str(fault).partition("\n")[0])
    return found


def _stage(cursor: CursorWrapper, table: Table, lines: Iterator[bytes]) -> None:
    """Lay a file's lines into a table of their own, with the types of the real one."""
    columns = set(_columns(cursor, table))
    cursor.execute(STAGE.format(name=table.name))
    with cursor.copy("COPY staged (line) FROM STDIN") as copy:
        for number, line in enumerate(lines, 1):
            copy.write_row((_checked_line(line, columns, f"{table.name}, line {number}"),))
    cursor.execute(READ.format(name=table.name, table=table.table))


def _checked_line(line: bytes, columns: set[str], place: str) -> str:
    try:
        names, text = _line.decode(line).keys(), line.decode()
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise FileError(f"{place}: {fault}") from None
    if names != columns:
        raise FileError(f"{place}: its columns are others, {', '.join(sorted(names ^ columns))}")
    return text


def _look(cursor: CursorWrapper, table: Table, manifest: Manifest, found: Finding) -> None:
    places = {"name": table.name, "table": table.table, "key": table.key, "ranges": _ranges(table)}
    cursor.execute(LOOK.format(**places), Days(*manifest.days).values)
    found.rows, beyond, doubled = cursor.fetchone()
    cursor.execute(KNOWN.format(**places), {"numbers": list(NUMBERS)})
    found.known, others = cursor.fetchone()
    counted = {
        "hold what cannot be, or what is of other days": beyond,
        "are there twice": doubled,
        "are stored already and say something else": others,
    }
    found.faults += [f"{count:,} rows {what}" for what, count in counted.items() if count]


def _ranges(table: Table) -> str:
    at = table.partitioned_by
    return f"{table.ranges} AND {at} >= %(since)s AND {at} < %(until)s" if at else table.ranges


def _write(table: Table) -> list[str]:
    """Write the rows that are not stored yet; return what prevents it."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            if table.partitioned_by:
                _make_partitions(cursor, table)
            columns = ", ".join(name for name in _columns(cursor, table) if name not in NUMBERS)
            cursor.execute(WRITE.format(name=table.name, table=table.table, key=table.key, columns=columns))
    except DatabaseError as fault:
        return [str(fault).partition("\n")[0]]
    return []


def _make_partitions(cursor: CursorWrapper, table: Table) -> None:
    cursor.execute(f"SELECT DISTINCT date_trunc('hour', {table.partitioned_by}) FROM read_{table.name}")  # noqa: S608  # ours
    days = sorted({racing_day(hour) for (hour,) in cursor.fetchall()})
    partitions.apply(partitions.plan(partitions.existing(), days, oldest=date.min))


def _columns(cursor: CursorWrapper, table: Table) -> list[str]:
    return [column.name for column in connection.introspection.get_table_description(cursor, table.table)]
