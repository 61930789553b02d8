"""A stream in Valkey that one worker works off, oldest first: what is in it is not done, whatever restarts.

redis.RedisError when Valkey is away.
"""

from collections.abc import Mapping
from typing import Any

from raceday.queue.broker import valkey

BLOCK_MS = 500
MOST_TRIES = 3  # of an item that ends its worker each time
TRIED_SECONDS = 86_400

Item = tuple[bytes, Mapping[bytes, bytes]]


def take(stream: str, most: int) -> list[Item]:
    """Return the oldest items, waiting half a second for one. They come again until they are `done`."""
    told: Any = valkey().xread({stream: "0-0"}, count=most, block=BLOCK_MS)
    return [item for _, items in told for item in items]


def done(stream: str, *items: bytes) -> None:
    """Delete items that are done."""
    valkey().xdel(stream, *items)


def count_try(stream: str, item: bytes) -> int:
    """Return how often an item was at the head when a worker began: it may be the item that ends workers."""
    name = f"{stream}:tried:{item.decode()}"
    with valkey().pipeline(transaction=True) as pipe:
        pipe.incr(name)
        pipe.expire(name, TRIED_SECONDS)
        tries, _ = pipe.execute()
    return int(tries)
