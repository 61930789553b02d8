"""What a race's page shows of the money on each runner: in the pool, lately, and in columns of time. PURE."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from moneyflow.transform.flow import bucket
from raceday.staff.chart import Series

LATELY_MS = 60_000
SPARK_MS = 15 * 60_000
SPARK_WIDTH, SPARK_HEIGHT = 70, 20
COLUMNS = 14  # the newest of the timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """A runner of the page. Money in cents, the share in percent of the Win pool; None where the feed does not say.

    lately: what came on it in the last minute of readings; expected: the part of all that came which its share before
    would have brought. spark: points of a line over a quarter of an hour.
    """

    entrant: Mapping[str, Any]
    cents: int | None
    share: float | None
    lately: int | None
    expected: float | None
    spark: str
    severity: int
    direction: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Money that came on a runner in a slot of time, and by how many points its share of the slot's money rose."""

    cents: int | None
    points: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Slots of time in minutes to the advertised start, and for each runner a cell a slot."""

    slots: Sequence[Decimal]
    rows: Sequence[tuple[Runner, Sequence[Cell]]]


def amounts_of(
    entrants: Sequence[Mapping[str, Any]], history: Mapping[str, Any], alerts: Sequence[Mapping[str, Any]]
) -> list[Runner]:
    """Return the runners in the order of the entrants, from a history as columns."""
    times, money = columns_of(history, "win_pool_amount")
    _, shares = columns_of(history, "win_pool_percentage")
    lately = next((place for place, at in enumerate(times) if at >= times[-1] - LATELY_MS), 0)
    came = {entrant_id: _came(column, lately) for entrant_id, column in money.items()}
    total = sum(cents for cents in came.values() if cents is not None)
    worst = {alert["entrant_id"]: alert["severity"] for alert in sorted(alerts, key=lambda alert: alert["severity"])}
    return [
        Runner(
            entrant=entrant,
            cents=_last(money.get(entrant["entrant_id"], [])),
            share=_last(column := shares.get(entrant["entrant_id"], [])),
            lately=came.get(entrant["entrant_id"]),
            expected=total * before / 100 if (before := _value(column, lately)) is not None else None,
            spark=spark_of(times, column),
            severity=worst.get(entrant["entrant_id"], 0),
            direction=_direction(column, lately),
        )
        for entrant in entrants
    ]


def timeline_of(runners: Sequence[Runner], history: Mapping[str, Any], start: datetime) -> Timeline:
    """Return the money that came on each runner in each of the newest slots of time, as the client app shows it."""
    times, money = columns_of(history, "win_pool_amount")
    ends: dict[Decimal, int] = {bucket(round(start.timestamp() - at / 1000)): place for place, at in enumerate(times)}
    slots = list(ends)[-COLUMNS - 1 :]
    came = {
        runner.entrant["entrant_id"]: [
            _difference(money.get(runner.entrant["entrant_id"], []), ends[before], ends[slot])
            for before, slot in pairwise(slots)
        ]
        for runner in runners
    }
    totals = [sum(max(0, cents or 0) for cents in slot) for slot in zip(*came.values(), strict=True)]
    rows = [(runner, _cells(came[runner.entrant["entrant_id"]], totals)) for runner in runners]
    return Timeline(slots=slots[1:], rows=rows)


def share_lines(runners: Sequence[Runner], history: Mapping[str, Any]) -> list[Series]:
    """Return each runner's share of the Win pool over time, as lines of a chart."""
    times, shares = columns_of(history, "win_pool_percentage")
    instants = [datetime.fromtimestamp(at / 1000, UTC) for at in times]
    named = {str(runner.entrant["runner_number"]): shares.get(runner.entrant["entrant_id"], []) for runner in runners}
    return [
        Series(name=name, readings=[pair for pair in zip(instants, column, strict=False) if pair[1] is not None])
        for name, column in named.items()
    ]


def columns_of(history: Mapping[str, Any], name: str) -> tuple[list[int], dict[str, list[Any]]]:
    """Return the instants in epoch milliseconds, and one column of each entrant."""
    return history["timestamps"], {entrant["entrant_id"]: entrant[name] for entrant in history["entrants"]}


def spark_of(times: Sequence[int], column: Sequence[float | None]) -> str:
    """Return the points of a small line over the newest quarter of an hour of a column; "" for fewer than two."""
    if len(times) != len(column):
        return ""
    points = [(at, value) for at, value in zip(times, column, strict=True) if value is not None]
    points = [(at, value) for at, value in points if at >= times[-1] - SPARK_MS]
    if len(points) < 2 or points[0][0] == points[-1][0]:
        return ""
    low, high = min(value for _, value in points), max(value for _, value in points)
    since, until = points[0][0], points[-1][0]
    return " ".join(
        f"{(at - since) / (until - since) * (SPARK_WIDTH - 2) + 1:.0f},"
        f"{SPARK_HEIGHT - 2 - (value - low) / ((high - low) or 1) * (SPARK_HEIGHT - 4):.1f}"
        for at, value in points
    )


def _cells(came: Sequence[int | None], totals: Sequence[int]) -> list[Cell]:
    parts = [
        None if cents is None or not total else 100 * max(0, cents) / total
        for cents, total in zip(came, totals, strict=True)
    ]
    befores = [None, *parts][: len(parts)]
    rises = [
        None if after is None or before is None else after - before
        for before, after in zip(befores, parts, strict=True)
    ]
    return [Cell(cents=cents, points=points) for cents, points in zip(came, rises, strict=True)]


def _value(column: Sequence[Any], place: int) -> Any:
    return column[place] if place < len(column) else None


def _last(column: Sequence[Any]) -> Any:
    return column[-1] if column else None


def _difference(column: Sequence[Any], before: int, after: int) -> Any:
    first, last = _value(column, before), _value(column, max(after, 0))
    return None if first is None or last is None else last - first


def _came(column: Sequence[Any], since: int) -> Any:
    return _difference(column, since, len(column) - 1)


def _direction(column: Sequence[Any], since: int) -> str:
    moved = _came(column, since)
    return "" if moved is None or abs(moved) < 0.5 else "▲" if moved > 0 else "▼"
