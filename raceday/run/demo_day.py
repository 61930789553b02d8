"""The demo's clock and feed: a clock that never goes back, and cards that follow each other without an end."""

import socket
import sys
import time
from collections.abc import Mapping
from math import ceil
from pathlib import Path

import psycopg

from raceday.clock import Clock
from raceday.run.process import ProcessTree, Program

SIMULATOR_SEED = "1"
OWN_PAGES = "http://localhost:*,http://127.0.0.1:*"  # a client app under development has a port of its own


def start_simulator(tree: ProcessTree, root: Path, *, env: Mapping[str, str], speed: float) -> dict[str, str]:
    """Start the demo's clock and its feed, and return what tells the others of both."""
    real = time.time()
    clock = Clock(real=real, shown=shown_at_start(env["DATABASE_URL"], real), speed=speed)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    told = {"RACEDAY_CLOCK": clock.encode(), "NZTAB_API_URL": f"http://127.0.0.1:{port}/affiliates/v1", "DEMO": "true"}
    told |= {"CORS_ALLOWED_ORIGINS": env.get("CORS_ALLOWED_ORIGINS") or OWN_PAGES} | limits_at(speed, env)
    argv = [sys.executable, "-m", "raceday.simulator", "--port", str(port)]
    argv += ["--seed", SIMULATOR_SEED, "--season", str(season_file(root))]
    tree.start(Program(name="simulator", argv=argv, env={**env, **told}, log=root / "logs" / "simulator.log"))
    return told


def season_file(root: Path) -> Path:
    """Return where the demo of a home remembers its cards; the file marks the home as a demo's."""
    return root / "demo.json"


def limits_at(speed: float, env: Mapping[str, str]) -> dict[str, str]:
    """Return the limits of requests, of clients and of our own to the feed, by a faster clock, but for those set."""
    limits = {"RATE_LIMIT_PER_MINUTE": 100, "RATE_LIMIT_EXPENSIVE_PER_5_MINUTES": 10}
    limits |= {"FEED_REQUESTS_PER_MINUTE": 1200, "FEED_BURST": 200}
    return {name: str(ceil(limit * max(speed, 1))) for name, limit in limits.items() if name not in env}


def shown_at_start(database_url: str, real: float) -> float:
    """Return the Unix seconds the demo's clock starts at: never before what was stored."""
    with psycopg.connect(database_url, connect_timeout=2) as connection:
        if connection.execute("SELECT to_regclass('poll_runs')").fetchone() == (None,):
            return real
        newest = connection.execute("SELECT extract(epoch FROM max(polled_at))::float FROM poll_runs").fetchone()
    return max(real, newest[0] + 1) if newest and newest[0] is not None else real
