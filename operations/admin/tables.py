"""A table as the template operations/table.html draws it."""

from typing import Any, NamedTuple


class Table(NamedTuple):
    """A title, column headers and rows of cells; a cell is text or a link, never None."""

    title: str
    headers: list[str]
    rows: list[list[Any]]
