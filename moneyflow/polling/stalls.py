"""Notices when the poller's loop stands still, and logs what ran in its place."""

import asyncio
import sys
import threading
import time
import traceback
from pathlib import Path

import structlog

from raceday import metrics

TICK_SECONDS = 0.05
STALL_SECONDS = 0.1
WINDOW_SECONDS = 10.0  # whose longest stall the gauge shows
FRAMES = 4  # of a stack, the innermost

log = structlog.get_logger(__name__)


class _Lookout(threading.Thread):
    """Looks from outside at what the loop's thread is doing once the loop is late."""

    def __init__(self) -> None:
        super().__init__(daemon=True, name="lookout")
        self.is_over = threading.Event()
        self.due = time.monotonic() + TICK_SECONDS
        self.seen: str | None = None
        self._loop_thread = threading.get_ident()

    def run(self) -> None:
        while not self.is_over.wait(TICK_SECONDS / 2):
            if self.seen is None and time.monotonic() > self.due + STALL_SECONDS / 2:
                self.seen = self._innermost()

    def _innermost(self) -> str:
        frames = traceback.extract_stack(sys._current_frames()[self._loop_thread])[-FRAMES:]
        return " < ".join(f"{each.name} ({Path(each.filename).name}:{each.lineno})" for each in reversed(frames))


async def watch() -> None:
    """Measure for ever how late this loop runs; log each stall with what ran.

    A stall in which this process took no processor time is not its own: the machine was busy or stood still.
    """
    lookout, longest, show_at = _Lookout(), 0.0, 0.0
    lookout.start()
    try:
        while True:
            lookout.due, lookout.seen = time.monotonic() + TICK_SECONDS, None
            cpu = time.process_time()
            await asyncio.sleep(TICK_SECONDS)
            late = time.monotonic() - lookout.due
            longest = max(longest, late)
            if late > STALL_SECONDS:
                cpu_seconds = round(time.process_time() - cpu, 3)
                log.warning("poller_stalled", seconds=round(late, 3), cpu_seconds=cpu_seconds, ran=lookout.seen)
            if time.monotonic() >= show_at:
                metrics.POLLER_STALL_SECONDS.set(longest)
                longest, show_at = 0.0, time.monotonic() + WINDOW_SECONDS
    finally:
        lookout.is_over.set()
