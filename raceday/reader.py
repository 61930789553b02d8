"""SERVE: one open stream as frames of server-sent events come to it, are kept for it, and are taken to be sent."""

import asyncio

from raceday.events import START, Event, Position, Wanted, write_id

MOST_PENDING, MOST_PENDING_BYTES = 256, 256 * 1024
RESYNC = b"event: resync\ndata: {}\n\n"
PING = b": ping\n\n"


class Reader:
    """One open stream: what it wants, and what it has not been sent yet, bounded."""

    __slots__ = ("frames", "is_closed", "is_pinged", "is_placed", "needs_resync", "since", "size", "wake", "wanted")

    def __init__(self, wanted: Wanted, since: Position | None) -> None:
        self.wanted = wanted
        self.since = since  # where to go on; None: from the latest bodies
        self.frames: list[bytes] = []
        self.size = 0
        self.wake = asyncio.Event()
        self.needs_resync = self.is_placed = self.is_pinged = self.is_closed = False
        self.wake.set()

    def give(self, frame: bytes) -> bool:
        """This function will put a frame before the reader; False, and all of them gone, when it is too far behind."""
        self.frames.append(frame)
        self.size += len(frame)
        self.wake.set()
        if len(self.frames) <= MOST_PENDING and self.size <= MOST_PENDING_BYTES:
            return True
        self.frames.clear()
        return False

    def close(self) -> None:
        """This function will end the stream."""
        self.is_closed = True
        self.wake.set()

    def take(self, position: Position) -> bytes:
        """This function will return what is to be sent now; a ping says how far the reader has come without news."""
        if self.is_pinged:
            self.frames.append(f"id: {write_id(position)}\n\n".encode() if self.is_placed and position > START else b"")
            self.frames.append(PING)
        taken = b"".join(self.frames)
        self.frames.clear()
        self.size, self.is_pinged = 0, False
        self.wake.clear()
        return taken


def write_frame(event: Event) -> bytes:
    """This function will write an event as server-sent events have it."""
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (event.id.encode(), event.kind.encode(), event.data)
