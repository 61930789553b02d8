"""Other connections than the one that Raceday works on: a snapshot to read at leisure, and another database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import IsolationLevel
from psycopg.conninfo import conninfo_to_dict

PARTS = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}


@contextmanager
def snapshot() -> Iterator[BaseDatabaseWrapper]:
    """Give a connection that sees the database as it was at first, however long its reading takes."""
    database = connections[DEFAULT_DB_ALIAS].copy()
    reading = {"options": "-c default_transaction_read_only=on", "isolation_level": IsolationLevel.REPEATABLE_READ}
    database.settings_dict["OPTIONS"] |= reading
    database.set_autocommit(False)
    try:
        yield database
    finally:
        database.close()


@contextmanager
def working_on(url: str, options: str = "") -> Iterator[BaseDatabaseWrapper]:
    """Have Django work on the database at `url`, without time limits, while the context lasts."""
    before = connections[DEFAULT_DB_ALIAS]
    database = before.copy()
    dsn = conninfo_to_dict(url)
    database.settings_dict |= {name: str(dsn.pop(part, None) or "") for name, part in PARTS.items()}
    database.settings_dict["OPTIONS"] |= {**dsn, "options": options}
    connections[DEFAULT_DB_ALIAS] = database
    try:
        yield database
    finally:
        database.close()
        connections[DEFAULT_DB_ALIAS] = before


def rows_of(database: BaseDatabaseWrapper, statement: str, values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what a statement selects, by column name, a part at a time; inside a transaction."""
    with database.chunked_cursor() as cursor:
        cursor.execute(statement, values)
        names = [column.name for column in cursor.description or ()]
        for row in cursor:
            yield dict(zip(names, row, strict=True))
