"""What the processes of a q2 cluster share, made so that a killed process never stops the others.

multiprocessing's semaphores stay locked for ever if their holder is killed. If a message is half read from its pipe,
the next reader takes the rest for a new message. We saw both; the first is an open upstream fault.
"""

import fcntl
import io
import multiprocessing
import os
import socket
from multiprocessing.connection import Connection
from typing import Any

import django_q.cluster
import django_q.queues

MOST_BYTES = 200_000  # of a task or its result: what the kernel takes in one piece


def install() -> None:
    """Have the cluster of this process, not yet begun, use these."""
    django_q.cluster.Queue, django_q.cluster.Value = LastingQueue, lasting_value


class FileLock:
    """A lock between forked processes that the kernel opens when the one that holds it is killed.

    One thread of a process uses it, which may take it again while it holds it.
    """

    def __init__(self) -> None:
        self._file = os.memfd_create("raceday-lock")
        self._depth = 0

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        """Take the lock; `timeout` is not known to it, nor used by q2."""
        if not self._depth:
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | (0 if block else fcntl.LOCK_NB))
            except BlockingIOError:
                return False
        self._depth += 1
        return True

    def release(self) -> None:
        self._depth -= 1
        if not self._depth:
            fcntl.lockf(self._file, fcntl.LOCK_UN)

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def __del__(self) -> None:
        os.close(self._file)


def lasting_value(kind: str, number: float) -> Any:
    """Return a number in shared memory, as multiprocessing.Value does, but a killed holder frees its lock."""
    return multiprocessing.Value(kind, number, lock=FileLock())  # type: ignore[call-overload]  # its stub wants their own


class Packets(Connection):
    """One end of a queue: each message is one packet, which is read whole or not at all."""

    def _send_bytes(self, message: Any) -> None:
        os.write(self.fileno(), message)

    def _recv_bytes(self, maxsize: int | None = None) -> io.BytesIO:
        if not (message := os.read(self.fileno(), MOST_BYTES)):
            raise EOFError
        received = io.BytesIO()
        received.write(message)
        return received


def packets() -> tuple[Packets, Packets]:
    """Return the reading and the writing end of a new channel."""
    reader, writer = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Packets(reader.detach(), writable=False), Packets(writer.detach(), readable=False)


class LastingQueue(django_q.queues.Queue):  # type: ignore[misc]
    """q2's queue with these locks, and messages that are sent and received in one piece."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._reader, self._writer = packets()
        self._reset()
        self._rlock = FileLock()
        self._wlock = FileLock()
        self.size.count = lasting_value("i", 0)
