"""Rows of several tables by one prepared statement, all of one moment: PostgreSQL writes JSON, and msgspec reads it.

One query a table, one model a row and a new plan for each query would cost more than what PostgreSQL does for them.
"""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
import psycopg
from django.db.models import Model

from raceday import replicas

TYPES: Mapping[str, Any] = {
    **dict.fromkeys(("BigAutoField", "BigIntegerField", "IntegerField", "SmallIntegerField"), int),
    **{"TextField": str, "BooleanField": bool, "FloatField": float, "DecimalField": Decimal},
    **{"DateTimeField": datetime, "DateField": date},
}
T = TypeVar("T")


def row_type(model: type[Model], **beside: Any) -> Any:
    """Return a struct with a model's columns, for what `one` and `many` read of its table; beside: more, by type."""
    columns = {str(field.column): TYPES.get(field.get_internal_type(), Any) for field in model._meta.concrete_fields}
    return msgspec.defstruct(model.__name__, [(name, kind | None, None) for name, kind in (columns | beside).items()])


def one(statement: str) -> str:
    """Return the expression for the row that a statement selects, null if there is none."""
    return f"(SELECT to_json(row) FROM ({statement}) AS row)"  # noqa: S608  our own text


def many(statement: str) -> str:
    """Return the expression for all rows that a statement selects, in its order."""
    return f"(SELECT coalesce(json_agg(row), '[]') FROM ({statement}) AS row)"  # noqa: S608  our own text


def together(**parts: str) -> str:
    """Return the statement that selects these expressions by name as one object."""
    named = ",\n".join(f"'{name}', {part}" for name, part in parts.items())
    return f"SELECT json_build_object(\n{named})::text"


def read(statement: str, parameters: Mapping[str, Any], decoder: msgspec.json.Decoder[T]) -> T:
    """Return what a statement selects in its one row and column."""
    with prepared() as cursor:
        cursor.execute(statement, parameters)
        (found,) = cursor.fetchone()
    return decoder.decode(found)


def prepared() -> Any:
    """Return a cursor like Django's own, but whose statements are planned once a connection: Django binds them itself.

    It comes from Django, which checks that a kept connection still lives and notes a fault. Otherwise Django would hand
    out a dead connection for ever.
    """
    found: Any = replicas.connection().cursor()
    found.cursor.close()
    found.cursor = psycopg.Cursor(found.db.connection)
    return found
