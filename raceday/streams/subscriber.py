"""SERVE: one open stream. It collects frames of server-sent events until they are sent."""

import asyncio
from collections.abc import Iterable, Iterator

from raceday.published.events import START, Event, Position, Wanted, write_id

MOST_PENDING, MOST_PENDING_BYTES = 256, 32 * 1024
PIECE_BYTES = 4 * 1024  # written at once; of a client that does not read this process holds two
RESYNC = b"event: resync\ndata: {}\n\n"
PING = b": ping\n\n"


class Subscriber:
    """One open stream: what it wants, and what it has not been sent yet, bounded."""

    __slots__ = (
        "frames", "fresh", "is_closed", "is_pinged", "is_placed", "is_slow", "needs_resync", "since", "size",
        "taken_at", "wake", "wanted",
    )  # fmt: skip

    def __init__(self, wanted: Wanted, since: Position | None, fresh: frozenset[str] = frozenset()) -> None:
        self.wanted = wanted
        self.since = since  # where to go on; None: from the latest bodies
        self.fresh = fresh  # races whose latest bodies it gets though it goes on
        self.taken_at = START  # where it was last up to date
        self.frames: list[bytes] = []
        self.size = 0
        self.wake = asyncio.Event()
        self.needs_resync = self.is_placed = self.is_pinged = self.is_closed = self.is_slow = False
        self.wake.set()

    def give(self, frame: bytes) -> bool:
        """Add a frame for the subscriber; return False, and drop all frames, if too many wait."""
        self.frames.append(frame)
        self.size += len(frame)
        self.wake.set()
        if len(self.frames) <= MOST_PENDING and self.size <= MOST_PENDING_BYTES:
            return True
        self.frames.clear()
        return False

    def close(self) -> None:
        """End the stream."""
        self.is_closed = True
        self.wake.set()

    def take(self, position: Position) -> list[bytes]:
        """Return the frames to send now; a ping says how far a subscriber without events has come."""
        if self.is_pinged:
            self.frames.append(f"id: {write_id(position)}\n\n".encode() if self.is_placed and position > START else b"")
            self.frames.append(PING)
        taken, self.frames, self.taken_at = self.frames, [], position
        self.size, self.is_pinged = 0, False
        self.wake.clear()
        return taken


def write_frame(event: Event) -> bytes:
    """Write an event as server-sent events have it."""
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (event.id.encode(), event.kind.encode(), event.data)


def pieces(frames: Iterable[bytes]) -> Iterator[bytes]:
    """Join and cut frames into pieces of some size, one at a time: the rest stays shared with other streams."""
    piece: list[memoryview] = []
    size = 0
    for part in _parts(frames):
        if size + len(part) > PIECE_BYTES:
            yield b"".join(piece)
            piece, size = [], 0
        piece.append(part)
        size += len(part)
    if size:
        yield b"".join(piece)


def _parts(frames: Iterable[bytes]) -> Iterator[memoryview]:
    for frame in frames:
        view = memoryview(frame)
        yield from (view[at : at + PIECE_BYTES] for at in range(0, len(view), PIECE_BYTES))


def up_to(most_bytes: int, frames: Iterable[bytes]) -> Iterator[bytes]:
    """Return the first of these frames that have so many bytes together, one at least."""
    size = 0
    for frame in frames:
        if size and size + len(frame) > most_bytes:
            return
        size += len(frame)
        yield frame
