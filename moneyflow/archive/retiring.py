"""Partitions past their retention into files: written, read back and compared, and only then dropped."""

import os
from functools import partial
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import msgspec
from django.db import connection
from psycopg import sql

from moneyflow.archive.databases import snapshot
from moneyflow.archive.files import (
    MANIFEST,
    FileError,
    Manifest,
    Show,
    file_of,
    lines_of,
    opened,
    read_lines,
    read_manifest,
    write_lines,
)
from moneyflow.archive.tables import TABLES
from moneyflow.store.partitions import Partition

BY_TABLE = {table.table: table for table in TABLES}


def retire(partition: Partition, folder: Path, show: Show) -> Path:
    """Write a detached partition to a new file and drop it; FileError, and no drop, if what is read back differs."""
    path = folder / f"{partition.name}.zip"
    if path.exists():
        raise FileError(f"{path.name} is there already")
    part = path.with_suffix(".part")
    try:
        write_file(partition, part, show)
        check_file(partition, part)
        with part.open("rb") as file:
            os.fsync(file.fileno())  # the table is dropped for good
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(partition.name)))
    return path


def write_file(partition: Partition, path: Path, show: Show) -> None:
    """Write a partition's rows and their manifest to a zip."""
    table = BY_TABLE[partition.parent]
    select = f"SELECT * FROM {partition.name} ORDER BY {table.order}"  # noqa: S608  # names of ours
    with snapshot() as source, ZipFile(path, "w", ZIP_DEFLATED) as archive:
        with archive.open(file_of(table), "w", force_zip64=True) as file:
            content = write_lines(file, lines_of(source, select, None), partial(show, partition.name))
        manifest = Manifest(days=(partition.day, partition.day), tables={table.name: content})
        archive.writestr(MANIFEST, msgspec.json.encode(manifest))


def check_file(partition: Partition, path: Path) -> None:
    """Read a file from end to end; FileError unless it holds as many rows as the partition, with their checksum."""
    table = BY_TABLE[partition.parent]
    with opened(path) as folder:
        read = sum(1 for _ in read_lines(folder, table, read_manifest(folder).tables[table.name]))
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(partition.name)))
        (stored,) = cursor.fetchone()
    if read != stored:
        raise FileError(f"{partition.name} holds {stored:,} rows, and its file {read:,}")
