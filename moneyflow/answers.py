"""The way of the feed's answers from the poller to their writers: shards in Valkey, each with one writer, in order.

An answer stays in its shard until it is stored, so a killed or restarted process loses none. All answers of a race go
through the same shard, so they are written in the order in which they arrived there.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple
from zlib import crc32

import msgspec

from raceday.feed.client import FeedAnswer, FeedError
from raceday.queue.broker import valkey

SHARDS = 2  # two writers keep two processors and one PostgreSQL busy
AT_ONCE = 16
BLOCK_MS = 500
TRIED_SECONDS = 86_400
FeedResult = FeedAnswer | FeedError

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(FeedResult)


class Entry(NamedTuple):
    """An answer in its shard, packed."""

    id: bytes
    race_id: str
    packed: bytes

    def unpack(self) -> FeedResult:
        """Return the answer; msgspec.DecodeError when another version of Raceday packed it."""
        found: FeedResult = _decoder.decode(self.packed)
        return found


def stream(shard: int) -> str:
    """Return the name of a shard's stream in Valkey."""
    return f"raceday:answers:{shard}"


def hand_over(answers: Iterable[tuple[str, FeedResult]]) -> None:
    """Append answers, each with its race, to their shards, in one round trip; redis.RedisError when Valkey is away."""
    with valkey().pipeline(transaction=False) as pipe:
        for race_id, found in answers:
            shard = stream(crc32(race_id.encode()) % SHARDS)
            pipe.xadd(shard, {"race_id": race_id, "found": _encoder.encode(found)})
        pipe.execute()


def waiting() -> int:
    """Count the answers that are not stored yet; redis.RedisError when Valkey is away."""
    with valkey().pipeline(transaction=False) as pipe:
        for shard in range(SHARDS):
            pipe.xlen(stream(shard))
        return sum(pipe.execute())


class Shard:
    """One shard as its writer sees it: an answer is done only when it is deleted, whatever restarts."""

    def __init__(self, number: int) -> None:
        self.stream = stream(number)

    def take(self) -> list[Entry]:
        """Return the oldest answers, up to 16, waiting half a second for one. Delete them by `done` before the next."""
        told: Any = valkey().xread({self.stream: "0-0"}, count=AT_ONCE, block=BLOCK_MS)
        return [
            Entry(entry, fields[b"race_id"].decode(), fields[b"found"]) for _, rows in told for entry, fields in rows
        ]

    def count_try(self, entry: Entry) -> int:
        """Return how often an answer was at the head when a writer began: it may be the answer that kills writers."""
        name = f"{self.stream}:tried:{entry.id.decode()}"
        with valkey().pipeline(transaction=True) as pipe:
            pipe.incr(name)
            pipe.expire(name, TRIED_SECONDS)
            tries, _ = pipe.execute()
        return int(tries)

    def done(self, entry: Entry) -> None:
        """Delete an answer that is stored."""
        valkey().xdel(self.stream, entry.id)
