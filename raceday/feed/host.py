"""The budget and the circuit of the feed's host, in Valkey: every process and every tree that uses it shares them.

The budget is GCRA, a token bucket that is one number: the time up to which requests are booked. The circuit opens when
the feed asks us to wait, or after failures in a row. When its time is over, one request probes the host: if the host
answers, all go on; if not, the circuit stays open for longer.
"""

import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Unreachable

from raceday.valkey import VALKEY_FAULTS

ANSWER_SECONDS = 0.5  # that Valkey may take; a poll of the last minute waits for it
REST_SECONDS = 2.0  # for which a Valkey that does not answer is not asked again
LONGEST_ASKED_SECONDS = 3600.0  # of a Retry-After; one that asks for more is probed each hour
MICRO = 1_000_000
SCRIPT = Path(__file__).with_name("host.lua").read_text()

log = structlog.get_logger(__name__)


class Trouble(NamedTuple):
    """A kind of failure: how many in a row open the circuit, and for how long at first and at most."""

    opening: int
    first_seconds: float
    longest_seconds: float


REFUSED = Trouble(opening=1, first_seconds=5.0, longest_seconds=300.0)  # we asked too fast
# No longer than the cadence of a race that closes: a feed that breaks costs such a race one poll more than its outage.
BROKEN = Trouble(opening=5, first_seconds=1.0, longest_seconds=5.0)  # no answer, or 5xx


class Circuit(NamedTuple):
    """For how many seconds from now on no request is sent, and the failures in a row."""

    held_seconds: float
    failures: int


class Host:
    """What this process asks and tells Valkey about one host. Without Valkey it keeps to the rate by itself."""

    def __init__(self, valkey: Redis, url: str) -> None:
        self._key = key_of(url)
        self._script = valkey.register_script(SCRIPT)
        self._failures = 0
        self._held_until = self._alone_until = self._free_at = 0.0  # monotonic seconds

    @classmethod
    @asynccontextmanager
    async def from_settings(cls) -> AsyncIterator[Self]:
        """Open a connection with the settings' values, and close it at the end."""
        retry = Retry(NoBackoff(), 1, supported_errors=(Unreachable,))  # a connection that Valkey closed is no outage
        async with Redis.from_url(
            settings.REDIS_URL, retry=retry, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS
        ) as valkey:
            yield cls(valkey, settings.NZTAB_API_URL)

    async def ask(self, wanted: int, is_patient: bool = False) -> tuple[int, float]:
        """Ask to send up to `wanted` requests now. Return how many may go; if none, the seconds until it may be asked.

        is_patient: leave half of the burst to others.
        """
        if (wait := self._held_until - time.monotonic()) > 0:
            return 0, wait
        kept = settings.FEED_BURST // 2 if is_patient else 0
        probe = MICRO * (settings.FEED_TIMEOUT_SECONDS + 1)
        answer = await self._run("ask", wanted, MICRO * seconds_each(), settings.FEED_BURST, kept, probe)
        if answer is None:
            return self._alone()
        granted, wait, self._failures = answer
        return granted, wait / MICRO

    async def answered(self) -> None:
        """Tell that the host answered, if it did not before."""
        if self._failures:
            await self._run("mend")
            self._failures = 0

    async def failed(self, kind: Trouble, retry_after: float | None) -> None:
        """Tell that a request failed, and leave the host alone if it is time to.

        retry_after: seconds that the host asks for. Without, the wait doubles with each failure, less up to a half by
        chance, so that clients which failed together do not come back together.
        """
        asked = -1.0 if retry_after is None else min(retry_after, LONGEST_ASKED_SECONDS)
        jitter = random.uniform(0.5, 1)  # noqa: S311
        waits = (kind.opening, MICRO * kind.first_seconds, MICRO * kind.longest_seconds, jitter)
        answer = await self._run("fail", MICRO * asked, *waits)
        if answer is None:  # alone, this process remembers what it was asked for, and counts nothing
            seconds, self._failures = max(asked, kind.first_seconds if kind is REFUSED else 0.0), 1
        else:
            seconds, self._failures = answer[0] / MICRO, answer[1] or self._failures
        self._held_until = max(self._held_until, time.monotonic() + seconds)
        if seconds and answer and answer[1]:
            log.warning("feed_left_alone", seconds=round(seconds, 1), failures=self._failures)

    async def _run(self, what: str, *numbers: float) -> Any:
        """Run the script, or return None if Valkey does not answer or did not a moment ago."""
        if self._alone_until > time.monotonic():
            return None
        try:
            return await self._script(keys=[self._key], args=[what, *numbers])
        except VALKEY_FAULTS as fault:
            log.warning("budget_not_shared", fault=type(fault).__name__)
            self._alone_until = time.monotonic() + REST_SECONDS
            return None

    def _alone(self) -> tuple[int, float]:
        """Grant one request in the time of one: a lost poll costs more than some requests above a shared budget."""
        now = time.monotonic()
        if self._free_at > now:
            return 0, self._free_at - now
        self._free_at = now + seconds_each()
        return 1, 0.0


def seconds_each() -> float:
    """Return the time that the budget gives each request; 0: there is no budget."""
    return 60 / settings.FEED_REQUESTS_PER_MINUTE if settings.FEED_REQUESTS_PER_MINUTE else 0.0


def key_of(url: str) -> str:
    return f"raceday:feed:{urlsplit(url).netloc}"


def read_circuit(valkey: Any) -> Circuit:
    """Read the circuit of the settings' feed, for those who look on; redis.RedisError if Valkey is away."""
    held, failures = valkey.eval(SCRIPT, 1, key_of(settings.NZTAB_API_URL), "look")
    return Circuit(held / MICRO, failures)
