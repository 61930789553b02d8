"""The process tree of `./run demo` and `./run live`: what is started in which order, and what keeps it going."""

import http.client
import os
import select
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from raceday import home
from raceday.run.demo_day import season_file, start_simulator
from raceday.run.embedded import addresses, start_servers
from raceday.run.process import ProcessTree, Program, StartError, StoppedError, pause, run, say
from raceday.run.running import announce, environment, lock
from raceday.run.server_files import make_home

PYTHON = sys.executable
# Two of `control`: one polls while the other stands by.
CLUSTERS = {"control": "control", "standby": "control", "write-0": "write-0", "write-1": "write-1"}
CLUSTERS |= {"publish": "publish", "default": "default"}
# Django's checks load all addresses. These clusters need them before a worker is forked. The others need none, and work
# again sooner after a crash without the checks, which `prepare` makes at each start.
CHECKED = {"publish", "default"}
SPARE_CONNECTIONS = 15  # for psql, migrations and the supervisor, beside DB_POOL_MAX
READY_SECONDS = 30.0
HEALTHY_SECONDS = 10.0
TEND_SECONDS = 0.1
MIGRATED_MARK = "database ready"  # what manage.py prepare says
FAILURE_MARK = "the day was not imported"
REFUSAL_MARK = "refused: "
LOGIN_MARK = "admin login: "
WEB = ["-m", "raceday.web", "config.wsgi:server"]
STREAM = ["-m", "config.asgi", "--host", "127.0.0.1"]
LIVE_SETTINGS = {
    "NZTAB_FROM": "your e-mail address",
    "NZTAB_PARTNER": "the name the feed knows you by",
    "NZTAB_PARTNER_ID": "your number at the feed",
}


def demo(*, port: int, speed: float, is_fresh: bool = False) -> int:
    """Run race days of our own until a signal ends them, on an empty home if `is_fresh`."""
    if is_fresh:
        empty(home.home())
    return run_tree("demo", port=port, speed=speed)


def live(*, port: int) -> int:
    """Run Raceday on the real feed until a signal ends it."""
    missing = [name for name in LIVE_SETTINGS if not os.environ.get(name)]
    for name in missing:
        say(f"setting {name} is missing: {LIVE_SETTINGS[name]}, sent with each question to the feed.")
    return 2 if missing else run_tree("live", port=port, speed=None)


def run_tree(command: str, *, port: int, speed: float | None) -> int:
    """Start the whole tree, say what is where and keep it going; `speed` None is the real clock."""
    root = home.home()
    make_home(root)
    with lock(root, command):
        keep_apart(root, command)
        for number in (port, port + 1):
            check_port(number)
        check_settings(root)
        progress("waiting for PostgreSQL and Valkey")
        try:
            with ProcessTree() as tree:
                env = environment(root, start_servers(tree, root, connections=connections())) | make_metrics(root)
                logs = None if speed is None else root / "logs"
                env |= {"WEB_PORT": str(port), "STREAM_PORT": str(port + 1)}
                if speed is not None:
                    env |= start_simulator(tree, root, env=env, speed=speed)
                announce(root, env)
                start_programs(tree, env, logs=logs, port=port)
                while True:
                    tree.tend()
                    pause(TEND_SECONDS)
        except StoppedError:
            sys.stdout.write("\nRaceday has stopped.\n")
    return 0


# ── Before anything is started ──────────────────────────────────────────────────────────────────


def keep_apart(root: Path, command: str) -> None:
    """Refuse to mix the demo's invented races with real ones in the home's own database."""
    other = "live" if command == "demo" else "demo"
    if os.environ.get("DATABASE_URL"):
        return
    if (root / f"{other}.json").exists():
        raise StartError(f"{root} holds the races of `./run {other}`: set RACEDAY_HOME to another folder.")
    if command == "live":
        (root / "live.json").touch()


def empty(root: Path) -> None:
    """Remove what a demo stored in its home; StartError when it may be anything else."""
    if os.environ.get("DATABASE_URL") or os.environ.get("REDIS_URL"):
        raise StartError("--fresh empties only servers of the demo's own: unset DATABASE_URL and REDIS_URL.")
    if not root.exists():
        return
    if not season_file(root).exists() and any(root.iterdir()):
        raise StartError(f"--fresh empties only the data of a demo, and {root} holds something else.")
    with lock(root, "demo --fresh"):
        for folder in ("postgres", "valkey"):
            if (root / folder).exists():
                shutil.rmtree(root / folder)
        season_file(root).unlink(missing_ok=True)  # last: it says whose the folder is


def check_port(port: int) -> None:
    """Refuse a port that something else listens on; the streams take the one after the web's."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OverflowError:
            raise StartError(f"port {port} cannot be used (there is none): choose another with --port.") from None
        except OSError as fault:
            raise StartError(f"port {port} cannot be used ({fault.strerror}): choose another with --port.") from None


def check_settings(root: Path) -> None:
    """Let the settings tell their faults, and end as they end."""
    program = Program(
        name="settings", argv=[PYTHON, "-c", "import config.settings"], env=environment(root, addresses(root))
    )
    if code := run(program)[0]:
        raise SystemExit(code)


def connections() -> int:
    """Return how many connections the embedded PostgreSQL admits."""
    limit = os.environ.get("DB_POOL_MAX", "")
    return (int(limit) if limit.isdecimal() else 12) + SPARE_CONNECTIONS


def make_metrics(root: Path) -> dict[str, str]:
    """Empty the folder in which the processes of this tree add up their metrics."""
    folder = home.metrics_folder(root)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    return {"PROMETHEUS_MULTIPROC_DIR": str(folder)}


# ── Starting ────────────────────────────────────────────────────────────────────────────────────


def start_programs(tree: ProcessTree, env: Mapping[str, str], *, logs: Path | None, port: int) -> None:
    """Start all programs and say what is where."""

    def program(name: str, *arguments: str) -> Program:
        own = {"Q_CLUSTER_NAME": CLUSTERS[name]} if name in CLUSTERS else {}
        log = logs / f"{name}.log" if logs else None
        return Program(name=name, argv=[PYTHON, *arguments], env={**env, **own}, log=log)

    login = "as before (./run manage changepassword admin)"
    tree.start(program("web", *WEB, "--port", str(port)))
    tree.start(program("stream", *STREAM, "--port", str(port + 1)))
    progress("preparing the database")
    for line in follow(tree, program("prepare", "manage.py", "prepare")):
        if line.startswith(LOGIN_MARK):
            login = line.removeprefix(LOGIN_MARK) + " (shown only now)"
            continue
        if line.startswith(REFUSAL_MARK):
            raise StartError(line.removeprefix(REFUSAL_MARK), code=1)
        if line == MIGRATED_MARK:
            for name in CLUSTERS:
                tree.start(program(name, "manage.py", "qcluster", *([] if name in CHECKED else ["--skip-checks"])))
        (say if line.startswith(FAILURE_MARK) else progress)(line)
    await_web(tree, port)
    page = "welcome" if env.get("DEMO") == "true" else ""
    show(port, login=login, root=Path(env["RACEDAY_HOME"]), logs=logs, page=page)


def follow(tree: ProcessTree, program: Program) -> Iterator[str]:
    """Run a program with an end, yield what it says by lines, and raise StartError if it fails."""
    child = tree.start(replace(program, stdout=subprocess.PIPE, restarts=False))
    assert child.process.stdout is not None  # noqa: S101 asked for above
    pipe, rest = child.process.stdout.fileno(), b""
    while True:
        if select.select([pipe], [], [], 0)[0]:
            if not (chunk := os.read(pipe, 65536)):
                break
            *lines, rest = (rest + chunk).split(b"\n")
            yield from (line.decode(errors="replace") for line in lines)
        tree.tend()
        pause(0.02)
    code = child.process.wait()
    tree.forget(child)
    if code:
        where = f"log: {program.log}" if program.log else "see above"
        raise StartError(f"the database could not be prepared ({where}).", code=1)


def await_web(tree: ProcessTree, port: int) -> None:
    """Wait until the web server answers, and a little longer for the answer to be good."""
    progress("waiting for the web server")
    began = time.monotonic()
    while (status := health_status(port)) in {None, 503}:
        waited = time.monotonic() - began
        if status is None and waited > READY_SECONDS:
            raise StartError(f"the web server did not answer within {READY_SECONDS:.0f} s.", code=1)
        if status is not None and waited > HEALTHY_SECONDS:
            return
        tree.tend()
        pause(0.1)


def health_status(port: int) -> int | None:
    """Ask the web server how it is and return the status, None when there is no answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


# ── What the person at the terminal sees ────────────────────────────────────────────────────────


def progress(text: str) -> None:
    """Show how far the start is: in one line that changes on a terminal, else line by line."""
    sys.stdout.write(f"\r\x1b[K{text} …" if sys.stdout.isatty() else f"{text}\n")
    sys.stdout.flush()


def show(port: int, *, login: str, root: Path, logs: Path | None, page: str) -> None:
    """Print what is where."""
    web = f"http://127.0.0.1:{port}"
    rows = {
        "page": f"{web}/{page}",
        "API": f"{web}/api/",
        "API docs": f"{web}/api/docs",
        "streams": f"http://127.0.0.1:{port + 1}/api/stream, or {web}/api/stream, which leads there",
        "health": f"{web}/health",
        "admin": f"{web}/admin/",
        "login": login,
        "data": str(root),
        "logs": str(logs) if logs else "here",
    }
    lines = [f"  {name:<9} {where}\n" for name, where in rows.items()]
    start = "\r\x1b[K" if sys.stdout.isatty() else ""
    sys.stdout.write(f"{start}\nRaceday is ready.\n\n{''.join(lines)}\nCtrl-C stops it; the data stays.\n")
    sys.stdout.flush()
