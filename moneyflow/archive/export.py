"""Racing days as files for other programs: NDJSON, which Raceday reads again, CSV and Parquet."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from sys import executable
from typing import Any

import msgspec
from django.db.backends.base.base import BaseDatabaseWrapper

from moneyflow.archive.files import MANIFEST, Content, Manifest, Show, file_of, lines_of, write_lines
from moneyflow.archive.tables import TABLES, Days

BATCH = 10_000
# PostgreSQL's types by OID; any other becomes a string, JSON if it has parts.
ARROW_TYPES = {16: "bool", 17: "binary", 20: "int64", 21: "int64", 23: "int64", 701: "float64", 1700: "float64"}
ARROW_TYPES |= {1082: "date32", 1184: "timestamp[us, tz=UTC]"}
_json = msgspec.json.Encoder(decimal_format="number")
Write = Callable[[BaseDatabaseWrapper, Days, Path, Show], None]


class NoParquetError(RuntimeError):
    """The package that writes Parquet is not installed."""


def write_ndjson(source: BaseDatabaseWrapper, days: Days, folder: Path, show: Show) -> None:
    """Write each table's rows as lines of JSON, and the manifest last."""
    contents: dict[str, Content] = {}
    for table in TABLES:
        with (folder / file_of(table)).open("xb") as file:
            lines = lines_of(source, table.select, days.values)
            contents[table.name] = write_lines(file, lines, partial(show, table.name))
    manifest = Manifest(days=(days.first, days.last), tables=contents)
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))


def write_csv(source: BaseDatabaseWrapper, days: Days, folder: Path, show: Show) -> None:
    """Write each table's rows below a line with their names; what is not known is empty."""
    for table in TABLES:
        with (folder / f"{table.name}.csv").open("xb") as file, source.cursor() as cursor:
            statement = cursor.mogrify(f"COPY ({table.select}) TO STDOUT (FORMAT csv, HEADER)", days.values)
            with cursor.copy(statement) as rows:
                for block in rows:
                    file.write(block)
            show(table.name, cursor.rowcount)


def write_parquet(source: BaseDatabaseWrapper, days: Days, folder: Path, show: Show) -> None:
    """Write each table with typed columns: odds and percentages are floats, instants are UTC."""
    try:
        pa, pq = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        how = f"{executable} -m pip install -r requirements-parquet.txt"
        raise NoParquetError(f"Parquet needs pyarrow: {how}") from None
    for table in TABLES:
        with source.chunked_cursor() as cursor:
            cursor.execute(table.select, days.values)
            kinds = [(column.name, ARROW_TYPES.get(column.type_code, "string")) for column in cursor.description or ()]
            schema = pa.schema([(name, _arrow_type(pa, kind)) for name, kind in kinds])
            with pq.ParquetWriter(folder / f"{table.name}.parquet", schema, compression="zstd") as writer:
                done = 0
                while rows := cursor.fetchmany(BATCH):
                    columns = zip(*rows, strict=True)
                    arrays = [
                        pa.array([_plain(value, kind) for value in column], schema.field(name).type)
                        for column, (name, kind) in zip(columns, kinds, strict=True)
                    ]
                    writer.write_batch(pa.record_batch(arrays, schema=schema))
                    show(table.name, done := done + len(rows))
                show(table.name, done)


def _arrow_type(pa: Any, kind: str) -> Any:
    return pa.timestamp("us", tz="UTC") if kind.startswith("timestamp") else pa.type_for_alias(kind)


def _plain(value: Any, kind: str) -> Any:
    """Return a value as pyarrow takes it."""
    if value is None or kind in {"int64", "bool", "date32"}:
        return value
    if kind == "float64":
        return float(value)
    if kind == "binary":
        return bytes(value)
    return value if kind != "string" or isinstance(value, str) else _json.encode(value).decode()


FORMATS: dict[str, Write] = {"ndjson": write_ndjson, "csv": write_csv, "parquet": write_parquet}
