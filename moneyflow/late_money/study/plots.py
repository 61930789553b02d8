"""Plots of the record as SVG: what is found by stake, and how far p-values can be believed."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

WIDTH, HEIGHT, EDGE = 420, 300, 44
COLOURS = ("#0b6e4f", "#c8553d", "#3d5a80", "#8d6a9f", "#b08900", "#6b7280", "#1b998b", "#444444")
Point = tuple[float, float]


def write_plots(records: dict[str, Any], folder: Path) -> None:
    """Write `recall.svg` and `reliability.svg` for the worlds of a record."""
    folder.mkdir(parents=True, exist_ok=True)
    recall = {
        name: [(float(stake[:-1]) / 20, cell["found"]["4"]["value"]) for stake, cell in found.items()]
        for name, record in records.items()
        for found in [record["detectors"]["late money"]]
    }
    first = next(iter(records))
    recall[f"{first}: scan S"] = [
        (float(stake[:-1]) / 20, cell["found"]["4"]["value"])
        for stake, cell in records[first]["detectors"]["scan S"].items()
    ]
    labels = ("stake, % of the pool", "found before the close, 4 false-alert races a day")
    (folder / "recall.svg").write_text(plot(recall, labels, across=20))
    reliability = {
        name: [(float(nominal), seen) for nominal, seen in record["calibration"]["reliability"].items()]
        for name, record in records.items()
        if record["calibration"]
    }
    labels = ("p-value said", "share of ordinary races that reach it")
    (folder / "reliability.svg").write_text(plot(reliability, labels, diagonal=True))


def plot(lines: dict[str, list[Point]], labels: tuple[str, str], *, diagonal: bool = False, across: int = 1) -> str:
    """Return an SVG of lines over the unit square, with a legend; `across` is what 1 stands for on the first axis."""
    height = HEIGHT + 14 * len(lines)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif"',
        ' font-size="10">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        *_axes(labels, across),
    ]
    if diagonal:
        parts.append(_line([(0, 0), (1, 1)], "#bbbbbb"))
    for number, (name, points) in enumerate(lines.items()):
        colour, y = COLOURS[number % len(COLOURS)], HEIGHT + 14 * number
        parts.append(_line(points, colour))
        parts.append(f'<rect x="{EDGE}" y="{y}" width="10" height="8" fill="{colour}"/>')
        parts.append(f'<text x="{EDGE + 16}" y="{y + 8}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _axes(labels: tuple[str, str], across: int) -> Iterable[str]:
    for tick in range(0, 11, 2):
        x, y = _place((tick / 10, tick / 10))
        yield f'<path d="M{x:.0f} {HEIGHT - EDGE}V10M{EDGE} {y:.0f}H{WIDTH - 10}" stroke="#eeeeee"/>'
        yield f'<text x="{x:.0f}" y="{HEIGHT - EDGE + 12}" text-anchor="middle">{tick * across / 10:g}</text>'
        yield f'<text x="{EDGE - 5}" y="{y + 3:.0f}" text-anchor="end">{tick / 10:g}</text>'
    yield f'<text x="{WIDTH / 2:.0f}" y="{HEIGHT - 16}" text-anchor="middle">{labels[0]}</text>'
    yield f'<text transform="translate(12 {HEIGHT / 2 - 10:.0f}) rotate(-90)" text-anchor="middle">{labels[1]}</text>'


def _line(points: Iterable[Point], colour: str) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(_place, points))
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'


def _place(point: Point) -> Point:
    return EDGE + point[0] * (WIDTH - EDGE - 10), HEIGHT - EDGE - point[1] * (HEIGHT - EDGE - 10)
