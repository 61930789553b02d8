"""What a process asks of kernel and interpreter: end with its parent, open many files, never pause for long."""

import ctypes
import gc
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path

PR_SET_PDEATHSIG = 1
REVIVED = "RACEDAY_REVIVED"  # in the environment of a program that takes the place of one that crashed
LIBC = ctypes.CDLL(None)


def die_with_parent(number: signal.Signals) -> Callable[[], None]:
    """Return a function for a child to call before exec: it gets signal `number` when this process dies."""
    parent = os.getpid()

    def tie() -> None:
        tie_to_parent(number)
        if os.getppid() != parent:
            os._exit(1)

    return tie


def tie_to_parent(number: signal.Signals) -> None:
    """Have the kernel send this process `number` when its parent dies."""
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_PDEATHSIG, int(number))


def raise_file_limit() -> None:
    """Let this process have as many files, and so connections, as the system allows it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def freeze_imports() -> None:
    """Have the garbage collector pass over all that is loaded: a look through it takes a tenth of a second."""
    gc.freeze()


def kill(target: int, number: int) -> bool:
    """Signal a process, or a group if `target` is negative; return False if it no longer exists."""
    try:
        os.kill(target, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def is_running(pid: int) -> bool:
    """Tell whether a process is there and more than a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return sys.platform != "linux" and kill(pid, 0)
    return state != "Z"
