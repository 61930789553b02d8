"""A command that runs before the user's eyes: it gets their signals, and the rest of the tree is tended meanwhile."""

import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from raceday.processes import kill
from raceday.run.process import Child, ProcessTree, Program, StoppedError, take_signal

INTERRUPT_SECONDS = 3.0


def foreground(
    tree: ProcessTree, arguments: Sequence[str], env: Mapping[str, str], *, is_interactive: bool = False
) -> int:
    """Run Python on `arguments` before the user's eyes and return its exit code.

    Raises StoppedError when a signal ended it. An interactive one gets the terminal's Ctrl-C itself and may live on.
    """
    return end_of(tree, tree.start(command(arguments, env, is_interactive=is_interactive)))


def command(
    arguments: Sequence[str], env: Mapping[str, str], *, log: Path | None = None, is_interactive: bool = False
) -> Program:
    """Describe Python on `arguments`; without a log it writes before the user's eyes."""
    return Program(
        name="command",
        argv=[sys.executable, *arguments],
        env=env,
        log=log,
        stdout=None if log else sys.stdout.fileno(),
        orphan_signal=signal.SIGTERM,
        restarts=False,
        is_interactive=is_interactive,
    )


def end_of(tree: ProcessTree, child: Child) -> int:
    """Wait for a command to end, pass signals on to it and return its exit code."""
    while (code := child.process.poll()) is None:
        number = take_signal()
        if number and not (child.program.is_interactive and number == signal.SIGINT):
            interrupt(child, number)
            tree.forget(child)
            raise StoppedError(number)
        tree.tend()
        time.sleep(0.05)
    tree.forget(child)
    return code if code >= 0 else 128 - code


def interrupt(child: Child, number: int) -> None:
    """Pass a signal on and leave its receivers a moment to end well."""
    group = -child.process.pid
    give_up = time.monotonic() + INTERRUPT_SECONDS
    kill(child.process.pid if child.program.is_interactive else group, number)
    while time.monotonic() < give_up and (child.process.poll() is None or kill(group, 0)):
        time.sleep(0.05)
