"""How often alerts were right, as the record's page shows it: from our archive, and from simulation, never mixed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from moneyflow.alerts.record import BUDGETS, a_day, by_severity, share_if_any
from moneyflow.alerts.store import count_ended_races, read_bins, read_record
from moneyflow.late_money.artefact import shipped
from moneyflow.late_money.evaluation import evaluation
from moneyflow.models import LateMoneyCalibration

EDGES = (0, 5, 10, 20, 40)  # of the bins, in percent of the Win pool
WIDTH, HEIGHT, EDGE = 420, 300, 44
TICKS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A bin on the sheet of a plot: where its share of winners and the ends of its interval lie."""

    x: float
    y: float
    low_y: float
    high_y: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A plot of winners against what was expected, both in percent from 0 to `top`, in units of its view box."""

    ticks: Sequence[tuple[float, float, str]]  # across, up, label
    final: Sequence[Point]
    raised: Sequence[Point]


def own_record() -> dict[str, Any]:
    """Return what our archive says: by severity, in bins, alerts a day, and winners without an alert."""
    races = count_ended_races()
    final, raised = _bins(is_final=True), _bins(is_final=False)
    return {
        "buckets": by_severity(read_record()),
        "final": final,
        "raised": raised,
        "plot": plot_of(final, raised) if final or raised else None,
        "races": races,
        "a_day": [
            (budget, races[f"severity_{severity}"], a_day(share_if_any(races[f"severity_{severity}"], races["races"])))
            for severity, budget in BUDGETS.items()
        ],
        "won_by_others": races["races"] - races["won_by_alerted"],
        "calibration": LateMoneyCalibration.objects.first(),
    }


def simulated_record() -> dict[str, Any]:
    """Return what simulated races and replayed crowds say of the shipped artefact; without it, nothing."""
    artefact, found = shipped(), evaluation()
    if artefact is None or artefact.name != found.artefact:
        return {}
    simulated = [world for world in found.worlds if not world.is_replayed]
    replayed = [world for world in found.worlds if world.is_replayed]
    return {"artefact": artefact, "groups": (("Simulated worlds", simulated), ("Replayed crowds", replayed))}


def _bins(*, is_final: bool) -> list[dict[str, Any]]:
    """Return the bins with their winners in percent, as a share with its interval."""
    ends = (*EDGES[1:], 100)
    return [
        {
            **row,
            "label": f"{EDGES[row['bin'] - 1]}–{ends[row['bin'] - 1]} %",
            "share": share_if_any(row["won"], row["settled"]),
        }
        for row in read_bins(EDGES, is_final=is_final)
    ]


def plot_of(final: Sequence[dict[str, Any]], raised: Sequence[dict[str, Any]]) -> Plot:
    """Lay out bins on a square of percentages, wide enough for the largest."""
    largest = max(max(row["expected"], 100 * row["share"].high) for row in (*final, *raised))
    top = min(100, 20 * (1 + largest // 20))
    ticks = [
        (_across(top * step / TICKS, top), _up(top * step / TICKS, top), f"{top * step / TICKS:.0f}")
        for step in range(TICKS + 1)
    ]
    return Plot(ticks=ticks, final=[_point(row, top) for row in final], raised=[_point(row, top) for row in raised])


def _point(row: dict[str, Any], top: float) -> Point:
    share = row["share"]
    return Point(
        x=_across(row["expected"], top),
        y=_up(100 * share.value, top),
        low_y=_up(100 * share.low, top),
        high_y=_up(100 * share.high, top),
        label=f"{row['won']} of {row['settled']}",
    )


def _across(percentage: float, top: float) -> float:
    return round(EDGE + percentage / top * (WIDTH - EDGE - 12), 1)


def _up(percentage: float, top: float) -> float:
    return round(HEIGHT - EDGE - percentage / top * (HEIGHT - EDGE - 12), 1)
