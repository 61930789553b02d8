"""How health asks the databases: with a deadline, whatever state they are in."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from typing import Any, TypeVar

from django.db import Error, connections

DEADLINE_SECONDS = 2.0

T = TypeVar("T")


class Questions:
    """Questions to one kind of server, from a thread of their own: one that hangs costs its first caller 2 s."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, name)
        self._overdue: Future[Any] | None = None

    def ask(self, question: Callable[[], T]) -> T:
        """Return the answer; django.db.Error when there is none in time, at once while an earlier one is overdue."""
        if self._overdue and not self._overdue.done():
            raise Error("an earlier question has no answer yet")
        asked = self._thread.submit(_closing, question)
        try:
            return asked.result(DEADLINE_SECONDS)
        except Late:
            asked.cancel()
            self._overdue = asked
            raise Error(f"no answer within {DEADLINE_SECONDS:g} s") from None


def _closing(question: Callable[[], T]) -> T:
    try:
        return question()
    finally:
        connections.close_all()
