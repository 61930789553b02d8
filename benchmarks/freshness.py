"""How old the newest stored reading is in a race's last five minutes, over the age that the feed itself gives it.

First many races are polled in a simulation of the poller's plan, with the same refreshes for each way to poll them.
Then the poller, a feed and writers poll some races as they are, once.
"""

from collections.abc import Sequence
from itertools import zip_longest

import numpy as np

from benchmarks.figures import Figure
from benchmarks.fresh_plan import SOURCES, WAYS, Followed, Source, simulated
from benchmarks.fresh_races import poll

RACES = 100
STEP_SECONDS = 0.1
SINCE_SECONDS = 30.0  # of the last five minutes, when each way has polled a race
MARKS = (1.5, 4.0)
MOST_WORSE_SECONDS = 0.2  # what a sample of so many races may differ by


def ages(followed: Sequence[Followed], since: float) -> tuple[float, float]:
    """Return the median and the 95th percentile of readings' ages, each over the one that the feed itself gives."""
    stored, newest = [], []
    for race in followed:
        times = np.arange(since, race.closes_after, STEP_SECONDS)
        at, shown = np.array(race.stored).T
        place = np.searchsorted(at, times, "right") - 1
        seen = place >= 0
        stored.append((times - shown[place])[seen])
        newest.append((times - race.refreshes[np.searchsorted(race.refreshes, times, "right") - 1])[seen])
    of_readings, of_feed = np.concatenate(stored), np.concatenate(newest)
    over = np.quantile(of_readings, [0.5, 0.95]) - np.quantile(of_feed, [0.5, 0.95])
    return float(over[0]), float(over[1])


def measure(rounds: int | None) -> list[Figure]:
    """Poll so many simulated races of each source in each way, and some races as they are."""
    found: list[Figure] = []
    for source in SOURCES:
        found += _figures(source, {name: simulated(source, way, rounds or RACES) for name, way in WAYS.items()})
    return found + _figures_of("freshness.15_s.real", "races of the simulator, with real processes", poll(), MARKS)


def _figures(source: Source, ways: dict[str, list[Followed]]) -> list[Figure]:
    """Hold the beat against the marks, or against the 5 s grid; its requests always against that grid."""
    half, most = ages(ways["5_s_grid"], SINCE_SECONDS)
    marks = MARKS if source.name == "15_s" else (half + MOST_WORSE_SECONDS, most + MOST_WORSE_SECONDS)
    found = []
    for name, races in ways.items():
        limits = (*marks, _requests(ways["5_s_grid"])) if name == "beat" else (None, None, None)
        found += _figures_of(f"freshness.{source.name}.{name}", "simulated races", races, limits)
    return found


def _figures_of(name: str, what: str, races: Sequence[Followed], marks: Sequence[float | None]) -> list[Figure]:
    half, most = ages(races, SINCE_SECONDS)
    rows = (
        ("p50", f"age of the newest reading over the feed's own, {len(races)} {what}", half, "s"),
        ("p95", "the same", most, "s"),
        ("requests", "a race, in its last five minutes and until it closes", _requests(races), "requests"),
    )
    return [
        Figure(name=f"{name}.{part}", what=told, figure=figure, unit=unit, at_most=mark)
        for (part, told, figure, unit), mark in zip_longest(rows, marks)
    ]


def _requests(races: Sequence[Followed]) -> float:
    return sum(race.polls for race in races) / len(races)
