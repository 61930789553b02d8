"""`python -m raceday.simulator --port N`: run the feed simulator as a separate process, on loopback."""

import argparse
import sys
from datetime import datetime
from pathlib import Path

from raceday import clock
from raceday.simulator.day import Simulation
from raceday.simulator.recorded import recorded
from raceday.simulator.running import listening, server_of
from raceday.simulator.season import Season
from raceday.simulator.server import App, feed_app, simulated_app
from raceday.simulator.world import World


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise argparse.ArgumentTypeError("an instant needs an offset, as 2026-11-21T02:30:00Z")
    return instant


def _seconds(text: str) -> float:
    if not 0 < float(text) <= 3600:
        raise argparse.ArgumentTypeError("a refresh is more than 0 and at most 3600 seconds")
    return float(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m raceday.simulator", description="A simulated NZ TAB on loopback.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seed", default="raceday", help="the same seed and first start give the same racing")
    parser.add_argument("--season", type=Path, help="a file: one card follows another, and it remembers them")
    parser.add_argument("--first-start", type=_instant, help="the first race closes two minutes later (default: now)")
    parser.add_argument("--refresh", type=_seconds, default=15.0, help="seconds between two refreshes of the source")
    parser.add_argument("--samples", type=Path, help="serve the recorded answers of this folder instead")
    return parser.parse_args()


def _app(arguments: argparse.Namespace) -> App:
    if arguments.samples:
        return feed_app(recorded(arguments.samples), clock.now)
    world = World(refresh_seconds=arguments.refresh)
    if arguments.season:
        return simulated_app(Season(arguments.season, seed=arguments.seed, world=world).at, clock.now)
    first_start = arguments.first_start or clock.now()
    simulation = Simulation(seed=arguments.seed, first_start=first_start, world=world)
    return simulated_app(lambda _: [simulation], clock.now)


def main() -> None:
    """Serve until SIGTERM or SIGINT; exit 2 when the port is taken or the samples are not there."""
    arguments = _arguments()
    try:
        server_of(_app(arguments)).run(sockets=[listening(arguments.port)])
    except OSError as problem:
        sys.exit(_complain(f"cannot start the simulator on port {arguments.port}: {problem}"))


def _complain(sentence: str) -> int:
    sys.stderr.write(f"{sentence}\n")
    return 2


if __name__ == "__main__":
    main()
