"""What a benchmark returns: figures, some with a target, and the conditions under which they were taken."""

import math
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.db import connection
from msgspec import Struct

from raceday import clock
from raceday.queue.broker import valkey

SERVER_SETTINGS = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "wal_sync_method")


class BenchmarkError(RuntimeError):
    """A sentence that says why a benchmark cannot measure."""


class Figure(Struct, frozen=True, kw_only=True):
    """One measured figure. With one of the marks it has a target; otherwise it is only shown.

    A mark for processor time was set on a machine of another speed: then the most is `at_most_paced` · `slowness`.
    """

    name: str
    what: str
    figure: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    at_most_paced: float | None = None
    slowness: float = 1.0  # of this machine; see benchmarks.yardstick

    def is_met(self) -> bool | None:
        """Tell whether the target is met; None if there is none."""
        if self.at_least is None and self.most() is None:
            return None
        most = self.most()
        return (self.at_least or -math.inf) <= self.figure <= (math.inf if most is None else most)

    def most(self) -> float | None:
        """Return what the figure may be at most, here and now."""
        return self.at_most if self.at_most_paced is None else self.at_most_paced * self.slowness


def percentile(numbers: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile, share 0–1, of one number or more.

    >>> percentile([4.0, 1.0, 3.0, 2.0], 0.5)
    2.0
    """
    return sorted(numbers)[max(math.ceil(len(numbers) * share) - 1, 0)]


def conditions(load_average: tuple[float, float, float]) -> dict[str, Any]:
    """Tell what the figures depend on; `load_average` is the one before anything was started."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(SERVER_SETTINGS)])
        server = dict(cursor.fetchall())
    return {
        "date": clock.now().isoformat(timespec="seconds"),
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "python": platform.python_version(),
        "postgresql": server.pop("server_version"),
        **server,
        "valkey": valkey().info("server")["redis_version"],
        "load_average_at_start": [round(load, 2) for load in load_average],
    }


def table(figures: Sequence[Figure]) -> str:
    """Lay figures out for a person to read."""
    rows = [("name", "what", "figure", "mark", "met?")]
    rows += [(each.name, each.what, f"{each.figure:.4g} {each.unit}", _mark(each), _met(each)) for each in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def record(figures: Sequence[Figure], told: dict[str, Any]) -> dict[str, Any]:
    """Make the record of a run: {conditions, figures[{name, what, figure, unit, …}], is_met}."""
    rows = [
        {name: getattr(each, name) for name in each.__struct_fields__} | {"is_met": each.is_met()} for each in figures
    ]
    return {"conditions": told, "figures": rows, "is_met": is_met(figures)}


def is_met(figures: Sequence[Figure]) -> bool:
    """Tell whether no target was missed."""
    return all(each.is_met() is not False for each in figures)


def _mark(figure: Figure) -> str:
    if figure.at_least is not None:
        return f"≥ {figure.at_least:g}"
    if figure.at_most_paced is not None:
        return f"≤ {figure.at_most_paced:g} × {figure.slowness:.2f}"
    return "" if figure.at_most is None else f"≤ {figure.at_most:g}"


def _met(figure: Figure) -> str:
    return {None: "", True: "yes", False: "MISSED"}[figure.is_met()]


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
