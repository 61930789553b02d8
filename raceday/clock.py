"""The only module that reads the time; in the demo one clock runs N times faster for the whole tree."""

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A clock that showed `shown` at real time `real`, both Unix seconds, and runs `speed` times as fast."""

    real: float = 0.0
    shown: float = 0.0
    speed: float = 1.0

    def timestamp(self) -> float:
        """Return the Unix seconds this clock shows now."""
        return self.shown + (time.time() - self.real) * self.speed

    def encode(self) -> str:
        """Return the value of RACEDAY_CLOCK with which another process shares this clock."""
        return f"{self.real!r},{self.shown!r},{self.speed!r}"


def parse_clock(text: str) -> Clock:
    """Read `real,shown,speed` as written by Clock.encode; ValueError when it is not that."""
    if not text:
        return Clock()
    real, shown, speed = (float(part) for part in text.split(","))
    if speed <= 0:
        raise ValueError(f"a clock's speed must be above 0, not {speed}")
    return Clock(real=real, shown=shown, speed=speed)


CLOCK = parse_clock(os.environ.get("RACEDAY_CLOCK", ""))


def now() -> datetime:
    """Return the instant it is in Raceday, in UTC."""
    return datetime.fromtimestamp(CLOCK.timestamp(), UTC)


def real_seconds(raceday_seconds: float) -> float:
    """Return how many seconds of a wall clock pass in so many seconds of Raceday's.

    >>> real_seconds(30.0)  # at speed 1
    30.0
    """
    return raceday_seconds / CLOCK.speed
