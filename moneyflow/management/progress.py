"""How far a command is: one line a name, kept up to date on a terminal, written once elsewhere."""

from types import TracebackType
from typing import Self

from django.core.management.base import OutputWrapper

SHOWN_EACH = 1000


class Progress:
    """Shows how many of something are done, name by name."""

    def __init__(self, stdout: OutputWrapper, what: str) -> None:
        self._stdout, self._what = stdout, what
        self._name, self._done = "", 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def show(self, name: str, done: int) -> None:
        """Say that so many are done; a new name begins a new line."""
        if name != self._name:
            self._end()
        self._name, self._done = name, done
        if self._stdout.isatty() and done % SHOWN_EACH == 0:
            self._stdout.write(f"\r{self._line()}", ending="")
            self._stdout.flush()

    def _end(self) -> None:
        if self._name:
            self._stdout.write(f"\r{self._line()}" if self._stdout.isatty() else self._line())
        self._name = ""

    def _line(self) -> str:
        return f"{self._name}: {self._done:,} {self._what}"
