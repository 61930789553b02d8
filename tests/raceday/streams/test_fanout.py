"""The moments between two steps of one streams' process, which no client can choose."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from raceday.published import events
from raceday.published.events import Topic, Wanted
from raceday.streams.fanout import Fanout
from raceday.streams.subscriber import Subscriber
from tests.support.streams import Valkey

BODY = {"race": {"race_id": "r1", "status": "Open"}}


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    folder = Path(tempfile.mkdtemp(prefix="raceday-"))
    server = Valkey(folder)
    yield server
    server.kill()
    shutil.rmtree(folder)


async def no_races(_: str) -> None:
    return None


def test_what_is_published_while_a_body_is_read_reaches_the_new_subscriber(valkey: Valkey) -> None:
    """The answer of Valkey is held back until the log was followed past it."""

    async def catch_up() -> bytes:
        fanout = Fanout(valkey.url, no_races)
        pipeline = fanout.questions.pipeline
        told: list[str] = []

        def held_back(**options: Any) -> Any:
            pipe: Any = pipeline(**options)
            execute = pipe.execute

            async def late() -> Any:
                answer = await execute()
                if not told:
                    told.extend(await asyncio.to_thread(valkey.tell, "r1", BODY, ("snapshot", BODY)))
                    await fanout._reach(events.read_id(told[0]) or events.START, seconds=10)
                return answer

            pipe.execute = late
            return pipe

        setattr(fanout.questions, "pipeline", held_back)  # noqa: B010 the real one, late
        following = asyncio.create_task(fanout.follow())
        subscriber = Subscriber(Wanted(frozenset({"r1"}), frozenset(), frozenset(Topic)), None)
        frames = await fanout.catch_up(subscriber)
        following.cancel()
        return b"".join(frames)

    sent = asyncio.run(catch_up())
    assert b'"status": "Open"' in sent
    assert b"known" not in sent
