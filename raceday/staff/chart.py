"""Where the lines of a chart over time lie on its sheet. PURE; the template beside it draws them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from raceday.racing_day import NZ

WIDTH, HEIGHT = 900, 340
LEFT, RIGHT, TOP, BOTTOM = 44, 872, 12, 312
COLOURS = (
    "#e6194b", "#4363d8", "#3cb44b", "#f58231", "#911eb4", "#00a3b4",
    "#c2a500", "#f032e6", "#7b4a12", "#6b7f00", "#008080", "#808080",
)  # fmt: skip
DASHES = ("", "7 4", "2 3")  # the second and third dozen lines
STEPS_MINUTES = (1, 2, 5, 10, 15, 30, 60, 120, 240, 480)
MOST_TICKS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A line's name and its readings in the order of time; values are percentages from 0."""

    name: str
    readings: Sequence[tuple[datetime, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    name: str
    colour: str
    dash: str
    path: str
    end: tuple[float, float]
    last: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Lines, ticks and mark in units of the sheet's view box; `mark_at` is None when it lies off the sheet."""

    lines: tuple[Line, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    mark_at: float | None


def _path(points: Sequence[tuple[float, float]]) -> str:
    """Draw a line with one point, the last, for each unit of width: nobody could see more."""
    columns = {round(x): f"{round(x)} {round(y)}" for x, y in points}
    return "M" + "L".join(columns.values())


def _minutes(since: datetime, until: datetime) -> list[datetime]:
    """Return the round NZ minutes in the span, at most MOST_TICKS of them."""
    minutes = (until - since).total_seconds() / 60
    step = next((step for step in STEPS_MINUTES if minutes / step <= MOST_TICKS), STEPS_MINUTES[-1])
    local = since.astimezone(NZ)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    first = -(-(local - midnight).total_seconds() // (step * 60))
    ticks = (midnight + timedelta(minutes=step) * (first + number) for number in range(MOST_TICKS + 1))
    return [tick for tick in ticks if tick <= until]


def lay_out(series: Sequence[Series], *, mark: datetime) -> Chart | None:
    """Lay the series out on one sheet, with an upright mark at an instant; None without readings."""
    drawn = [one for one in series if one.readings]
    if not drawn:
        return None
    since = min(one.readings[0][0] for one in drawn)
    until = max(*(one.readings[-1][0] for one in drawn), since + timedelta(minutes=1))
    top = 20 * (1 + max(value for one in drawn for _, value in one.readings) // 20)

    def x(at: datetime) -> float:
        return round(LEFT + (at - since) / (until - since) * (RIGHT - LEFT), 1)

    def y(value: float) -> float:
        return round(BOTTOM - value / top * (BOTTOM - TOP), 1)

    lines = tuple(
        Line(
            name=one.name,
            colour=COLOURS[number % len(COLOURS)],
            dash=DASHES[number // len(COLOURS) % len(DASHES)],
            path=_path([(x(at), y(value)) for at, value in one.readings]),
            end=(x(one.readings[-1][0]), y(one.readings[-1][1])),
            last=one.readings[-1][1],
        )
        for number, one in enumerate(drawn)
    )
    return Chart(
        lines=lines,
        across=tuple(Tick(at=x(tick), label=f"{tick:%H:%M}") for tick in _minutes(since, until)),
        up=tuple(Tick(at=y(value), label=f"{value:.0f} %") for value in (0, top / 4, top / 2, top * 3 / 4, top)),
        mark_at=x(mark) if since <= mark <= until else None,
    )
