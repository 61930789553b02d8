"""What is done to a tree and undone again. Every signal goes to a process of our own tree, by its number."""

import signal
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from faults.questions import Questions
from faults.tree import Tree, await_true

UNFINISHED = 50
FIND_SECONDS = 10.0
TERMINATE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND application_name <> 'raceday-faults'
"""


@dataclass(slots=True, kw_only=True)
class Scene:
    """The tree that is hurt, perhaps a second one beside it, and what a fault leaves to its undoing."""

    tree: Tree
    second: Tree | None = None
    sockets: list[socket.socket] = field(default_factory=list)


Deed = Callable[[Scene], None]


def nothing(scene: Scene) -> None:
    """Leave all as it is."""


def send(number: signal.Signals, processes: Iterable[psutil.Process]) -> None:
    """Signal processes; ignore one that no longer exists."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def kill(pids: Iterable[int]) -> None:
    """Kill -9."""
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            psutil.Process(pid).kill()


# ── Our own processes ───────────────────────────────────────────────────────────────────────────


def kill_leader(scene: Scene) -> None:
    scene.tree.leader().kill()


def kill_leaders_parent(scene: Scene) -> None:
    leader = scene.tree.leader().pid
    kill(each.parent for each in scene.tree.cluster("control") if leader in each.workers)


def kill_parent(name: str) -> Deed:
    return lambda scene: kill(each.parent for each in scene.tree.cluster(name))


def kill_monitor(scene: Scene) -> None:
    kill(each.monitor for each in scene.tree.cluster("write"))


def kill_pusher(scene: Scene) -> None:
    kill(each.pusher for each in scene.tree.cluster("write"))


def kill_worker(name: str, is_wanted: Callable[[int], bool]) -> Deed:
    """Kill -9 the first worker of a cluster that is seen doing what is wanted."""

    def deed(scene: Scene) -> None:
        workers = [pid for each in scene.tree.cluster(name) for pid in each.workers]
        chosen: list[int] = []

        def is_found() -> bool:
            chosen[:] = [pid for pid in workers if is_wanted(pid)][:1]
            return bool(chosen)

        await_true(is_found, FIND_SECONDS)
        kill(chosen)

    return deed


def _doing(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/syscall").read_text().split()[0]
    return "gone"


def is_busy(pid: int) -> bool:
    return _doing(pid) == "running"


def is_idle(pid: int) -> bool:
    """Tell whether a process slept in one and the same call for a tenth of a second."""
    first = _doing(pid)
    for _ in range(10):
        time.sleep(0.01)
        if _doing(pid) != first:
            return False
    return first not in {"running", "gone"}


def kill_program(part: str) -> Deed:
    return lambda scene: send(signal.SIGKILL, scene.tree.programs(part))


def stop_leader(scene: Scene) -> None:
    scene.tree.leader().suspend()


def continue_all(scene: Scene) -> None:
    send(signal.SIGCONT, scene.tree.family())


def stop(part: str) -> Deed:
    """SIGSTOP a program and all below it."""

    def deed(scene: Scene) -> None:
        for program in scene.tree.programs(part):
            send(signal.SIGSTOP, [program, *program.children(recursive=True)])

    return deed


def kill_supervisor(scene: Scene) -> None:
    assert scene.tree.process is not None  # started
    scene.tree.process.kill()
    scene.tree.process.wait()


def start_again(scene: Scene) -> None:
    scene.tree.start()


def send_unfinished(scene: Scene) -> None:
    head = b"POST /api/user-alert-configs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    for _ in range(UNFINISHED):
        sender = socket.create_connection(("127.0.0.1", scene.tree.port), timeout=2)
        sender.sendall(head + b'Content-Length: 1000\r\n\r\n{"user')
        scene.sockets.append(sender)


def hang_up(scene: Scene) -> None:
    while scene.sockets:
        scene.sockets.pop().close()


# ── Servers ─────────────────────────────────────────────────────────────────────────────────────


def signal_servers(number: signal.Signals, *parts: str) -> Deed:
    return lambda scene: send(number, [process for part in parts for process in scene.tree.programs(part)])


def restart_both(scene: Scene) -> None:
    signal_servers(signal.SIGINT, "postgres")(scene)
    signal_servers(signal.SIGTERM, "valkey")(scene)


def await_servers(scene: Scene) -> None:
    time.sleep(0.1)  # a process that was told to end may still answer
    scene.tree.await_servers()


def terminate_backends(scene: Scene) -> None:
    with Questions(scene.tree).connect() as server:
        server.execute(TERMINATE)


def fill_disk(scene: Scene) -> None:
    with suppress(OSError), (scene.tree.root / "filling").open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 65536)


def free_disk(scene: Scene) -> None:
    (scene.tree.root / "filling").unlink()
    scene.tree.await_servers()


# ── The feed ────────────────────────────────────────────────────────────────────────────────────


def switch_on(fault: str, **options: object) -> Deed:
    return lambda scene: scene.tree.control(fault=fault, **options)


def switch_off(scene: Scene) -> None:
    scene.tree.control(fault=None)


def give_another_race(scene: Scene) -> None:
    scene.tree.control(fault="other_race", other=Questions(scene.tree).live_races()[0])


# ── Two trees ───────────────────────────────────────────────────────────────────────────────────


def kill_first_tree(scene: Scene) -> None:
    """Kill -9 what the first tree runs but the servers and its feed; its supervisor is stopped, or it would heal."""
    assert scene.tree.process is not None  # started
    scene.tree.leader()  # FaultsError unless the first leads
    scene.tree.process.send_signal(signal.SIGSTOP)
    # All are looked up before any is killed: a child of a stopped supervisor stays a zombie, which has no command line.
    found = [program for part in ("qcluster", "raceday.web", "asgi") for program in scene.tree.programs(part)]
    for program in found:
        send(signal.SIGKILL, [*program.children(recursive=True), program])


def wake_first_supervisor(scene: Scene) -> None:
    assert scene.tree.process is not None  # started
    scene.tree.process.send_signal(signal.SIGCONT)
