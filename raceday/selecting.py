"""Reads what a plain statement selects."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection


def select(statement: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[dict[str, Any]]:
    """Return what a statement selects, by column name."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
