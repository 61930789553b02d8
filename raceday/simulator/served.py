"""The answers about races that the simulator has sent in full: tests compare what was stored with these."""

import time
from collections import deque
from datetime import datetime

import msgspec

from raceday.simulator.envelope import ROOT, Answer, Request

EVENTS = f"{ROOT}/events/"
KEPT = 20_000


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """One whole answer: the requested race, its time stamp, the Unix seconds when it was sent, the fault."""

    race_id: str
    generated_at: datetime
    sent_at: float
    fault: str | None = None


class _Header(msgspec.Struct):
    generated_time: datetime


class _Stamped(msgspec.Struct):
    header: _Header


_stamped = msgspec.json.Decoder(_Stamped)


class Served:
    """The newest whole answers, numbered from 0 since the start."""

    def __init__(self) -> None:
        self._given: deque[Given] = deque(maxlen=KEPT)
        self._count = 0

    def note(self, request: Request, answer: Answer, *, fault: str | None) -> None:
        """Add an answer that was sent in full, if it is one about a race."""
        if answer.status != 200 or not request.path.startswith(EVENTS):
            return
        try:
            stamp = _stamped.decode(answer.body).header.generated_time
        except msgspec.DecodeError:  # some other source's: no answer of a feed
            return
        race_id = request.path.removeprefix(EVENTS)
        self._given.append(Given(race_id=race_id, generated_at=stamp, sent_at=time.time(), fault=fault))
        self._count += 1

    def since(self, number: int) -> dict[str, object]:
        """Return {next, answers}: the kept answers from a number on, and the number for the next request."""
        first = self._count - len(self._given)
        return {"next": self._count, "answers": list(self._given)[max(number - first, 0) :]}
