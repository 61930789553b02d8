"""The tree to hurt: a real `./run demo` in its own data folder, its processes by what they do, and its feed."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
import psutil  # type: ignore[import-untyped]
import psycopg
import redis

from raceday import home
from raceday.clock import Clock, parse_clock
from raceday.processes import die_with_parent

SPEED = 5
READY_MARK = "Ctrl-C stops it"
READY_SECONDS = 90.0
STOP_SECONDS = 15.0
BACK_SECONDS = 60.0
FIND_SECONDS = 10.0
LOOK_SECONDS = 0.02
# Two seconds of the machine: a leader that takes over polls all races within 1.2 s and then again at the next poll,
# and the pause in between must be short against the gaps that are to be seen.
CADENCES = {"FAR": "10", "NEAR": "10", "SOON": "10", "CLOSING": "5", "SETTLING": "10"}
SETTINGS = {f"CADENCE_{name}_SECONDS": seconds for name, seconds in CADENCES.items()} | {
    "DATABASE_URL": "",
    "REDIS_URL": "",
    "DB_POOL_MAX": "40",  # two trees share one server, and we look on
    "RATE_LIMIT_PER_MINUTE": "0",
    "RATE_LIMIT_EXPENSIVE_PER_5_MINUTES": "0",
    "LOG_LEVEL": "INFO",
}


class FaultsError(RuntimeError):
    """A sentence that says why a fault cannot be tried."""


class NotAllowedError(RuntimeError):
    """What this machine does not let us do, in one sentence."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """One process of `manage.py qcluster` and its children, as process ids from q2."""

    name: str
    parent: int
    workers: list[int]
    monitor: int
    pusher: int


@dataclass(slots=True, kw_only=True)
class Tree:
    """A running demo. `settings` are its own beside SETTINGS, the servers of another tree among them."""

    root: Path
    port: int
    speed: int = SPEED
    settings: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    clocks: list[Clock] = field(default_factory=list)

    @property
    def database_url(self) -> str:
        return self.settings.get("DATABASE_URL") or home.database_url(self.root)

    @property
    def redis_url(self) -> str:
        return self.settings.get("REDIS_URL") or home.redis_url(self.root)

    @property
    def said(self) -> Path:
        """Where the supervisor writes what it would tell a person."""
        return self.root.with_suffix(".said")

    @property
    def feed(self) -> str:
        """The simulator's address; it moves when the tree is started again."""
        parts = urlsplit(self._running()["NZTAB_API_URL"])
        return f"{parts.scheme}://{parts.netloc}"

    def _running(self) -> dict[str, str]:
        return cast(dict[str, str], json.loads((self.root / "running.json").read_text()))

    def real(self, shown: float) -> float:
        """Return when Raceday's clock showed an instant, both Unix seconds; each start has a clock of its own."""
        clock = next((each for each in reversed(self.clocks) if each.shown <= shown), self.clocks[0])
        return clock.real + (shown - clock.shown) / clock.speed

    def start(self) -> None:
        """Start the demo and wait until it says that it is ready."""
        with self.said.open("wb") as out:
            self.process = process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "raceday.run.supervisor",
                    "demo",
                    "--port",
                    str(self.port),
                    "--speed",
                    str(self.speed),
                ],
                env={**os.environ, **SETTINGS, **self.settings, "RACEDAY_HOME": str(self.root)},
                stdout=out,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 no thread of ours is in a lock
            )
        try:
            await_true(lambda: READY_MARK in self.said.read_text() or process.poll() is not None, READY_SECONDS)
        except FaultsError:
            self.stop()
        if READY_MARK not in self.said.read_text():
            raise FaultsError(f"the tree did not start: {' '.join(self.said.read_text().split())[-300:]}")
        self.clocks.append(parse_clock(self._running()["RACEDAY_CLOCK"]))

    def stop(self) -> None:
        """Stop the demo as a person would; kill what is left of it."""
        if self.process is None or self.process.poll() is not None:
            return
        family = self.family()
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_SECONDS)
        for process in [*family, self.process]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()

    def family(self) -> list[psutil.Process]:
        """Return every process below the supervisor, those of the servers included."""
        assert self.process is not None  # started
        with suppress(psutil.NoSuchProcess):
            return list(psutil.Process(self.process.pid).children(recursive=True))
        return []

    def programs(self, part: str) -> list[psutil.Process]:
        """Return the supervisor's own children whose command line holds `part`."""
        assert self.process is not None  # started
        children = psutil.Process(self.process.pid).children()
        found = [process for process in children if part in " ".join(process.cmdline())]
        return [
            process for process in found if process.cmdline()[1:3] != ["-m", "raceday.run.supervisor"]
        ]  # the reaper

    def clusters(self) -> list[Cluster]:
        """Return the clusters of this tree, from what q2 writes in Valkey; a cluster may have several processes."""
        parents = {process.pid: process for process in self.programs("qcluster")}
        found = []
        for stat in self._stats():
            parent = parents.get(stat.pid)
            if parent is not None and all(psutil.pid_exists(pid) for pid in stat.workers):
                name = parent.environ().get("Q_CLUSTER_NAME", "default")
                found.append(Cluster(name, stat.pid, list(stat.workers), stat.monitor, stat.pusher))
        return found

    def _stats(self) -> Iterator[Any]:
        from django_q.signing import SignedPackage  # noqa: PLC0415 - needs Django's settings

        with redis.Redis.from_url(self.redis_url, socket_timeout=2) as client:
            for key in client.scan_iter("django_q:*:cluster:*"):
                if signed := client.get(key):
                    yield SignedPackage.loads(cast(bytes, signed).decode())

    def cluster(self, name: str) -> list[Cluster]:
        """Return the processes of one cluster; of `write` the lanes, or `default` where that writes."""
        found: list[Cluster] = []

        def is_found() -> bool:
            told = self.clusters()
            found[:] = [each for each in told if each.name == name or each.name.startswith(f"{name}-")]
            if not found and name == "write":
                found[:] = [each for each in told if each.name == "default"]
            return bool(found)

        await_true(is_found, FIND_SECONDS)
        return found

    def leader(self) -> psutil.Process:
        """Return the one poller that talks to the feed."""
        leaders: list[psutil.Process] = []

        def is_found() -> bool:
            workers = [psutil.Process(pid) for each in self.cluster("control") for pid in each.workers]
            leaders[:] = [worker for worker in workers if self._talks_to_feed(worker)]
            return len(leaders) == 1

        await_true(is_found, FIND_SECONDS)
        return leaders[0]

    def _talks_to_feed(self, worker: psutil.Process) -> bool:
        port = urlsplit(self.feed).port
        with suppress(psutil.NoSuchProcess):
            return any(each.raddr and each.raddr.port == port for each in worker.net_connections("tcp"))
        return False

    def control(self, **fault: object) -> None:
        """Switch a misbehaviour of the feed on; `fault=None` switches all off."""
        httpx.post(f"{self.feed}/_control", json=fault, trust_env=False).raise_for_status()

    def await_servers(self) -> None:
        """Wait until a new connection to either server is answered."""
        await_true(self._servers_answer, BACK_SECONDS)

    def _servers_answer(self) -> bool:
        try:
            with psycopg.connect(self.database_url, connect_timeout=2, application_name="raceday-faults") as server:
                server.execute("SELECT 1")
            with redis.Redis.from_url(self.redis_url, socket_timeout=2) as client:
                return bool(client.ping())
        except (psycopg.Error, redis.RedisError):
            return False


def beside(first: Tree, port: int) -> Tree:
    """Return a second tree on the servers of the first, with the same racing day."""
    root = first.root.with_name(f"{first.root.name}-second")
    root.mkdir()
    root.chmod(0o711)
    shutil.copy(first.root / "demo.json", root)
    return Tree(root=root, port=port, settings={"DATABASE_URL": first.database_url, "REDIS_URL": first.redis_url})


def await_true(is_so: Callable[[], bool], seconds: float) -> None:
    """Wait until something is so; FaultsError after so many seconds."""
    give_up = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > give_up:
            raise FaultsError(f"waited {seconds:.0f} s in vain")
        time.sleep(LOOK_SECONDS)


def free_port() -> int:
    """Return a port whose next port is free too: a demo's streams take it."""
    while True:
        with socket.socket() as probe, socket.socket() as next_one, suppress(OSError, OverflowError):
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
            next_one.bind(("127.0.0.1", port + 1))
            return port
