"""The way out of room 1: answers wait in order until Valkey has them. While Valkey is away, none is dropped."""

import asyncio
import time
from collections import deque
from itertools import islice

import structlog
from redis.exceptions import RedisError

from moneyflow import answers
from moneyflow.answers import FeedResult
from raceday.feed.client import FeedAnswer

AT_ONCE = 50
PAUSE_SECONDS = 0.1
MOST_BYTES = 64 * 2**20  # of bodies in hand: half a minute of a busy day's answers; fuller, no more are fetched
FLUSH_SECONDS = 10.0

log = structlog.get_logger(__name__)


class Outbox:
    """Answers that are to be handed over, oldest first."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[str, FeedResult]] = deque()
        self._bytes = 0
        self._has_some = asyncio.Event()

    @property
    def is_full(self) -> bool:
        return self._bytes > MOST_BYTES

    def put(self, race_id: str, found: FeedResult) -> None:
        """Take an answer, to be handed over as soon as Valkey takes it."""
        self._waiting.append((race_id, found))
        self._bytes += _size(found)
        self._has_some.set()

    async def hand_over(self) -> None:
        """Hand over answers as they come, for ever."""
        while True:
            await self._has_some.wait()
            try:
                await asyncio.to_thread(self._send)
            except RedisError as fault:
                log.warning("poller_without_valkey", fault=str(fault), answers=len(self._waiting))
                await asyncio.sleep(PAUSE_SECONDS)
            if not self._waiting:
                self._has_some.clear()

    def flush(self) -> None:
        """Hand over all that is left: the last thing a leader does. Some answers may come twice, which is harmless."""
        give_up = time.monotonic() + FLUSH_SECONDS
        while self._waiting:
            try:
                self._send()
            except RedisError as fault:
                if time.monotonic() > give_up:
                    log.error("answers_lost", answers=len(self._waiting), fault=str(fault))
                    return
                time.sleep(PAUSE_SECONDS)

    def _send(self) -> None:
        batch = list(islice(self._waiting, AT_ONCE))
        answers.hand_over(batch)
        for _, found in batch:
            self._waiting.popleft()
            self._bytes -= _size(found)


def _size(found: FeedResult) -> int:
    return len(found.body) if isinstance(found, FeedAnswer) else 0
