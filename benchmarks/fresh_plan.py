"""A simulation of the poller's plan: one race's last five minutes, without any process or clock."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from benchmarks.fresh_feed import JITTER_SECONDS
from moneyflow.polling.live_races import LOOK_BACK
from moneyflow.polling.plan import LiveRace, Turn, next_turn
from moneyflow.polling.refresh import Beat, Poll, beat_of
from races.cadence import SOON, CadenceSeconds, next_poll

CLOSES_AFTER_SECONDS = SOON.total_seconds() + 49  # NZ gallops close 49 s after their start, in the median
FETCH_SECONDS, WRITE_SECONDS, TOLD_SECONDS = 0.15, 0.05, 0.5  # until a reading is stored, and the poller knows of it
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
TIERS = CadenceSeconds(far=60, near=30, soon=15, closing=5, settling=15)

Plan = Callable[[Turn, datetime, LiveRace, Beat | None, CadenceSeconds], Turn | None]
Stored = list[tuple[float, float]]  # since when a reading is stored, and the refresh that it shows


class Source(Struct, frozen=True):
    """A feed that renews a race each so many seconds, `later` in the second half; None: at random, each 8 s or so."""

    name: str
    period: float | None
    later: float | None = None

    def refreshes(self, dice: np.random.Generator, seconds: float) -> NDArray[np.float64]:
        """Return when the feed renews a race, from half a minute before it is looked at."""
        if self.period is None:
            return np.cumsum(dice.exponential(8.0, int(seconds))) - 30
        first = np.arange(dice.uniform(-30, self.period - 30), seconds / 2 if self.later else seconds, self.period)
        rest = np.arange(first[-1] + self.later, seconds, self.later) if self.later else np.array([])
        beats = np.concatenate((first, rest))
        return np.sort(beats + dice.uniform(0, JITTER_SECONDS, len(beats)))


class Followed(Struct, frozen=True):
    """What became of one race: how often it was asked for, and the readings that were stored."""

    polls: int
    stored: Stored
    refreshes: NDArray[np.float64]
    closes_after: float


def grid(last: Turn, now: datetime, race: LiveRace, beat: Beat | None, seconds: CadenceSeconds) -> Turn | None:
    """Plan as if nothing was known of the feed's beat."""
    due = next_poll(last.due, now, status=race.status, advertised_start=race.start, seconds=seconds)
    return None if due is None else Turn(due, due)


def _each(seconds: int) -> CadenceSeconds:
    return replace(TIERS, soon=seconds, closing=seconds)


def follow(plan: Plan, seconds: CadenceSeconds, refreshes: NDArray[np.float64], first: float) -> Followed:
    """Poll a race from five minutes before its start until it closes, `first` seconds after that began."""
    race, learns = LiveRace("r", EPOCH + SOON, "Open"), plan is next_turn
    polls: list[Poll] = []
    stored: Stored = []
    turn: Turn | None = Turn(_at(first), _at(first))
    while turn is not None and (asked := (turn.due - EPOCH).total_seconds()) < CLOSES_AFTER_SECONDS:
        shown = float(refreshes[max(bisect_right(refreshes, asked) - 1, 0)])
        in_hand = asked + FETCH_SECONDS
        polls.append(Poll(asked, in_hand, not stored or stored[-1][1] != shown, stamp=asked))
        stored.append((in_hand + WRITE_SECONDS, shown))
        last, known_at = turn, stored[-1][0] + TOLD_SECONDS
        turn = plan(last, _at(in_hand), race, _beat(polls[:-1], in_hand) if learns else None, seconds)
        if learns and turn is not None and turn.due > _at(known_at):
            turn = plan(last, _at(known_at), race, _beat(polls, known_at), seconds)
    return Followed(len(polls), stored, refreshes, CLOSES_AFTER_SECONDS)


def _at(seconds: float) -> datetime:
    return EPOCH + timedelta(seconds=seconds)


def _beat(polls: Sequence[Poll], now: float) -> Beat | None:
    """Return the race's beat by the clock of `_at`."""
    beat = beat_of([poll for poll in polls if poll.at > now - LOOK_BACK.total_seconds()])
    return beat and Beat(beat.earliest + EPOCH.timestamp(), beat.latest + EPOCH.timestamp(), beat.period)


SOURCES = (
    Source("15_s", 15.0),
    Source("5_s", 5.0),
    Source("7_s", 7.0),
    Source("10_s", 10.0),
    Source("20_s", 20.0),
    Source("15_then_11_s", 15.0, 11.0),
    Source("no_beat", None),
)
WAYS: dict[str, tuple[Plan, CadenceSeconds]] = {
    "beat": (next_turn, TIERS),
    "cadences": (grid, TIERS),
    "5_s_grid": (grid, _each(5)),
    "15_s_grid": (grid, _each(15)),
}


def simulated(source: Source, way: tuple[Plan, CadenceSeconds], races: int) -> list[Followed]:
    """Follow so many races of a source; the same ones for each way."""
    found = []
    for seed in range(races):
        dice = np.random.default_rng(seed)
        refreshes = source.refreshes(dice, CLOSES_AFTER_SECONDS)
        found.append(follow(*way, refreshes, first=float(dice.uniform(0, way[1].soon))))
    return found
