"""Simulated cards without an end: when the last race of one is over, the next begins. A file remembers them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from raceday.racing_day import racing_day
from raceday.simulator.day import Simulation, card_of
from raceday.simulator.world import World

MOST_CARDS = 20  # that are remembered


class Season:
    """The cards that a demo has had, in a file `{"seed": …, "first_starts": [Unix seconds, …]}` that outlives it."""

    def __init__(self, path: Path, *, seed: str, world: World) -> None:
        self._path, self._world = path, world
        kept: Any = json.loads(path.read_text()) if path.exists() else {"seed": seed, "first_starts": []}
        self.seed = str(kept["seed"])
        self.cards = [self._card(first_start) for first_start in kept["first_starts"]]

    def at(self, now: datetime) -> list[Simulation]:
        """Return the cards up to an instant, the newest first; begin another if the newest is over."""
        if not self.cards or now >= end_of(self.cards[-1]):
            self.cards = [*self.cards[1 - MOST_CARDS :], self._card(now.timestamp())]
            self._keep()
        return self.cards[::-1]

    def _card(self, first_start: float) -> Simulation:
        began = datetime.fromtimestamp(first_start, UTC)
        return Simulation(seed=self.seed, first_start=began, is_one_day=True, world=self._world)

    def _keep(self) -> None:
        starts = [card.first_start.timestamp() for card in self.cards]
        scratch = self._path.with_suffix(".new")
        scratch.write_text(json.dumps({"seed": self.seed, "first_starts": starts}))
        scratch.replace(self._path)


def end_of(card: Simulation) -> datetime:
    """Return the instant at which every race of a one-day simulation is final or abandoned."""
    races = (race for meeting in card_of(card, racing_day(card.first_start)) for race in meeting.races)
    ends = (race.plan.abandoned_at or race.plan.final_at for race in races)
    return datetime.fromtimestamp(max(ends), UTC)
