"""One row a fault: what was counted, whether it meets the goal, and the table for a person or for the docs."""

import json
import math
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from faults.tree import CADENCES, SPEED

DEFINITIONS = """
- fetched: whole answers about races that the simulator sent, from 3 s before the fault to the end of the observation
- stored: those with a PollRun of the race and the answer's own time stamp, and in the archive
- unread: sent in the last second of a poller that was ended, and not stored. Nobody can say whether they had arrived
- lost: neither stored nor unread, and no longer waiting in Valkey
- twice: PollRuns beyond one for each answer; with two trees also answers fetched by the one that does not lead
- wrong: increments that are not the difference to the reading before, and readings that differ from the simulator's
  market
- frozen: races whose mark is ahead of the clock or behind the newest good answer
- gap: the longest time in seconds between two good commits, and the time allowed: 3 for our own processes, 2 beyond the
  outage of a server or the feed
- recovery: from the end of the outage to the first good commit
""".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one fault did, times in seconds. why_not: this machine forbids it. failure: it could not be counted."""

    name: str
    what: str
    fetched: int = 0
    stored: int = 0
    unread: int = 0
    lost: int = 0
    twice: int = 0
    wrong: int = 0
    frozen: int = 0
    gap: float = 0.0
    gap_allowed: float = 0.0
    recovery: float = 0.0
    p99_ms: float | None = None
    p99_allowed_ms: float | None = None
    seen: str = ""
    why_not: str = ""
    failure: str = ""

    @property
    def is_ok(self) -> bool:
        """Tell whether the goal is met; a fault that this machine does not allow misses none."""
        if self.why_not or self.failure:
            return not self.failure
        is_fast = self.p99_ms is None or self.p99_allowed_ms is None or self.p99_ms <= self.p99_allowed_ms
        return self.is_counted_ok and is_fast and self.gap <= self.gap_allowed

    @property
    def is_counted_ok(self) -> bool:
        """Tell whether nothing was lost, whatever time it took: what a machine that is busy with others can judge."""
        if self.why_not or self.failure:
            return not self.failure
        is_whole = self.fetched > 0 and not self.lost + self.twice + self.wrong + self.frozen
        return is_whole and math.isfinite(self.recovery)


def conditions(races: int) -> dict[str, str]:
    """Return what the rows depend on."""
    cadences = ", ".join(f"{name.lower()} {seconds}" for name, seconds in CADENCES.items())
    done = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": done.stdout.strip() or "unknown",
        "cores": str(len(os.sched_getaffinity(0))),
        "python": platform.python_version(),
        "speed": str(SPEED),
        "live races at the start": str(races),
        "cadence in seconds of Raceday": cadences,
        "load average at the end": f"{os.getloadavg()[0]:.1f}",
    }


HEAD = (
    "fault",
    "fetched",
    "stored",
    "unread",
    "lost",
    "twice",
    "wrong",
    "frozen",
    "gap s",
    "recovery s",
    "ok",
    "a client saw",
)


def cells(row: Row) -> tuple[str, ...]:
    """Return a row as text, in the order of HEAD."""
    if row.why_not or row.failure:
        return (row.name, *[""] * (len(HEAD) - 3), "MISSED" if row.failure else "not run", row.failure or row.why_not)
    counts = (row.fetched, row.stored, row.unread, row.lost, row.twice, row.wrong, row.frozen)
    gap = f"{row.gap:.1f} ≤ {row.gap_allowed:.1f}"
    p99 = "" if row.p99_ms is None else f"p99 {row.p99_ms:.0f} ms ≤ {row.p99_allowed_ms or math.inf:.0f}; "
    recovery = f"{row.recovery:.1f}"
    return (row.name, *map(str, counts), gap, recovery, "ok" if row.is_ok else "MISSED", p99 + row.seen)


def line(values: Sequence[str]) -> str:
    """Lay one row out for a terminal; the widths are fixed, so that each can be printed when it is known."""
    widths = [18, 7, 6, 6, 5, 5, 5, 6, 12, 10, 7]
    texts = [value.ljust(width) for value, width in zip(values, [*widths, 0], strict=True)]
    return "  ".join(texts).rstrip()


def record(rows: Sequence[Row], told: dict[str, str]) -> str:
    """Return {conditions, rows[…, is_ok], is_met} as JSON; what never recovered has null."""
    found = [asdict(row) | {"is_ok": row.is_ok} for row in rows]
    for each in found:
        each["recovery"] = each["recovery"] if math.isfinite(each["recovery"]) else None
    return json.dumps({"conditions": told, "rows": found, "is_met": all(row.is_ok for row in rows)})


def document(rows: Sequence[Row], told: dict[str, str]) -> str:
    """Return docs/reliability.md."""
    table = [HEAD, *map(cells, rows)]
    lines = [f"| {' | '.join(values)} |" for values in table]
    lines.insert(1, "|" + "---|" * len(HEAD))
    whats = [f"- `{row.name}` {row.what}" for row in rows]
    parts = [
        "# What faults cost",
        "`./run faults` writes this page. It breaks a running Raceday on the simulated feed in many ways. It counts by"
        "\nasking the feed, the database and the API itself.",
        "\n".join(f"- {name}: {value}" for name, value in told.items()),
        DEFINITIONS,
        "\n".join(lines),
        "\n".join(whats),
    ]
    return "\n\n".join(parts) + "\n"
