"""SERVE: what a ping tells: the time, and how old what the streams say is."""

from collections.abc import Collection, Mapping

import msgspec
from redis.asyncio import Redis

from raceday import clock, valkey
from raceday.published import shelf
from raceday.published.events import START, Position, write_id
from raceday.published.shelf import Mark


async def read_marks(client: Redis, races: Collection[str]) -> tuple[Mark | None, dict[str, Mark]]:
    """Read the marks of whichever race was polled last, and of these races, in one round trip."""
    async with client.pipeline(transaction=False) as pipe:
        pipe.get(valkey.key(shelf.NEWEST))
        for race in races:
            pipe.hget(shelf.name_of(f"race:{race}"), "mark")
        newest, *marks = map(shelf.read_mark, await pipe.execute())
    return newest, {race: mark for race, mark in zip(races, marks, strict=True) if mark}


def write_ping(marks: Mapping[str, Mark], newest: Mark | None, *, position: Position) -> bytes:
    """Write the time by Raceday's clock in epoch milliseconds, the clock's speed, and what was last polled.

    marks: of the races that the client named; newest: of whichever race was polled last; position: how far the client
    has come with this.
    """
    data = {
        "now": round(clock.CLOCK.timestamp() * 1000),
        "speed": clock.CLOCK.speed,
        "polled": {race: mark.polled_at for race, mark in marks.items()},
        "generated": {race: mark.generated_at for race, mark in marks.items() if mark.generated_at},
        "newest": newest and {"polled_at": newest.polled_at, "generated_at": newest.generated_at or None},
    }
    here = b"id: %s\n" % write_id(position).encode() if position > START else b""
    return here + b"event: ping\ndata: %s\n\n" % msgspec.json.encode(data)
