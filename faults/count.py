"""Count what a fault did: answers against PollRuns, gaps between commits, increments calculated again. PURE."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, pairwise
from operator import attrgetter

EARLY_SECONDS = 0.5  # a poller may have read an answer before the simulator has noted it
READ_SECONDS = 6.0  # from sent to in hand at the latest; the poller itself gives up after 4


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer of the feed: the requested race, its time stamp, when it was sent (Unix seconds), the fault."""

    race_id: str
    generated_at: datetime
    sent_at: float
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A PollRun of an answer; `received_at` is its polled_at in Unix seconds of the machine."""

    race_id: str
    generated_at: datetime | None
    received_at: float


@dataclass(frozen=True, slots=True)
class Span:
    """From one instant to another, in Unix seconds, both included."""

    begin: float
    end: float

    def holds(self, at: float) -> bool:
        return self.begin <= at <= self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What became of the answers of a span. `unread`: nobody can say whether the poller had them in hand."""

    fetched: int
    stored: int
    unread: int
    lost: tuple[Answer, ...]
    twice: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A row of money_flow_history, as far as increments depend on it. Cents."""

    race_id: str
    at: datetime
    entrant_id: str
    type: str
    win: int | None
    place: int | None
    has_place_dividend: bool
    win_increment: int | None
    place_increment: int | None


def tally(answers: Iterable[Answer], runs: Iterable[Run], span: Span, unread: Span | None = None) -> Tally:
    """Match every answer with one run, and return what became of those sent in `span`.

    unread: the span in which a poller was ended. An answer sent then that has no run may never have arrived.
    """
    left = _by_race(runs)
    counted = [(answer, _take(answer, left[answer.race_id])) for answer in sorted(answers, key=attrgetter("sent_at"))]
    known = {(answer.race_id, answer.generated_at) for answer, _ in counted}
    inside = [(answer, is_stored) for answer, is_stored in counted if span.holds(answer.sent_at)]
    missing = [answer for answer, is_stored in inside if not is_stored]
    lost = tuple(answer for answer in missing if unread is None or not unread.holds(answer.sent_at))
    surplus = [run for rest in left.values() for run in rest if (run.race_id, run.generated_at) in known]
    return Tally(
        fetched=len(inside),
        stored=len(inside) - len(missing),
        unread=len(missing) - len(lost),
        lost=lost,
        twice=sum(span.holds(run.received_at) for run in surplus),
    )


def _by_race(runs: Iterable[Run]) -> Mapping[str, list[Run]]:
    by_race: dict[str, list[Run]] = defaultdict(list)
    for run in sorted(runs, key=attrgetter("received_at")):
        by_race[run.race_id].append(run)
    return by_race


def _take(answer: Answer, runs: list[Run]) -> bool:
    """Take the first run of this answer from `runs`. One without a stamp is known by its time."""
    for run in runs:
        waited = run.received_at - answer.sent_at
        is_near = -EARLY_SECONDS <= waited <= READ_SECONDS
        if run.generated_at == answer.generated_at or (run.generated_at is None and is_near):
            runs.remove(run)
            return True
    return False


def longest_gap(commits: Sequence[float], span: Span) -> float:
    """Return the most seconds without a commit in `span`, from the last one before it to its end.

    >>> longest_gap([1.0, 2.0, 5.0], Span(2.5, 6.0))
    3.0
    """
    before = [at for at in commits if at < span.begin][-1:] or [span.begin]
    inside = [at for at in commits if span.holds(at)]
    return max(later - earlier for earlier, later in pairwise([*before, *inside, span.end]))


def recovery(commits: Sequence[float], since: float) -> float:
    """Return the seconds from an instant to the first commit after it; infinite if there was none."""
    return next((at - since for at in commits if at >= since), math.inf)


def wrong_increments(readings: Iterable[Reading], since: datetime) -> int:
    """Count the increments from `since` on that are not the difference to the race's reading before.

    `readings` are in the order of race and time. The first reading of each race is only there to be compared with.
    """
    wrong = 0
    for _, race in groupby(readings, key=attrgetter("race_id")):
        polls = [list(poll) for _, poll in groupby(race, key=attrgetter("at"))]
        wrong += sum(_wrong(before, poll) for before, poll in pairwise(polls) if poll[0].at >= since)
    return wrong


def _wrong(before: Sequence[Reading], poll: Sequence[Reading]) -> int:
    earlier = {reading.entrant_id: reading for reading in before}
    if earlier.keys() != {reading.entrant_id for reading in poll}:  # another field: a new baseline
        return sum((reading.win_increment, reading.place_increment) != (None, None) for reading in poll)
    had, has = (any(reading.has_place_dividend for reading in each) for each in (before, poll))
    wrong = 0
    for reading in poll:
        last = earlier[reading.entrant_id]
        win = _less(reading.win, last.win) if reading.type == last.type else None
        place = _less(reading.place, last.place) if had == has else None
        wrong += (reading.win_increment, reading.place_increment) != (win, place)
    return wrong


def _less(cents: int | None, before: int | None) -> int | None:
    return None if cents is None or before is None else cents - before


def percentile(numbers: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile, share 0–1; 0 of no numbers.

    >>> percentile([4.0, 1.0, 3.0, 2.0], 0.5)
    2.0
    """
    return sorted(numbers)[max(math.ceil(len(numbers) * share) - 1, 0)] if numbers else 0.0
