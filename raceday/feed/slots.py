"""Who may send a request: as many at once as there are slots, the most urgent first."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from heapq import heappop, heappush
from itertools import count
from math import inf

LOOK_SECONDS = 0.25  # between questions at the most: somebody more urgent may have come, or a probe was answered

Ask = Callable[[int, bool], Awaitable[tuple[int, float]]]


class Slots:
    """A number of slots, and a line before them. Who goes next is chosen when a request may go, not when it comes.

    `ask` tells how many of so many requests may go now and, if none, the seconds until it may be asked again; its
    second argument says that all of them can wait.
    """

    def __init__(self, number: int, ask: Ask) -> None:
        self._free = number
        self._ask = ask
        self._line: list[tuple[float, int, asyncio.Future[None]]] = []
        self._number = count()  # of equals, who came first goes first
        self._giving: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def hold(self, urgency: float, *, patience_seconds: float | None = None) -> AsyncIterator[None]:
        """Wait for a slot and hold it for as long as the context lasts; TimeoutError when patience ends before.

        urgency: the lowest goes first; infinite for what can wait until nobody else does.
        """
        await self._stand_in_line(urgency, patience_seconds)
        try:
            yield
        finally:
            self._release()

    async def _stand_in_line(self, urgency: float, patience_seconds: float | None) -> None:
        slot = asyncio.get_running_loop().create_future()
        heappush(self._line, (urgency, next(self._number), slot))
        self._give_soon()
        try:
            async with asyncio.timeout(patience_seconds):
                await slot
        except BaseException:
            if slot.done() and not slot.cancelled() and not slot.exception():  # it came as the wait was given up
                self._release()
            raise

    def _release(self) -> None:
        self._free += 1
        self._give_soon()

    def _give_soon(self) -> None:
        if self._giving is None and self._line and self._free:
            self._giving = asyncio.create_task(self._give_all())

    async def _give_all(self) -> None:
        try:
            while self._line and self._free:
                urgency, _, slot = self._line[0]
                if slot.done():  # it gave up
                    heappop(self._line)
                    continue
                granted, wait = await self._ask(min(len(self._line), self._free), urgency == inf)
                self._give(granted)
                if not granted:
                    await asyncio.sleep(min(wait, LOOK_SECONDS))
        except Exception as fault:
            for _, _, slot in self._line:
                if not slot.done():
                    slot.set_exception(fault)
            self._line.clear()
        finally:
            self._giving = None

    def _give(self, granted: int) -> None:
        while granted and self._line:
            slot = heappop(self._line)[2]
            if not slot.done():
                slot.set_result(None)
                self._free -= 1
                granted -= 1

    def close(self) -> None:
        """Give no more slots."""
        if self._giving:
            self._giving.cancel()
