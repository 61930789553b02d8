"""What stands behind `./run`: reads the command line, sets the environment up and hands over to the command."""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from dotenv import load_dotenv

from raceday import home
from raceday.racing_day import nz_instant
from raceday.run import tree as trees
from raceday.run.backup import backup, restore
from raceday.run.demo_day import season_file
from raceday.run.embedded import addresses, start_servers
from raceday.run.foreground import command, end_of, foreground
from raceday.run.process import (
    ProcessTree,
    StartError,
    StoppedError,
    listen_for_signals,
    say,
)
from raceday.run.running import announce, await_joined, environment, lock, running_environment
from raceday.run.server_files import make_home

PYTHON = sys.executable
TEST_CONNECTIONS = 100
MOST_SPEED = 1000
NOWHERE = "http://127.0.0.1:9/the-demo-is-stopped"  # nobody listens there
ELSEWHEN = Path(__file__).parents[2] / "tests" / "support" / "elsewhen"
NEEDS_NO_SERVER = frozenset(
    {"help", "version", "check", "makemigrations", "sqlmigrate", "diffsettings", "findstatic", "collectstatic"}
    | {"spectacular", "makemessages", "compilemessages", "startapp", "startproject"}
)
QUIET = {"LOG_LEVEL": "WARNING"}  # a command speaks for itself: its reader is a person, not a log
APART = ["tests/test_schema.py", "tests/browser"]  # each process that runs them prepares for seconds: one is enough
PYTEST = ["-m", "pytest", "-p", "no:schemathesis", "-p", "no:playwright"]
SUITE = [*PYTEST, "-n", "3", *(f"--ignore={path}" for path in APART)]  # for two cores: many tests wait
REST = ["-m", "pytest", *APART]
# An hour that comes twice, a year's end, a leap day.
SHIFTED_DAYS = ("2027-04-04T02:30", "2027-12-31T23:50", "2028-02-29")
DATE_SENSITIVE = [  # quick tests of what depends on the day; the suite runs all others, on the real one
    *("tests/races", "tests/meetings", "tests/operations", "tests/moneyflow/history", "tests/moneyflow/store"),
    *(f"tests/moneyflow/test_{name}.py" for name in ("commands", "pipeline", "publishing", "samples")),
    "tests/raceday/test_racing_day.py",
    "tests/raceday/published/test_strain.py::test_without_postgresql_published_bodies_still_answer_as_stale_and_the_rest_says_so",
    "tests/moneyflow/polling/test_poller.py::test_the_days_work_is_due_at_midnight_and_at_six_in_new_zealand",
    "--ignore=tests/operations/database/test_health.py",
    "--deselect=tests/operations/cache/test_actions.py::test_hit_rates_add_up_what_every_process_answered",
    "--deselect=tests/operations/test_metrics.py::test_a_scrape_adds_up_what_every_process_saw",
]
CHECKS = {
    "lint": ["-m", "ruff", "check", "."],
    "format": ["-m", "ruff", "format", "--check", "."],
    "types": ["-m", "mypy", "."],
    "imports": ["-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
    "migrations": ["manage.py", "makemigrations", "--check", "--dry-run"],
    "deploy": ["manage.py", "check", "--deploy", "--fail-level", "WARNING"],
    **{day: [*PYTEST, "-n", "2", "-q", *DATE_SENSITIVE] for day in SHIFTED_DAYS},
    "schema and browser": REST,
    "faults": ["-m", "faults", "--short", "--counts"],
    "tests": ["-m", "coverage", "run", *SUITE],
    "coverage": ["-m", "tests.support.covered"],
}
BESIDE = "schema and browser"  # it mostly waits: it begins with the first check and is over before the faults


# ── Commands on throw-away servers ──────────────────────────────────────────────────────────────


@contextmanager
def throw_away(*, is_durable: bool) -> Iterator[tuple[ProcessTree, dict[str, str]]]:
    """Start servers in a home that lasts as long as the context."""
    root = Path(tempfile.mkdtemp(prefix="raceday-"))
    root.chmod(0o711)  # the account of PostgreSQL passes through
    try:
        with ProcessTree(scratch=root) as tree:
            urls = start_servers(tree, root, connections=TEST_CONNECTIONS, is_durable=is_durable)
            own = {"TMPDIR": str(root), "COVERAGE_FILE": str(root / "coverage")}  # all of it goes, even after kill -9
            own |= {"PYTHONDONTWRITEBYTECODE": ""}  # hundreds of processes would compile all of Raceday
            yield tree, environment(root, urls) | own
    finally:
        shutil.rmtree(home.socket_folder(root), ignore_errors=True)
        shutil.rmtree(root, ignore_errors=True)


def test(arguments: Sequence[str]) -> int:
    """Run pytest on throw-away servers, `--on` another date; return its exit code.

    The whole suite runs in three processes, and what is apart after that.
    """
    described = argparse.ArgumentParser(prog="./run test", add_help=False, allow_abbrev=False)
    described.add_argument("--on", metavar="DATE")
    options, rest = described.parse_known_args(arguments)
    shifted = elsewhen(options.on) if options.on is not None else {}
    with throw_away(is_durable=False) as (tree, env):
        parts = [["-m", "pytest", *rest]] if rest else [SUITE, REST]
        return max(foreground(tree, part, env | shifted) for part in parts)


def elsewhen(text: str) -> dict[str, str]:
    """Return what makes it `text` now (an ISO date or datetime, of New Zealand unless it says) for every Python."""
    try:
        told = datetime.fromisoformat(text)
        shown = (told if told.tzinfo else nz_instant(told.date(), told.time())).timestamp()
    except (ValueError, OverflowError):
        raise StartError(f"--on wants a date such as 2028-02-29 or 2027-04-04T02:30, not {text!r}.") from None
    folders = [str(ELSEWHEN), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(folders), "RACEDAY_TEST_ON": f"{time.monotonic()!r},{shown!r}"}


def bench(arguments: Sequence[str]) -> int:
    """Run the benchmarks on throw-away servers that write as safely as real ones."""
    with throw_away(is_durable=True) as (tree, env):
        return foreground(tree, ["-m", "benchmarks", *arguments], env)


def faults(arguments: Sequence[str]) -> int:
    """Run `./run faults`: it starts trees of its own, below a folder that goes with it, even after kill -9."""
    root = Path(tempfile.mkdtemp(prefix="raceday-"))
    root.chmod(0o711)
    try:
        with ProcessTree(scratch=root) as tree:
            return foreground(tree, ["-m", "faults", *arguments], {**os.environ, "TMPDIR": str(root)})
    finally:
        shutil.rmtree(root, ignore_errors=True)


def check() -> int:
    """Run every check, the tests last, and return 1 when one of them failed.

    What runs beside the others is shown in its turn.
    """
    failed = []
    with throw_away(is_durable=False) as (tree, env):
        said = Path(env["TMPDIR"]) / BESIDE
        own = {"PYTEST_XDIST_WORKER": "gw7"}  # by which ports and Valkey's database are its own
        beside = tree.start(command(CHECKS[BESIDE], env | own, log=said))
        for name, arguments in CHECKS.items():
            own = {"HTTPS": "true"} if name == "deploy" else elsewhen(name) if name in SHIFTED_DAYS else {}
            sys.stdout.write(f"── {name}\n")
            sys.stdout.flush()
            if end_of(tree, beside) if name == BESIDE else foreground(tree, arguments, env | own):
                failed.append(name)
            if name == BESIDE:
                sys.stdout.write(said.read_text())
    if failed:
        say(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def fmt() -> int:
    """Put the code into its format and say what it cannot mend."""
    with ProcessTree() as tree:
        codes = [foreground(tree, ["-m", "ruff", *part], dict(os.environ)) for part in (["check", "--fix"], ["format"])]
    return max(codes)


# ── manage ──────────────────────────────────────────────────────────────────────────────────────


def manage(arguments: Sequence[str]) -> int:
    """Run manage.py with the servers of the tree that is up, else with servers of its own."""
    root = home.home()
    if not arguments or arguments[0] in NEEDS_NO_SERVER or {"-h", "--help", "--version"} & set(arguments):
        become_manage(arguments, environment(root, addresses(root)))
    make_home(root)
    if (running := running_environment(root)) is not None:
        become_manage(arguments, environment(root, addresses(root)) | running)
    with lock(root, f"manage {arguments[0]}"), ProcessTree() as tree:
        urls = start_servers(tree, root, connections=trees.connections())
        # The real feed's races must not come among invented ones.
        env = environment(root, urls) | ({"NZTAB_API_URL": NOWHERE} if season_file(root).exists() else {})
        announce(root, env)
        code = foreground(tree, ["manage.py", *arguments], QUIET | env, is_interactive=True)
        await_joined(root)
        return code


def become_manage(arguments: Sequence[str], env: dict[str, str]) -> None:
    """Turn this process into manage.py; it does not come back."""
    os.execve(PYTHON, [PYTHON, "manage.py", *arguments], QUIET | env)  # noqa: S606 no shell is wanted


# ── The command line ────────────────────────────────────────────────────────────────────────────


def port(text: str) -> int:
    """Read `--port`."""
    # The streams take the next one.
    if not (text.isdecimal() and 1 <= int(text) < 65535):
        raise argparse.ArgumentTypeError(f"a port is a number from 1 to 65534, not {text!r}")
    return int(text)


def speed(text: str) -> float:
    """Read `--speed`."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= MOST_SPEED:
        raise argparse.ArgumentTypeError(f"a speed is above 0 and at most {MOST_SPEED}, such as 20, not {text!r}")
    return number


def parser() -> argparse.ArgumentParser:
    """Describe the command line of `./run`."""

    described = argparse.ArgumentParser(prog="./run", allow_abbrev=False)
    commands = described.add_subparsers(dest="command", required=True)
    for name in ("demo", "live"):
        tree = commands.add_parser(name, allow_abbrev=False)
        tree.add_argument("--port", type=port, default=8000)
        if name == "demo":
            tree.add_argument("--speed", type=speed, default=1.0)
            tree.add_argument("--fresh", action="store_true")
    for name in ("backup", "restore"):
        # Relative to where the person is, not to the project.
        place = Path(os.environ.get("RACEDAY_CWD", "")).joinpath
        commands.add_parser(name, allow_abbrev=False).add_argument("file", type=place)
    for name in ("check", "fmt"):
        commands.add_parser(name)
    return described


def dispatch(arguments: Sequence[str]) -> int:
    """Run one command of `./run` and return its exit code."""
    if arguments and (command := {"test": test, "bench": bench, "faults": faults, "manage": manage}.get(arguments[0])):
        return command(arguments[1:])  # theirs to parse
    options = parser().parse_args(arguments)
    if options.command == "demo":
        return trees.demo(port=options.port, speed=options.speed, is_fresh=options.fresh)
    if options.command == "live":
        return trees.live(port=options.port)
    if options.command in {"backup", "restore"}:
        return (backup if options.command == "backup" else restore)(options.file)
    return check() if options.command == "check" else fmt()


def main(arguments: Sequence[str]) -> int:
    """Run `./run`, telling what stops it in one sentence with exit 2."""
    listen_for_signals()
    try:
        load_dotenv(Path(".env"))
        return dispatch(arguments)
    except StartError as fault:
        say(str(fault))
        return fault.code
    except StoppedError as stop:
        return stop.code
    except OSError as fault:
        say(f"{fault.strerror or fault}{f': {fault.filename}' if fault.filename else ''}.")
        return 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
