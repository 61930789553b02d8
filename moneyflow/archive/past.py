"""A database whose `now()` is the instant that it is told: what is written again gets its old time stamps."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import connection

# A connection that looks here first finds our now() before PostgreSQL's own.
OPTIONS = "-c search_path=public,pg_catalog"
NOW = """
CREATE FUNCTION public.now() RETURNS timestamptz LANGUAGE sql STABLE
AS $$ SELECT current_setting('raceday.now')::timestamptz $$
"""
# The defaults of columns stay with the function that they were written for.
DEFAULTS = """
SELECT format('ALTER TABLE %%s ALTER COLUMN %%I SET DEFAULT %%s.now()', attrelid::regclass, attname, %s::text)
FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
WHERE pg_get_expr(adbin, adrelid) IN ('now()', 'pg_catalog.now()')
"""


@contextmanager
def told_time() -> Iterator[None]:
    """Let `tell_time` say what `now()` is while the context lasts. Django's connection must have our OPTIONS."""
    with connection.cursor() as cursor:
        cursor.execute(NOW)
    _default_to("public")
    try:
        yield
    finally:
        _default_to("pg_catalog")
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION public.now()")


def tell_time(instant: datetime) -> None:
    """Make an instant the time of all that this connection writes next."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('raceday.now', %s, false)", [instant.isoformat()])


def _default_to(schema: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(DEFAULTS, [schema])
        for (statement,) in cursor.fetchall():
            cursor.execute(statement)
