"""What the shipped detector found in simulated races and replayed crowds, as docs/late-money.md has it. PURE."""

from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct

EVALUATION_PATH = Path(__file__).with_name("evaluation.json")


class Found(Struct, frozen=True):
    """The part of informed races that is found before the close at 4 and at 1 false alerts a day of 80 races.

    low, high: the 95 % interval at 4.
    """

    at_4: float
    at_1: float
    low: float
    high: float

    @property
    def missed_at_4(self) -> float:
        return 1 - self.at_4


class FalseAlerts(Struct, frozen=True):
    """False alerts a day where 4 are asked, after 200 races of the world's own; low, high: 5 and 95 % of draws."""

    mean: float
    low: float
    high: float


class World(Struct, frozen=True, kw_only=True):
    """The record in one world, by stake in percent of the pool. is_replayed: a recorded crowd, not a simulated one."""

    name: str
    is_replayed: bool
    ordinary_races: int
    informed_races: int  # of each stake
    found: dict[str, Found]
    seconds_left: int  # median at the first alert, at 20 %
    false_alerts: float  # a day where 4 are asked, by the shipped thresholds
    false_alerts_after_own: FalseAlerts | None


class Evaluation(Struct, frozen=True, kw_only=True):
    """The record of an artefact, by name, in all worlds."""

    artefact: str
    worlds: list[World]


@cache
def evaluation() -> Evaluation:
    """Return the record beside this code, read once."""
    return msgspec.json.decode(EVALUATION_PATH.read_bytes(), type=Evaluation)
