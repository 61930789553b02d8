"""The budget and the circuit of a host, in a real Valkey: what several processes may send, and when none may."""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from itertools import combinations_with_replacement

import pytest
from django.conf import settings as django_settings
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from raceday.feed.host import REFUSED, Circuit, Host, Trouble, key_of, read_circuit
from raceday.queue.broker import valkey
from tests.support.paths import ROOT

URL = "https://feed.example/affiliates/v1"
BROKEN = Trouble(opening=3, first_seconds=60.0, longest_seconds=200.0)
ASKING = """
import asyncio
from django.conf import settings
settings.configure(REDIS_URL={redis!r}, NZTAB_API_URL={url!r}, FEED_REQUESTS_PER_MINUTE=1, FEED_BURST=10,
    FEED_TIMEOUT_SECONDS=1.0)
from raceday.feed.host import Host
async def main():
    async with Host.from_settings() as host:
        input()
        print(sum([(await host.ask(1))[0] for _ in range(10)]))
asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def host(settings: Settings) -> Iterator[None]:
    settings.NZTAB_API_URL, settings.FEED_REQUESTS_PER_MINUTE, settings.FEED_BURST = URL, 1, 10
    server = valkey()
    server.delete(key_of(URL))
    yield
    server.delete(key_of(URL))


@pytest.fixture(autouse=True)
def longest_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: high)


def with_hosts(script: Callable[..., Awaitable[None]], number: int = 1) -> None:
    """Run a script with the hosts of so many processes."""

    async def main() -> None:
        async with AsyncExitStack() as stack:
            await script(*[await stack.enter_async_context(Host.from_settings()) for _ in range(number)])

    asyncio.run(main())


def circuit() -> Circuit:
    return read_circuit(valkey())


def end_wait(*hosts: Host) -> None:
    """Let the time for which the feed is left alone be over."""
    valkey().hset(key_of(URL), "held", 1)
    for host in hosts:
        host._held_until = 0.0


async def fail(host: Host, kind: Trouble, times: int) -> None:
    for _ in range(times):
        await host.failed(kind, None)


@given(
    st.integers(600, 60_000),
    st.integers(1, 20),
    st.lists(st.tuples(st.integers(1, 5), st.booleans(), st.floats(0, 0.003)), min_size=1, max_size=30),
)
@hypothesis_settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_never_more_than_burst_and_rate_allow_go_in_any_window(
    per_minute: int, burst: int, questions: list[tuple[int, bool, float]]
) -> None:
    django_settings.FEED_REQUESTS_PER_MINUTE, django_settings.FEED_BURST = per_minute, burst
    gone: list[tuple[float, int, float]] = []  # seconds before and after a question, and what it granted between

    async def script(*hosts: Host) -> None:
        valkey().delete(key_of(URL))
        for number, (wanted, is_patient, pause) in enumerate(questions):
            before = time.monotonic()
            granted, _ = await hosts[number % 2].ask(wanted, is_patient=is_patient)
            gone.append((before, granted, time.monotonic()))
            await asyncio.sleep(pause)

    with_hosts(script, 2)
    assert gone[0][1] >= 1
    for first, last in combinations_with_replacement(range(len(gone)), 2):
        longest = gone[last][2] - gone[first][0] + 0.001  # Valkey's clock is another, set by the same machine
        assert sum(granted for _, granted, _ in gone[first : last + 1]) <= burst + longest * per_minute / 60


@pytest.mark.parametrize("is_patient", [False, True])
def test_after_the_wait_that_it_tells_a_request_may_go(is_patient: bool) -> None:
    async def script(host: Host) -> None:
        await host.ask(10)
        granted, wait = await host.ask(1, is_patient=is_patient)
        assert granted == 0
        valkey().hincrby(key_of(URL), "booked", -round((wait - 30) * 1_000_000))
        assert (await host.ask(1, is_patient=is_patient))[0] == 0
        valkey().hincrby(key_of(URL), "booked", -30 * 1_000_000)
        assert await host.ask(2, is_patient=is_patient) == (1, 0.0)

    with_hosts(script)


def test_two_processes_share_one_budget() -> None:
    script = ASKING.format(redis=django_settings.REDIS_URL, url=URL)
    command = [sys.executable, "-c", script]
    both = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    for process in both:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    granted = [int(process.communicate()[0]) for process in both]
    assert sum(granted) == 10


def test_who_can_wait_leaves_half_of_the_burst_to_others() -> None:
    async def script(host: Host) -> None:
        assert await host.ask(10, is_patient=True) == (5, 0.0)
        assert (await host.ask(1, is_patient=True))[0] == 0
        assert await host.ask(10) == (5, 0.0)

    with_hosts(script)


def test_without_a_budget_all_go(settings: Settings) -> None:
    settings.FEED_REQUESTS_PER_MINUTE = 0

    async def script(host: Host) -> None:
        assert await host.ask(1000) == (1000, 0.0)

    with_hosts(script)


def test_a_few_failures_among_answers_open_nothing() -> None:
    async def script(host: Host) -> None:
        for _ in range(3):
            await fail(host, BROKEN, 2)
            await host.answered()
        assert circuit() == (0.0, 0)
        assert await host.ask(1) == (1, 0.0)

    with_hosts(script)


def test_failures_in_a_row_keep_every_process_away() -> None:
    async def script(one: Host, other: Host) -> None:
        await fail(one, BROKEN, 2)
        await fail(other, BROKEN, 1)
        for host in (one, other):
            granted, wait = await host.ask(1)
            assert granted == 0
            assert 30 < wait <= 60

    with_hosts(script, 2)


def test_when_the_time_is_over_one_request_probes_and_its_answer_lets_all_go() -> None:
    async def script(one: Host, other: Host) -> None:
        await fail(one, BROKEN, 3)
        end_wait(one)
        assert await one.ask(5) == (1, 0.0)
        assert (await other.ask(5))[0] == 0
        await one.answered()
        assert circuit() == (0.0, 0)
        assert await other.ask(5) == (5, 0.0)

    with_hosts(script, 2)


def test_a_probe_that_fails_doubles_the_wait_up_to_the_longest() -> None:
    async def script(host: Host) -> None:
        held = []
        await fail(host, BROKEN, 3)
        for _ in range(3):
            held.append(circuit().held_seconds)
            end_wait(host)
            assert await host.ask(1) == (1, 0.0)
            await host.failed(BROKEN, None)
        held.append(circuit().held_seconds)
        assert [round(seconds, -1) for seconds in held] == [60, 120, 200, 200]

    with_hosts(script)


def test_a_probe_that_fails_once_is_enough_to_keep_away_again() -> None:
    async def script(host: Host) -> None:
        await fail(host, BROKEN, 3)
        end_wait(host)
        assert await host.ask(1) == (1, 0.0)
        await host.failed(BROKEN, None)
        assert circuit().held_seconds > 30

    with_hosts(script)


def test_a_probe_that_never_returns_is_followed_by_another() -> None:
    async def script(one: Host, other: Host) -> None:
        await fail(one, BROKEN, 3)
        end_wait(one)
        assert await one.ask(1) == (1, 0.0)
        assert (await other.ask(1))[0] == 0
        valkey().hset(key_of(URL), "probed", 1)  # its time is over
        assert await other.ask(1) == (1, 0.0)

    with_hosts(script, 2)


def test_requests_that_were_on_their_way_when_it_opened_fail_without_being_counted() -> None:
    async def script(one: Host, other: Host, third: Host) -> None:
        await fail(one, BROKEN, 3)
        await fail(other, BROKEN, 10)
        assert (await third.ask(1))[0] == 0
        await third.answered()  # its answer was on its way, too
        assert circuit().failures == 3
        assert circuit().held_seconds > 50

    with_hosts(script, 3)


def test_what_the_feed_asks_for_holds_for_all_and_the_longest_counts() -> None:
    async def script(one: Host, other: Host) -> None:
        await one.failed(REFUSED, 100.0)
        await one.failed(REFUSED, 200.0)
        await one.failed(REFUSED, 50.0)
        granted, wait = await other.ask(1)
        assert granted == 0
        assert 150 < wait <= 200

    with_hosts(script, 2)


def test_a_day_is_cut_to_an_hour() -> None:
    async def script(host: Host) -> None:
        await host.failed(REFUSED, 86_400.0)
        assert 3000 < circuit().held_seconds <= 3600

    with_hosts(script)


def test_without_valkey_a_process_keeps_to_the_rate_and_to_what_it_was_asked_for(settings: Settings) -> None:
    settings.REDIS_URL = "unix:///nowhere/valkey"

    async def script(host: Host) -> None:
        assert await host.ask(5) == (1, 0.0)
        granted, wait = await host.ask(5)
        assert granted == 0
        assert 50 < wait <= 60
        await host.failed(REFUSED, 70.0)
        assert (await host.ask(1))[1] > 50

    with_hosts(script)


def test_valkey_is_asked_again_after_a_rest() -> None:
    async def script(host: Host) -> None:
        host._alone_until = time.monotonic() + 60
        assert await host.ask(5) == (1, 0.0)
        host._alone_until = 0.0
        assert await host.ask(5) == (5, 0.0)

    with_hosts(script)
