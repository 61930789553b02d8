"""Looks on while a tree is hurt: what the feed gave, when something good was committed, what a client saw."""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import httpx
import psycopg

from faults.count import Answer, Span, percentile
from faults.tree import Tree

NEWEST = """
SELECT id FROM poll_runs WHERE outcome IN ('changed', 'unchanged', 'late') ORDER BY id DESC LIMIT 1
"""
COMMIT_SECONDS = 0.05
FEED_SECONDS = 0.2
READ_TIMEOUT_SECONDS = 10.0


class _Watcher(threading.Thread):
    """Takes one look after the other, until it is over."""

    def __init__(self, look: Callable[[], None], seconds: float) -> None:
        super().__init__(daemon=True)
        self._look, self._seconds = look, seconds
        self.is_over = False
        self.start()

    def run(self) -> None:
        while not self.is_over:
            began = time.monotonic()
            self._look()
            time.sleep(max(0.0, self._seconds - (time.monotonic() - began)))


class FeedWatch:
    """Every whole answer that the tree's simulator gave."""

    def __init__(self, tree: Tree) -> None:
        self._tree, self._feed, self._next = tree, "", 0
        self.answers: list[Answer] = []
        self.watcher = _Watcher(self._look, FEED_SECONDS)

    def _look(self) -> None:
        with suppress(httpx.HTTPError, OSError, ValueError, KeyError):
            if (feed := self._tree.feed) != self._feed:
                self._feed, self._next = feed, 0
            told = httpx.get(f"{feed}/_served", params={"since": self._next}, trust_env=False, timeout=5).json()
            if told["next"] < self._next:  # a new process at the old address
                self._next = 0
                return
            for each in told["answers"]:
                stamp = datetime.fromisoformat(each["generated_at"])
                self.answers.append(Answer(each["race_id"], stamp, each["sent_at"], each["fault"]))
            self._next = told["next"]


class CommitWatch:
    """The Unix seconds at which a new good PollRun was first seen in the database."""

    def __init__(self, tree: Tree) -> None:
        self._url = tree.database_url
        self._connection: psycopg.Connection[tuple[int]] | None = None
        self._newest = 0
        self.commits: list[float] = []
        self.watcher = _Watcher(self._look, COMMIT_SECONDS)

    def _look(self) -> None:
        try:
            if self._connection is None:
                self._connection = psycopg.connect(
                    self._url, autocommit=True, connect_timeout=2, application_name="raceday-faults"
                )
            row = self._connection.execute(NEWEST).fetchone()
        except psycopg.Error:
            self._connection = None
            return
        if row and row[0] > self._newest:
            self._newest = row[0]
            self.commits.append(time.time())


@dataclass(frozen=True, slots=True)
class Read:
    """What a client got: the status, 0 for no answer, and the seconds it waited for it."""

    path: str
    at: float
    status: int
    seconds: float


class Reader:
    """A client that requests one body again and again."""

    def __init__(self, port: int, path: str, *, times_a_second: float = 2.0) -> None:
        self._port, self._path = port, path
        self.reads: list[Read] = []
        self.watcher = _Watcher(self._look, 1 / times_a_second)

    def _look(self) -> None:
        began, at = time.monotonic(), time.time()
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=READ_TIMEOUT_SECONDS)
        status = 0
        with suppress(OSError, http.client.HTTPException):
            connection.request("GET", self._path)
            response = connection.getresponse()
            response.read()
            status = response.status
        connection.close()
        self.reads.append(Read(self._path, at, status, time.monotonic() - began))


def seen(name: str, reads: Sequence[Read], span: Span) -> str:
    """Return in words what a client saw in `span`: how often something other than 200, and the longest wait."""
    inside = [read for read in reads if span.holds(read.at)]
    others = Counter(read.status for read in inside if read.status != 200)
    told = [f"{count}× {status or 'no answer'}" for status, count in sorted(others.items())] or ["200"]
    return f"{name} {', '.join(told)} ≤ {max((read.seconds for read in inside), default=0.0):.2f} s"


def p99_ms(reads: Sequence[Read], span: Span) -> float:
    """Return the 99th percentile of a client's waits in `span`."""
    return 1000 * percentile([read.seconds for read in reads if span.holds(read.at)], 0.99)
