"""The real process tree: started, looked at, hurt and stopped, and nothing of it left behind."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from shutil import rmtree
from urllib.parse import quote, urlencode

import httpx
import psutil  # type: ignore[import-untyped]
import pytest
from django.conf import settings
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from raceday.processes import die_with_parent, is_running
from raceday.run.supervisor import NOWHERE, elsewhen
from raceday.run.tree import empty, health_status
from tests.support.isolation import free_port
from tests.support.paths import ROOT
from tests.support.scrape import total
from tests.support.streams import eventually

NO_SETTINGS = dict.fromkeys(("DATABASE_URL", "REDIS_URL", "NZTAB_FROM", "NZTAB_PARTNER", "NZTAB_PARTNER_ID"), "")


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="raceday-"))
    path.chmod(0o711)
    yield path
    rmtree(path)


def start(folder: Path, *arguments: str, **settings: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "raceday.run.supervisor", *arguments],
        cwd=ROOT,
        env={**os.environ, **NO_SETTINGS, "RACEDAY_HOME": str(folder), **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 no thread of ours is in a lock
    )


def said_by(folder: Path, *arguments: str, **settings: str) -> tuple[int, str]:
    process = start(folder, *arguments, **settings)
    said, _ = process.communicate(timeout=60)
    return process.returncode, said


def await_ready(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    said = ""
    for line in process.stdout:
        said += line
        if "Ctrl-C stops it" in line:
            return said
    raise AssertionError(said)


def descendants(process: subprocess.Popen[str]) -> list[psutil.Process]:
    family: list[psutil.Process] = psutil.Process(process.pid).children(recursive=True)
    return family


def left_over(family: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Zombies do not count: they wait for the machine's init, not for us."""
    _, alive = psutil.wait_procs(family, timeout=seconds)
    return [process for process in alive if is_running(process.pid)]


def listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def find(processes: list[psutil.Process], part: str) -> psutil.Process:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if part in " ".join(process.cmdline()):
                return process
    raise AssertionError(f"no {part}")


def test_a_demo_starts_heals_is_shared_and_stops_without_a_trace(folder: Path) -> None:
    port = free_port()
    demo = start(folder, "demo", "--port", str(port), "--speed", "20")
    said = await_ready(demo)
    assert re.search(r"login +admin / \S{12,} ", said)
    assert f"http://127.0.0.1:{port}/admin/" in said
    family = descendants(demo)

    code, refusal = said_by(folder, "demo", "--port", str(free_port()))
    assert (code, refusal) == (2, f"raceday: {folder} is already running `./run demo` (pid {demo.pid}).\n")

    shell = "from raceday.clock import CLOCK; from config import settings; print(CLOCK.speed, settings.NZTAB_API_URL)"
    code, answer = said_by(folder, "manage", "shell", "--no-imports", "-c", shell)
    assert code == 0
    assert re.fullmatch(r"20\.0 http://127\.0\.0\.1:\d+/affiliates/v1\n", answer)

    for part in ("raceday.web", "config.asgi", "bin/postgres", "qcluster"):
        find(family, part).kill()
    eventually(lambda: find(family, "simulator").is_running() and health_status(port) == 200)
    eventually(lambda: listens(port + 1))
    metrics = f"http://127.0.0.1:{port}/metrics"
    eventually(lambda: total(httpx.get(metrics, trust_env=False).text, "raceday_crashes_total") == 1)

    family += descendants(demo)
    demo.send_signal(signal.SIGINT)
    rest, _ = demo.communicate(timeout=4)
    assert "web ended with code -9" in rest
    assert "stream ended with code -9" in rest
    assert "postgres ended with code -9" in rest
    assert demo.returncode == 0
    assert left_over(family, seconds=1) == []


@pytest.mark.usefixtures("unmeasured")
def test_a_killed_demo_leaves_nothing_not_even_without_its_reaper_and_the_next_keeps_the_data(folder: Path) -> None:
    demo = start(folder, "demo", "--port", str(free_port()))
    await_ready(demo)
    family = descendants(demo)
    demo.kill()
    demo.wait()
    again = start(folder, "demo", "--port", str(free_port()))  # at once: it waits until all is cleared away
    assert "login     as before" in await_ready(again)
    assert left_over(family, seconds=0) == []

    family = descendants(again)
    find(family, "raceday.run.supervisor").kill()  # as `pkill -9 -f raceday` would
    again.kill()
    again.wait()
    assert left_over(family, seconds=12) == []


def test_manage_starts_the_servers_it_needs_and_stops_them(folder: Path) -> None:
    shell = "from django.db import connection as c; k = c.cursor(); k.execute('SELECT 40 + 2'); print(k.fetchone())"
    assert said_by(folder, "manage", "shell", "--no-imports", "-c", shell) == (0, "(42,)\n")
    assert not (folder / "postgres" / "postmaster.pid").exists()
    assert said_by(folder, "manage", "shell", "--no-imports", "-c", "raise SystemExit(5)")[0] == 5


def test_a_command_on_a_stopped_demo_asks_nobody_and_the_doctor_says_that_nothing_runs(folder: Path) -> None:
    (folder / "demo.json").write_text("{}")
    assert said_by(folder, "manage", "doctor") == (
        1,
        "Nothing runs here: start it with ./run demo or ./run live, then ask again.\n",
    )
    show = "from django.conf import settings; print(settings.NZTAB_API_URL)"
    assert said_by(folder, "manage", "shell", "--no-imports", "-c", show) == (0, f"{NOWHERE}\n")


def test_a_reader_that_has_seen_enough_ends_a_command_quietly(folder: Path) -> None:
    print_much = "for number in range(100_000): print(number)"
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", print_much]
    env = {**os.environ, "RACEDAY_HOME": str(folder)}
    writer = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert writer.stdout
    assert writer.stderr
    assert writer.stdout.readline() == b"0\n"
    writer.stdout.close()
    assert writer.stderr.read() == b""
    assert writer.wait() == 0


def test_manage_starts_no_server_for_a_command_without_need(folder: Path) -> None:
    code, said = said_by(folder, "manage", "help", "migrate")
    assert code == 0
    assert "usage" in said
    assert not (folder / "postgres").exists()


@pytest.mark.usefixtures("unmeasured")
def test_a_database_that_cannot_be_prepared_is_told_with_its_log(folder: Path) -> None:
    read_only = make_conninfo(settings.DATABASE_URL, options="-c default_transaction_read_only=on")
    url = f"postgresql:///?{urlencode(conninfo_to_dict(read_only), quote_via=quote)}"
    code, said = said_by(folder, "demo", "--port", str(free_port()), DATABASE_URL=url)
    assert code == 1, said
    assert said.endswith(f"raceday: the database could not be prepared (log: {folder}/logs/prepare.log).\n")


def test_a_port_in_use_is_told_in_a_sentence(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        code, said = said_by(folder, "demo", "--port", port)
    assert (code, said.count("\n")) == (2, 1)
    assert f"port {port} cannot be used" in said


def test_a_wrong_setting_is_told_before_anything_starts(folder: Path) -> None:
    code, said = said_by(folder, "demo", "--port", str(free_port()), LOG_LEVEL="LOUD", DB_POOL_MAX="many")
    assert code == 2
    assert said.count("\n") == 2
    assert "setting LOG_LEVEL is wrong" in said
    assert "setting DB_POOL_MAX is wrong" in said
    assert not (folder / "postgres").exists()


def test_live_names_each_setting_it_lacks(folder: Path) -> None:
    code, said = said_by(folder, "live", NZTAB_PARTNER="Someone")
    assert code == 2
    assert re.findall(r"setting (\w+) is missing", said) == ["NZTAB_FROM", "NZTAB_PARTNER_ID"]


def test_live_refuses_to_mix_real_races_with_the_demos(folder: Path) -> None:
    (folder / "demo.json").write_text("{}")
    names = {"NZTAB_FROM": "a@example.org", "NZTAB_PARTNER": "A", "NZTAB_PARTNER_ID": "1"}
    code, said = said_by(folder, "live", "--port", str(free_port()), **names)
    assert code == 2
    assert "holds the races of `./run demo`" in said


@pytest.mark.parametrize("line", ["demo --port 0", "demo --speed -1", "live --speed 2", "check x", "x"])
def test_a_command_line_that_makes_no_sense_is_refused(folder: Path, line: str) -> None:
    code, said = said_by(folder, *line.split())
    assert code == 2
    assert "usage: ./run" in said


@pytest.mark.parametrize("date", ["", "soon", "2027-02-29", "0001-01-01"])
def test_a_date_that_cannot_be_is_told_in_a_sentence(folder: Path, date: str) -> None:
    code, said = said_by(folder, "test", "--on", date)
    assert (code, said) == (2, f"raceday: --on wants a date such as 2028-02-29 or 2027-04-04T02:30, not {date!r}.\n")


@pytest.mark.parametrize(
    ("date", "shown"),
    [
        ("2028-02-29", "2028-02-28T11:00:00+00:00"),
        ("2027-04-04T02:30", "2027-04-03T13:30:00+00:00"),  # the first of two
        ("2027-09-26T02:30", "2027-09-25T14:30:00+00:00"),  # half an hour into one that is not there
        ("2027-12-31T23:50Z", "2027-12-31T23:50:00+00:00"),
    ],
)
def test_on_another_date_it_is_that_for_every_python_and_goes_on(date: str, shown: str) -> None:
    tell = "from raceday.clock import now; print(now().isoformat())"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {tell!r}], check=True)"
    env = os.environ | elsewhen(date)
    told = subprocess.run([sys.executable, "-c", child], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    ahead = datetime.fromisoformat(told.stdout.strip()) - datetime.fromisoformat(shown)
    assert timedelta() < ahead < timedelta(minutes=1)


def test_run_alone_prints_the_commands() -> None:
    said = subprocess.run([ROOT / "run"], cwd="/", capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^  (\w+)", said, re.MULTILINE) == [
        "demo",
        "live",
        "test",
        "check",
        "bench",
        "faults",
        "backup",
        "restore",
        "fmt",
        "manage",
    ]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("demo --speed 0", "a speed is above 0 and at most 1000, such as 20, not '0'"),
        ("demo --speed fast", "a speed is above 0 and at most 1000, such as 20, not 'fast'"),
        ("demo --port 65535", "a port is a number from 1 to 65534, not '65535'"),
        ("live --port web", "a port is a number from 1 to 65534, not 'web'"),
    ],
)
def test_a_wrong_number_is_told_in_a_sentence(folder: Path, line: str, sentence: str) -> None:
    code, said = said_by(folder, *line.split())
    assert code == 2
    assert sentence in said


def test_fresh_empties_the_folder_of_a_demo_and_no_other(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    (folder / "notes.txt").write_text("mine")
    code, said = said_by(folder, "demo", "--fresh", "--port", str(free_port()))
    assert (code, said) == (
        2,
        f"raceday: --fresh empties only the data of a demo, and {folder} holds something else.\n",
    )
    (folder / "demo.json").write_text("{}")
    for name in ("postgres", "valkey"):
        (folder / name).mkdir()
    empty(folder)
    assert {path.name for path in folder.iterdir()} == {"notes.txt", "lock"}
    code, said = said_by(folder, "demo", "--fresh", DATABASE_URL="postgresql://me@/x")
    assert code == 2
    assert "unset DATABASE_URL" in said
