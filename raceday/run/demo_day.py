"""The demo's clock and feed: one day that goes on where it was, however often the demo is started."""

import json
import socket
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from math import ceil
from pathlib import Path

import psycopg

from raceday.clock import Clock
from raceday.run.process import ProcessTree, Program

SIMULATOR_SEED = 1
NEW_DAY_AFTER_SECONDS = 6 * 3600


def start_simulator(tree: ProcessTree, root: Path, *, env: Mapping[str, str], speed: float) -> dict[str, str]:
    """Start the demo's clock and its feed, and return what tells the others of both."""
    real = time.time()
    clock = Clock(real=real, shown=shown_at_start(env["DATABASE_URL"], real), speed=speed)
    seed, first_start = demo_day(root / "demo.json", clock.shown)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    told = {"RACEDAY_CLOCK": clock.encode(), "NZTAB_API_URL": f"http://127.0.0.1:{port}/affiliates/v1"}
    told |= limits_at(speed, env)
    argv = [sys.executable, "-m", "raceday.simulator", "--port", str(port), "--seed", str(seed)]
    argv += ["--first-start", datetime.fromtimestamp(first_start, UTC).isoformat()]
    tree.start(Program(name="simulator", argv=argv, env={**env, **told}, log=root / "logs" / "simulator.log"))
    return told


def limits_at(speed: float, env: Mapping[str, str]) -> dict[str, str]:
    """Return the limits of requests for clients that poll by a faster clock, but for those set."""
    limits = {"RATE_LIMIT_PER_MINUTE": 100, "RATE_LIMIT_EXPENSIVE_PER_5_MINUTES": 10}
    return {name: str(ceil(limit * max(speed, 1))) for name, limit in limits.items() if name not in env}


def shown_at_start(database_url: str, real: float) -> float:
    """Return the Unix seconds the demo's clock starts at: never before what was stored."""
    with psycopg.connect(database_url, connect_timeout=2) as connection:
        if connection.execute("SELECT to_regclass('poll_runs')").fetchone() == (None,):
            return real
        newest = connection.execute("SELECT extract(epoch FROM max(polled_at))::float FROM poll_runs").fetchone()
    return max(real, newest[0] + 1) if newest and newest[0] is not None else real


def demo_day(path: Path, shown: float) -> tuple[int, float]:
    """Return seed and first start of the simulated day: the kept ones, else of a day that begins."""
    if path.exists():
        kept = json.loads(path.read_text())
        if 0 <= shown - kept["first_start"] < NEW_DAY_AFTER_SECONDS:
            return kept["seed"], kept["first_start"]
    path.write_text(json.dumps({"seed": SIMULATOR_SEED, "first_start": shown}))
    return SIMULATOR_SEED, shown
