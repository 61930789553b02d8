"""Days of racing at speed: memory that stays flat, partitions that are made and detached, nothing that dies.

A demo of its own runs 120 times faster than life, and polls so much less often that the machine keeps up. `--days 7` is
the whole week, 84 minutes of real time; without it, 26 hours in 13 minutes: there is a midnight in them, but caches
still fill, so that the slopes of memory have no mark.
"""

import math
import re
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import fmean, linear_regression
from typing import NamedTuple

import psutil  # type: ignore[import-untyped]
import psycopg

from benchmarks.figures import BenchmarkError, Figure
from faults.tree import FaultsError, Tree, free_port
from moneyflow.store.partitions import PARENTS, RUNWAY_DAYS
from raceday.racing_day import racing_day

SPEED = 120
SHORT_DAYS = 26 / 24
DAY_SECONDS = 86_400
RETENTION_DAYS = 2  # the least there is, so that the first midnight detaches a day
CADENCES = {"FAR": 900, "NEAR": 300, "SOON": 120, "CLOSING": 60, "SETTLING": 120}
SETTINGS = {f"CADENCE_{name}_SECONDS": str(seconds) for name, seconds in CADENCES.items()}
SETTINGS |= dict.fromkeys(("HISTORY_RETENTION_DAYS", "ANSWERS_RETENTION_DAYS"), str(RETENTION_DAYS))
SETTINGS["LOG_LEVEL"] = "WARNING"
LOOK_SECONDS = 5.0
MB = 1e6
FILLING_DAYS = 3.0  # until the log of events is full, which streams and Valkey hold; before that nothing can be flat
BLOCKS, STUDENT_T = 12, 2.228  # of whose means a slope is taken; 95 %, two-sided, for BLOCKS − 2 degrees of freedom
MOST_MB_A_DAY = 2.0  # that memory may be proven to grow
BOUNDED = ("postgres", "valkey", "simulator")  # by their settings; the last one is no part of the product
PROGRAMS = {"raceday.web": "web", "config.asgi": "stream", "raceday.simulator": "simulator"}
SERVERS = ("postgres", "valkey")
ENDED = re.compile(r"\S+ ended with code -?\d+")  # as the supervisor says it
ATTACHED = "SELECT relname FROM pg_class JOIN pg_inherits ON inhrelid = oid WHERE relkind = 'r' ORDER BY 1"
OUTCOMES = "SELECT outcome, count(*) FROM poll_runs GROUP BY 1"
ARCHIVE = """
SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint, pg_database_size(current_database())
FROM pg_class WHERE relkind = 'r' AND relname LIKE 'feed_answers_%'
"""
ARCHIVE_MARK_MB = 150  # a day
FAULTS = ("crashed", "no_partition", "parse_error")

Samples = list[tuple[float, float]]  # simulated days since the start, megabytes


class Slope(NamedTuple):
    """Growth a day, and the bounds between which it is with 95 % confidence."""

    a_day: float
    least: float
    most: float


class Soak:
    """A tree under way: its memory by program, and the days that had partitions at the start."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.began = tree.clocks[-1].timestamp()
        self.memory: dict[str, Samples] = defaultdict(list)
        self.days = sorted(attached_days(tree))

    def day(self) -> float:
        """Return how many days have been simulated."""
        return (self.tree.clocks[-1].timestamp() - self.began) / DAY_SECONDS

    def today(self) -> date:
        return racing_day(datetime.fromtimestamp(self.tree.clocks[-1].timestamp(), UTC))

    def look(self) -> None:
        """Note the memory of each program now."""
        used: Counter[str] = Counter()
        for name, process in programs(self.tree):
            used[name] += memory_bytes(process)
        for name, size in used.items():
            self.memory[name].append((self.day(), size / MB))


def measure(rounds: int | None) -> list[Figure]:
    """Simulate so many days, or the short form, and return what they did to memory, partitions and polls."""
    days = rounds or SHORT_DAYS
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        Path(folder).chmod(0o711)  # the account of PostgreSQL passes through
        tree = Tree(root=Path(folder), port=free_port(), speed=SPEED, settings=SETTINGS)
        try:
            tree.start()
            soak = Soak(tree)
            while soak.day() < days:
                time.sleep(LOOK_SECONDS)
                soak.look()
            return [*memory_figures(soak), *partition_figures(soak), *poll_figures(soak)]
        except FaultsError as fault:
            raise BenchmarkError(str(fault)) from fault
        finally:
            tree.stop()


def programs(tree: Tree) -> Iterator[tuple[str, psutil.Process]]:
    """Yield the supervisor's children by what they do; both of `control` have one name."""
    assert tree.process is not None  # started
    for child in psutil.Process(tree.process.pid).children():
        with suppress(psutil.NoSuchProcess):
            line = " ".join(child.cmdline())
            found = next((name for part, name in PROGRAMS.items() if part in line), None)
            found = found or next((name for name in SERVERS if name in child.name()), None)
            if found or "qcluster" in line:
                yield found or child.environ().get("Q_CLUSTER_NAME", "default"), child


def memory_bytes(process: psutil.Process) -> int:
    """Return the memory of a process and its children; what they share counts once."""
    total = 0
    for each in [process, *process.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            total += each.memory_full_info().pss
    return total


def slope_of(samples: Samples, since: float) -> Slope:
    """Return the growth a day after the day `since`, by least squares over the means of blocks.

    The noise of neighbouring samples is alike, so they would make the interval too narrow; means of blocks do not.
    """
    left = [sample for sample in samples if sample[0] >= since]
    size = len(left) // BLOCKS
    if not size:
        raise BenchmarkError("too short to tell a slope: simulate for longer.")
    blocks = [left[place * size : (place + 1) * size] for place in range(BLOCKS)]
    days = [fmean(day for day, _ in block) for block in blocks]
    sizes = [fmean(used for _, used in block) for block in blocks]
    line = linear_regression(days, sizes)
    rest = sum((used - line.intercept - line.slope * day) ** 2 for day, used in zip(days, sizes, strict=True))
    spread = sum((day - fmean(days)) ** 2 for day in days)
    margin = STUDENT_T * math.sqrt(rest / (BLOCKS - 2) / spread)
    return Slope(line.slope, line.slope - margin, line.slope + margin)


def memory_figures(soak: Soak) -> Iterator[Figure]:
    is_full = soak.day() >= FILLING_DAYS + 0.5
    since = FILLING_DAYS if is_full else soak.day() / 3
    for name, samples in sorted(soak.memory.items()):
        slope, last = slope_of(samples, since), samples[-1][1]
        told = f"{slope.a_day:+.1f} MB a day, 95 %: {slope.least:+.1f} to {slope.most:+.1f}; {last:.0f} MB at the end"
        most = MOST_MB_A_DAY if is_full and name not in BOUNDED else None
        yield Figure(name=f"soak.memory.{name}", what=told, figure=max(0.0, slope.least), unit="MB/day", at_most=most)
    ended = ENDED.findall(soak.tree.said.read_text())
    yield Figure(name="soak.ended", what=", ".join(ended) or "by itself", figure=len(ended), unit="programs", at_most=0)


def attached_days(tree: Tree) -> set[date]:
    """Return the days whose partitions are attached to all tables that have some."""
    with psycopg.connect(tree.database_url) as server:
        names = [name for (name,) in server.execute(ATTACHED).fetchall()]
    found = [
        {
            date.fromisoformat(name.removeprefix(f"{parent}_").replace("_", "-"))
            for name in names
            if name.startswith(parent)
        }
        for parent in PARENTS
    ]
    return set.intersection(*found)


def partition_figures(soak: Soak) -> Sequence[Figure]:
    days, today = attached_days(soak.tree), soak.today()
    midnights = (today - soak.days[-1]).days + RUNWAY_DAYS
    what = f"{soak.day():.2f} days at speed {SPEED}, {midnights} midnights"
    made, gone = days - set(soak.days), set(soak.days) - days
    kept = [day for day in days if (today - day).days > RETENTION_DAYS]
    return [
        Figure(name="soak.partitions.made", what=what, figure=len(made), unit="days", at_least=midnights),
        Figure(name="soak.partitions.detached", what=what, figure=len(gone), unit="days", at_least=midnights),
        Figure(name="soak.partitions.kept", what="past their retention", figure=len(kept), unit="days", at_most=0),
    ]


def poll_figures(soak: Soak) -> Sequence[Figure]:
    with psycopg.connect(soak.tree.database_url) as server:
        outcomes: dict[str, int] = dict(server.execute(OUTCOMES).fetchall())
        archive, size = server.execute(ARCHIVE).fetchone() or (0, 0)
    failed = sum(outcomes.get(name, 0) for name in FAULTS)
    told = ", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items()))
    a_day = archive / MB / soak.day()
    return [
        Figure(
            name="soak.archive",
            what="a day of answers, at these cadences",
            figure=a_day,
            unit="MB",
            at_most=ARCHIVE_MARK_MB,
        ),
        Figure(name="soak.polls", what=told, figure=sum(outcomes.values()), unit="polls", at_least=1),
        Figure(name="soak.failed", what=", ".join(FAULTS), figure=failed, unit="polls", at_most=0),
        Figure(name="soak.database", what="its size at the end", figure=size / MB, unit="MB"),
    ]
