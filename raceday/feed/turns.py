"""Whose turn it is to send a request: as many at once as there are places, the most urgent first."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from heapq import heappop, heappush
from itertools import count
from math import inf

LOOK_SECONDS = 0.25  # between questions at the least: somebody more urgent may have come, or a probe succeeded

Ask = Callable[[int, bool], Awaitable[tuple[int, float]]]


class Turns:
    """A line before a number of places. Who is most urgent is chosen when a request may go, not when it comes.

    `ask` tells how many of so many requests may go now and, if none, the seconds until it may be asked again; its
    second argument says that all of them can wait.
    """

    def __init__(self, places: int, ask: Ask) -> None:
        self._places = places
        self._ask = ask
        self._line: list[tuple[float, int, asyncio.Future[None]]] = []
        self._number = count()  # of equals, who came first goes first
        self._serving: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def turn(self, urgency: float, *, patience_seconds: float | None = None) -> AsyncIterator[None]:
        """Wait for a turn and hold a place for as long as the context lasts; TimeoutError when patience ends.

        urgency: the lowest goes first; infinite for what can wait until nobody else does.
        """
        await self._stand_in_line(urgency, patience_seconds)
        try:
            yield
        finally:
            self._leave()

    async def _stand_in_line(self, urgency: float, patience_seconds: float | None) -> None:
        turn = asyncio.get_running_loop().create_future()
        heappush(self._line, (urgency, next(self._number), turn))
        self._serve()
        try:
            async with asyncio.timeout(patience_seconds):
                await turn
        except BaseException:
            if turn.done() and not turn.cancelled() and not turn.exception():  # it came as the wait was given up
                self._leave()
            raise

    def _leave(self) -> None:
        self._places += 1
        self._serve()

    def _serve(self) -> None:
        if self._serving is None and self._line and self._places:
            self._serving = asyncio.create_task(self._give_turns())

    async def _give_turns(self) -> None:
        try:
            while self._line and self._places:
                if self._line[0][2].done():  # it gave up
                    heappop(self._line)
                    continue
                granted, wait = await self._ask(min(len(self._line), self._places), self._line[0][0] == inf)
                self._give(granted)
                if not granted:
                    await asyncio.sleep(min(wait, LOOK_SECONDS))
        except Exception as fault:
            for _, _, turn in self._line:
                if not turn.done():
                    turn.set_exception(fault)
            self._line.clear()
        finally:
            self._serving = None

    def _give(self, granted: int) -> None:
        while granted and self._line:
            turn = heappop(self._line)[2]
            if not turn.done():
                turn.set_result(None)
                self._places -= 1
                granted -= 1

    def close(self) -> None:
        """Give no more turns."""
        if self._serving:
            self._serving.cancel()
