"""The way of the feed's answers from the poller to their writers: shards in Valkey, each with one writer, in order.

An answer stays in its shard until it is stored, so a killed or restarted process loses none. All answers of a race go
through the same shard, so they are written in the order in which they arrived there.
"""

from collections.abc import Iterable
from typing import NamedTuple
from zlib import crc32

import msgspec

from raceday.feed.client import FeedAnswer, FeedError
from raceday.queue import backlog
from raceday.queue.broker import valkey

SHARDS = 2  # two writers keep two processors and one PostgreSQL busy
AT_ONCE = 16
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
        return [
            Entry(entry, fields[b"race_id"].decode(), fields[b"found"])
            for entry, fields in backlog.take(self.stream, AT_ONCE)
        ]

    def count_try(self, entry: Entry) -> int:
        """Return how often an answer was at the head when a writer began: it may be the answer that kills writers."""
        return backlog.count_try(self.stream, entry.id)

    def done(self, entry: Entry) -> None:
        """Delete an answer that is stored."""
        backlog.done(self.stream, entry.id)
