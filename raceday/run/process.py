"""Child processes that cannot outlive Raceday: how they start, are watched and stop. Knows no server and no Django."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType, TracebackType

from raceday.processes import REVIVED, die_with_parent, is_running, kill

LOG_LIMIT_BYTES = 5_000_000  # of each program's log, and as much again of the part before
TRIM_EVERY_SECONDS = 5.0
STOP_SECONDS = 1.5  # for the programs, then as much again for the servers: 3 s in all
ORPHAN_SECONDS = 8.0  # what servers may take to stop once the supervisor itself was killed
STEADY_SECONDS = 30.0  # a child that ran this long has recovered
LONGEST_BACKOFF_SECONDS = 10.0


class StartError(Exception):
    """What stops a command, in one sentence for the person who typed it."""

    def __init__(self, sentence: str, *, code: int = 2) -> None:
        super().__init__(sentence)
        self.code = code


class StoppedError(Exception):
    """A signal asked the command to end."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.strsignal(number))
        self.code = 128 + number


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user of this machine that a child runs as."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """How to start one child: `log` None is the supervisor's own stderr, `is_server` stops after all others.

    `restarts` False is for commands with an end; `is_interactive` ones keep the terminal, and its Ctrl-C.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    log: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL
    account: Account | None = None
    stdout: int | None = None
    is_server: bool = False
    restarts: bool = True
    is_interactive: bool = False


@dataclass(slots=True, kw_only=True)
class Child:
    """One program and the process it runs in just now."""

    program: Program
    process: subprocess.Popen[bytes]
    started: float = field(default_factory=time.monotonic)
    failures: int = 0
    due: float | None = None  # when to start it again


_signals: list[int] = []


def listen_for_signals() -> None:
    """Turn SIGINT, SIGTERM and SIGHUP into StoppedError at the next `pause`."""

    def remember(number: int, _frame: FrameType | None) -> None:
        _signals.append(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, remember)


def take_signal() -> int | None:
    """Hand over the oldest signal nobody has dealt with yet."""
    return _signals.pop(0) if _signals else None


def pause(seconds: float = 0.05) -> None:
    """Sleep, and raise StoppedError once a signal has asked for the end."""
    if not _signals:
        time.sleep(seconds)
    if _signals:
        raise StoppedError(_signals[0])


def say(sentence: str) -> None:
    """Tell the person at the terminal, or the log of whoever started Raceday, one thing; nothing if neither can be had.

    A full disk below that log, or a terminal that was closed, must not end what keeps the processes going.
    """
    start = "\r\x1b[K" if sys.stderr.isatty() else ""
    with suppress(OSError):
        sys.stderr.write(f"{start}raceday: {sentence}\n")
        sys.stderr.flush()


def spawn(program: Program) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, tied to the life of this process."""
    account = program.account
    with open_log(program.log) as log:
        return subprocess.Popen(  # noqa: S603 every argv is ours
            program.argv,
            env=program.env,
            stdin=None if program.is_interactive else subprocess.DEVNULL,
            stdout=log if program.stdout is None else program.stdout,
            stderr=log,
            cwd="/" if account else None,
            start_new_session=not program.is_interactive,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            preexec_fn=die_with_parent(program.orphan_signal),  # noqa: PLW1509 one thread, by design
        )


@contextmanager
def open_log(path: Path | None) -> Iterator[int]:
    """Open a child's log to append, for its owner only, cut first when it has grown large."""
    if path is None:
        yield sys.stderr.fileno()
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    trim_log(path)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.fchmod(file, 0o600)
        yield file
    finally:
        os.close(file)


def trim_log(path: Path) -> None:
    """Put a large log aside, in place of the one that was put aside before, and begin it anew.

    It is copied and emptied: several processes have it open, and all append. A line written meanwhile may be lost; so
    is the older part where the disk is full.
    """
    if not path.exists() or path.stat().st_size <= LOG_LIMIT_BYTES:
        return
    older = path.with_suffix(".1.log")
    with suppress(OSError):
        shutil.copyfile(path, older)
        older.chmod(0o600)
    os.truncate(path, 0)


def start_reaper(scratch: Path | None) -> int:
    """Fork a process that ends the tree when this one dies; returns the pipe to it.

    It reads `program`, `server` or `gone` and a process (negative: its group) a line; the pipe closes with this
    process, even by kill -9. It keeps the home's lock open, so that the next start waits until it has finished.
    """
    read_end, write_end = os.pipe()
    if os.fork():
        os.close(read_end)
        return write_end
    try:
        os.close(write_end)
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        reap(read_end, scratch)
    finally:
        os._exit(0)


def reap(read_end: int, scratch: Path | None) -> None:
    """Wait for the pipe to close, then end everything still named in it."""
    living: dict[int, str] = {}
    with os.fdopen(read_end) as orders:
        for order in orders:
            word, number = order.split()
            living[int(number)] = word
    targets = [target for target, word in living.items() if word != "gone"]
    for target in targets:
        if living[target] == "program":
            kill(target, signal.SIGKILL)
    began = time.monotonic()
    while (waited := time.monotonic() - began) < ORPHAN_SECONDS:
        has_servers = any(is_running(abs(target)) for target in targets)
        if not has_servers and (waited > 1 or not any(kill(target, 0) for target in targets)):
            break
        time.sleep(0.05)
    for target in targets:
        kill(target, signal.SIGKILL)
    if scratch and targets:
        shutil.rmtree(scratch, ignore_errors=True)


class ProcessTree:
    """The children of one command; leaving it as a context leaves no process behind."""

    def __init__(self, scratch: Path | None = None) -> None:
        self.children: list[Child] = []
        self._reaper = start_reaper(scratch)
        self._next_trim = 0.0

    def __enter__(self) -> "ProcessTree":
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
        os.close(self._reaper)

    def start(self, program: Program) -> Child:
        """Start a program and keep watch over it."""
        child = Child(program=program, process=spawn(program))
        self.children.append(child)
        self._report(child)
        return child

    def revive(self, child: Child) -> None:
        """End what is left of a child's group and start it anew."""
        self._bury(child)
        child.process = spawn(replace(child.program, env={**child.program.env, REVIVED: "true"}))
        child.started, child.due = time.monotonic(), None
        self._report(child)

    def forget(self, child: Child) -> None:
        """End a child and watch it no longer."""
        self._bury(child)
        self.children.remove(child)

    def tend(self) -> None:
        """Start again, a little later each time, every child that has ended by itself, and keep all logs short."""
        self._trim_logs()
        for child in self.children:
            if child.program.restarts and child.due is None and child.process.poll() is not None:
                self._schedule(child)
            if child.due is not None and time.monotonic() >= child.due:
                self.revive(child)

    def stop(self) -> None:
        """Stop the programs, then the servers, within 3 s."""
        for are_servers in (False, True):
            chosen = [child for child in self.children if child.program.is_server is are_servers]
            for child in chosen:
                if child.process.poll() is None:
                    kill(child.process.pid, child.program.stop_signal)
            give_up = time.monotonic() + STOP_SECONDS
            while time.monotonic() < give_up and any(child.process.poll() is None for child in chosen):
                time.sleep(0.02)
            for child in chosen:
                self._bury(child)
        self.children.clear()

    def _trim_logs(self) -> None:
        if time.monotonic() < self._next_trim:
            return
        self._next_trim = time.monotonic() + TRIM_EVERY_SECONDS
        for child in self.children:
            if child.program.log:
                trim_log(child.program.log)

    def _schedule(self, child: Child) -> None:
        is_steady = time.monotonic() - child.started > STEADY_SECONDS
        child.failures = 0 if is_steady else child.failures + 1
        delay = min(LONGEST_BACKOFF_SECONDS, 0.1 * 2**child.failures)
        child.due = time.monotonic() + delay
        log = f" (log: {child.program.log})" if child.program.log else ""
        say(f"{child.program.name} ended with code {child.process.returncode}; again in {delay:.1f} s{log}")

    def _bury(self, child: Child) -> None:
        kill(-child.process.pid, signal.SIGKILL)
        child.process.kill()
        child.process.wait()
        self._report(child, is_gone=True)

    def _report(self, child: Child, *, is_gone: bool = False) -> None:
        word = "gone" if is_gone else "server" if child.program.is_server else "program"
        target = child.process.pid if child.program.is_interactive else -child.process.pid
        with suppress(BrokenPipeError):
            os.write(self._reaper, f"{word} {target}\n".encode())


def run(program: Program) -> tuple[int, str]:
    """Run a program to its end and return its exit code and what it wrote."""
    process = spawn(program)
    output, _ = process.communicate()
    pause(0)
    return process.returncode, (output or b"").decode(errors="replace")
