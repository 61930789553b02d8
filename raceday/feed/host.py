"""The budget and the circuit of the feed's host, in Valkey: every process and every tree that uses it shares them.

The budget is GCRA, a token bucket that is one number: the time up to which requests are booked. The circuit opens when
the feed asks us to wait, or after failures in a row. When its time is over, one request probes the host: if the host
answers, all go on; if not, the circuit stays open for longer.
"""

import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Unreachable

from raceday.valkey import VALKEY_FAULTS

ANSWER_SECONDS = 0.25  # that Valkey may take; a poll of the last minute waits for it
REST_SECONDS = 1.0  # for which a Valkey that does not answer is not asked again
LONGEST_ASKED_SECONDS = 3600.0  # of a Retry-After; one that asks for more is probed each hour
KEPT_SECONDS = 2 * LONGEST_ASKED_SECONDS
MICRO = 1_000_000

STATE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local fields = redis.call('HMGET', KEYS[1], 'booked', 'held', 'probed', 'failures')
local booked, held = tonumber(fields[1]) or 0, tonumber(fields[2]) or 0
local probed, failures = tonumber(fields[3]) or 0, tonumber(fields[4]) or 0
local function store(name, value)
    redis.call('HSET', KEYS[1], name, string.format('%.0f', math.ceil(value)))
    redis.call('EXPIRE', KEYS[1], KEPT)
end
""".replace("KEPT", f"{KEPT_SECONDS:.0f}")
# wanted requests, µs of each, burst, requests kept back, µs that a probe may take
# → granted requests, µs to wait if there are none, 1 if the last answers were failures
ASK = f"""{STATE}
local wanted, each, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]) - tonumber(ARGV[4])
local is_troubled = (failures > 0 or held > 0) and 1 or 0
if held > now then return {{0, held - now, 1}} end
if held > 0 then
    if probed > now then return {{0, probed - now, 1}} end
    wanted = 1
end
if each > 0 then
    booked = math.max(booked, now)
    local room = math.floor(most - (booked - now) / each)
    if room < 1 then return {{0, math.ceil(booked - now - (most - 1) * each), is_troubled}} end
    wanted = math.min(wanted, room)
    store('booked', booked + wanted * each)
end
if held > 0 then store('probed', now + ARGV[5]) end
return {{wanted, 0, is_troubled}}
"""
# µs that the feed asked for or -1, failures that open the circuit, µs of the first and the longest wait, a share of them
# → µs for which the host is left alone from now on, failures in a row or 0 if this one does not count
FAIL = f"""{STATE}
local asked = tonumber(ARGV[1])
if held > now then  -- this request was on its way when another failed: it is the same failure
    if asked >= 0 then held = math.max(held, now + asked); store('held', held) end
    return {{held - now, 0}}
end
failures = failures + 1
store('failures', failures)
if asked < 0 and failures < tonumber(ARGV[2]) then return {{0, failures}} end
local wait = asked
if asked < 0 then wait = math.min(ARGV[4], ARGV[3] * 2 ^ (failures - ARGV[2])) * ARGV[5] end
store('held', now + wait)
store('probed', 0)
return {{wait, failures}}
"""
MEND = f"""{STATE}
if held <= now then redis.call('HDEL', KEYS[1], 'held', 'probed', 'failures') end
"""
LOOK = f"""{STATE}
return {{math.max(0, held - now), failures}}
"""

log = structlog.get_logger(__name__)


class Trouble(NamedTuple):
    """A kind of failure: how many in a row open the circuit, and for how long at first and at most."""

    opens_after: int
    first_seconds: float
    longest_seconds: float


REFUSED = Trouble(opens_after=1, first_seconds=5.0, longest_seconds=300.0)  # a 429 or 503 that names no time
# No longer than the cadence of a race that closes: a feed that breaks costs such a race one poll more than its outage.
BROKEN = Trouble(opens_after=5, first_seconds=1.0, longest_seconds=5.0)  # no answer, or a 500


class Circuit(NamedTuple):
    """For how many seconds from now on no request is sent, and the failures in a row."""

    held_seconds: float
    failures: int


class Host:
    """What this process asks and tells Valkey about one host. Without Valkey it keeps to the rate by itself."""

    def __init__(self, valkey: Redis, url: str) -> None:
        self._key = key_of(url)
        self._ask, self._fail, self._mend = (valkey.register_script(script) for script in (ASK, FAIL, MEND))
        self._is_troubled = False
        self._held_until = self._alone_until = self._free_at = 0.0  # monotonic seconds

    @classmethod
    @asynccontextmanager
    async def from_settings(cls) -> AsyncIterator[Self]:
        """Open a connection with the settings' values, and close it at the end."""
        retry = Retry(NoBackoff(), 1, supported_errors=(Unreachable,))  # a connection that Valkey closed is no outage
        limits = {"socket_timeout": ANSWER_SECONDS, "socket_connect_timeout": ANSWER_SECONDS}
        async with Redis.from_url(settings.REDIS_URL, retry=retry, **limits) as valkey:
            yield cls(valkey, settings.NZTAB_API_URL)

    async def ask(self, wanted: int, is_patient: bool = False) -> tuple[int, float]:
        """Ask to send up to `wanted` requests now. Return how many may go; if none, the seconds until it may be asked.

        is_patient: leave half of the burst to others.
        """
        if (wait := self._held_until - time.monotonic()) > 0:
            return 0, wait
        kept = settings.FEED_BURST // 2 if is_patient else 0
        probe = MICRO * (settings.FEED_TIMEOUT_SECONDS + 1)
        arguments = [wanted, MICRO * seconds_each(), settings.FEED_BURST, kept, probe]
        answer = await self._told(self._ask, arguments)
        if answer is None:
            return self._alone()
        granted, wait, self._is_troubled = answer
        return granted, wait / MICRO

    async def answered(self) -> None:
        """Tell that the host answered, if it did not before."""
        if self._is_troubled:
            await self._told(self._mend, [])

    async def failed(self, kind: Trouble, retry_after: float | None) -> None:
        """Tell that a request failed, and leave the host alone if it is time to.

        retry_after: seconds that the host asks for. Without, the wait doubles with each failure, less up to a half by
        chance, so that clients which failed together do not come back together.
        """
        asked = None if retry_after is None else min(retry_after, LONGEST_ASKED_SECONDS)
        waits = [kind.opens_after, MICRO * kind.first_seconds, MICRO * kind.longest_seconds, random.uniform(0.5, 1)]  # noqa: S311
        answer = await self._told(self._fail, [-1 if asked is None else MICRO * asked, *waits])
        self._is_troubled = True
        if answer is None:  # alone, this process remembers a refusal, and counts no failures
            default = kind.first_seconds if kind is REFUSED else 0.0
            answer = MICRO * (default if asked is None else asked), 1
        seconds, failures = answer[0] / MICRO, answer[1]
        self._held_until = max(self._held_until, time.monotonic() + seconds)
        if seconds and failures:
            log.warning("feed_left_alone", seconds=round(seconds, 1), failures=failures)

    async def _told(self, script: Any, arguments: list[float]) -> Any:
        if self._alone_until > time.monotonic():
            return None
        try:
            return await script(keys=[self._key], args=arguments)
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
    held, failures = valkey.eval(LOOK, 1, key_of(settings.NZTAB_API_URL))
    return Circuit(held / MICRO, failures)
