"""A clock that stands still where a test wants it."""

import time
from collections.abc import Callable
from datetime import datetime

import pytest

from raceday import clock


@pytest.fixture
def clock_shows(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Sets Raceday's clock to an instant and all but stops it: one microsecond a second."""

    def show(instant: datetime) -> None:
        stopped = clock.Clock(real=time.time(), shown=instant.timestamp(), speed=1e-6)
        monkeypatch.setattr(clock, "CLOCK", stopped)

    return show
