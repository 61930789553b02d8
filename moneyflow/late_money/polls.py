"""The neutral file of polls: one JSON object a line in, one object a poll and entrant out. PURE.

Lines of a race are ordered by `polled_at`; races may interleave. Each poll goes through the same code as a live one.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Annotated, Any

import numpy as np
from msgspec import DecodeError, Meta, Struct, field, json

from moneyflow.late_money.artefact import Artefact
from moneyflow.late_money.calibration import Calibration
from moneyflow.late_money.judge import KEPT_SECONDS, OPEN, judge
from moneyflow.late_money.records import Reading, Severity, Verdict

Odds = Annotated[float, Meta(ge=0)]
Id = Annotated[str, Meta(min_length=1)]


class BadLineError(ValueError):
    """Say why a line is no poll."""


class EntrantLine(Struct, frozen=True):
    """An entrant as one poll saw it; odds are decimal per $1."""

    entrant_id: Id
    runner_number: int | None = None
    pool_win: Odds | None = None
    fixed_win: Odds | None = None
    is_scratched: bool = False


class PollLine(Struct, frozen=True):
    """One poll of one race."""

    race_id: Id
    polled_at: str
    advertised_start: str
    status: str
    entrants: Annotated[list[EntrantLine], Meta(min_length=1)]
    win_pool_cents: Annotated[float, Meta(ge=0)] | None = None  # 1534200.0 is a whole number, too


class Replay(Struct, kw_only=True):
    """The state of a replay: each open race's last readings, and what came of the lines so far."""

    artefact: Artefact | None
    calibration: Calibration | None = None
    budget: Severity = Severity.UNUSUAL
    races: dict[str, list[Reading]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    silences: Counter[str] = field(default_factory=Counter)
    scored: int = 0


_DECODER = json.Decoder(PollLine)


def score_lines(lines: Iterable[bytes], replay: Replay) -> Iterator[dict[str, Any]]:
    """Yield the scores of each poll's entrants. Bad lines go to `replay.faults` with their number and reason."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            poll, verdict = judge_line(line, replay)
        except BadLineError as fault:
            replay.faults.append(f"line {number}: {fault}")
            continue
        if verdict.silent_because:
            replay.silences[verdict.silent_because] += 1
            continue
        replay.scored += 1
        yield from rows_of(poll, verdict, replay.budget)


def judge_line(line: bytes, replay: Replay) -> tuple[PollLine, Verdict]:
    """Judge one line's poll with its race's readings so far. Raises BadLineError."""
    try:
        poll = _DECODER.decode(line)
    except (DecodeError, UnicodeDecodeError) as fault:
        raise BadLineError(str(fault)) from fault
    reading = reading_of(poll)
    known = replay.races.get(poll.race_id, [])
    if known and reading.polled_at < known[-1].polled_at:
        raise BadLineError(f"polled_at {poll.polled_at} is before the race's poll of the line before")
    since = reading.seconds_since_start - KEPT_SECONDS
    readings = [*(each for each in known if each.seconds_since_start >= since), reading]
    replay.races[poll.race_id] = readings if poll.status == OPEN else [reading]
    return poll, judge(readings, replay.artefact, replay.calibration)


def reading_of(poll: PollLine) -> Reading:
    """Return a poll as the detector reads it. Raises BadLineError."""
    ids = tuple(entrant.entrant_id for entrant in poll.entrants)
    if len(set(ids)) < len(ids):
        raise BadLineError("an entrant_id stands twice in entrants")
    polled_at, start = _instant("polled_at", poll.polled_at), _instant("advertised_start", poll.advertised_start)
    return Reading(
        polled_at=polled_at,
        seconds_since_start=(polled_at - start).total_seconds(),
        status=poll.status,
        win_pool_cents=None if poll.win_pool_cents is None else round(poll.win_pool_cents),
        entrant_ids=ids,
        dividends=np.array([entrant.pool_win or np.nan for entrant in poll.entrants]),
        fixed_odds=np.array([entrant.fixed_win or np.nan for entrant in poll.entrants]),
        is_scratched=np.array([entrant.is_scratched for entrant in poll.entrants]),
    )


def rows_of(poll: PollLine, verdict: Verdict, budget: Severity) -> Iterator[dict[str, Any]]:
    """Yield what the output says of each entrant. `alert`: the score is within the budget of false alerts."""
    for runner in verdict.runners:
        yield {
            "race_id": poll.race_id,
            "polled_at": poll.polled_at,
            "entrant_id": runner.entrant_id,
            "score": round(runner.score, 4),
            "p_value": round(runner.p_value, 6),
            "alert": runner.severity is not None and runner.severity <= budget,
            "window_seconds": round(runner.window_seconds, 1),
            "dollars_seen": round(runner.dollars_seen, 2),
            "dollars_expected": round(runner.dollars_expected, 2),
        }


def race_maxima(lines: Iterable[bytes], artefact: Artefact | None) -> list[float]:
    """Return the highest score before the close of each race in a file, in order of first score, to calibrate on."""
    maxima: dict[str, float] = {}
    for row in score_lines(lines, Replay(artefact=artefact)):
        maxima[row["race_id"]] = max(row["score"], maxima.get(row["race_id"], row["score"]))
    return list(maxima.values())


def _instant(name: str, text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as fault:
        raise BadLineError(f"{name} is no ISO time: {text!r}") from fault
    if instant.tzinfo is None:
        raise BadLineError(f"{name} has no zone: {text!r}")
    return instant
