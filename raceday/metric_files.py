"""The files in which a process counts for /metrics: mapped into memory, with their room on the disk taken before."""

import mmap
import os
import socket
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict

FIRST_BYTES = 65_536
EMPTY_USED = 8  # of a file: its own length, and padding
LENGTH_AND_NUMBERS = 4 + 8 + 16  # bytes beside its name that a value may take

log = structlog.get_logger(__name__)
_told: set[str] = set()


class MetricsFile(MmapedDict):
    """prometheus' dict of numbers, without a sparse file: on a full disk, writing to a new page of one is a SIGBUS.

    If there is no room, it counts in this process's memory, which a scrape does not see. The next process tries again.
    """

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        try:
            reserve(Path(filename))
            super().__init__(filename, read_mode)  # type: ignore[no-untyped-call]
        except OSError as fault:
            _tell(fault)
            self._fname, self._positions = filename, {}
            self._use_memory(FIRST_BYTES, EMPTY_USED.to_bytes(4, "little") + bytes(4))

    def _init_value(self, key: str) -> None:
        needed = self._used + len(key.encode()) + LENGTH_AND_NUMBERS
        if needed > self._capacity:
            self._grow(needed)
        super()._init_value(key)  # type: ignore[no-untyped-call]

    def _grow(self, needed: int) -> None:
        capacity = self._capacity
        while capacity < needed:
            capacity *= 2
        if self._f is not None:
            try:
                os.posix_fallocate(self._f.fileno(), 0, capacity)
                self._m, self._capacity = mmap.mmap(self._f.fileno(), capacity), capacity
                return
            except OSError as fault:
                _tell(fault)
                self._f.close()
        self._use_memory(capacity, self._m[: self._used])

    def _use_memory(self, capacity: int, content: bytes) -> None:
        self._f: Any = None
        self._m = mmap.mmap(-1, capacity)
        self._m[: len(content)] = content
        self._used, self._capacity = len(content), capacity


def reserve(path: Path) -> None:
    """Create a file of zeros with real disk blocks, or fill one that lacks them; OSError if there is no room.

    A rename puts it in place, so no scrape sees it empty.
    """
    if path.exists():
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, max(FIRST_BYTES, path.stat().st_size))
        return
    new = path.with_suffix(".new")
    try:
        with new.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, FIRST_BYTES)
        new.rename(path)
    except OSError:
        with suppress(OSError):
            new.unlink()
        raise


def install() -> None:
    """Make all new metrics store their numbers in such files, one set for each process."""
    values.MmapedDict = MetricsFile  # type: ignore[attr-defined]  # an import of theirs
    values.ValueClass = values.MultiProcessValue(process_name)  # type: ignore[no-untyped-call]
    os.register_at_fork(after_in_child=process_name.cache_clear)


@cache  # prometheus calls it at each count
def process_name() -> str:
    """Return what names this process among those of all containers that share the folder."""
    return f"{socket.gethostname()}-{os.getpid()}"


def _tell(fault: OSError) -> None:
    if "no room" not in _told:
        _told.add("no room")
        log.warning("metrics_not_shared", fault=str(fault))
