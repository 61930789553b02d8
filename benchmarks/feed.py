"""A feed for benchmarks: the simulator's racing and wire format, each race at its own hour.

Each request about a race gets the state one change of its pools later, in the last minutes before its close. So any
number of races can be close at once, and each poll finds a change.
`python -m benchmarks.feed --port N --first-start INSTANT` runs it as a separate process.
"""

import argparse
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from raceday import clock
from raceday.racing_day import racing_day
from raceday.simulator.day import Race, Simulation, card_of, find_race
from raceday.simulator.envelope import ROOT, Answer, RefusedError, Request, refusal
from raceday.simulator.market import market_of, shown_at, state_at
from raceday.simulator.running import listening, server_of
from raceday.simulator.server import Source, feed_app
from raceday.simulator.wire import answer
from raceday.simulator.world import World

SPAN_SECONDS = 170  # before the close: then late money is looked for in every poll
REFRESH_SECONDS = 2  # enough changes in that time
DAYS = 3


def simulation_from(first_start: datetime) -> Simulation:
    """Return the racing all benchmarks use, beginning at `first_start`."""
    return Simulation(seed="benchmarks", first_start=first_start, world=World(refresh_seconds=REFRESH_SECONDS))


def past_racing() -> Simulation:
    """Return racing of days that are over: no answer about it is stamped ahead of the clock."""
    return simulation_from(clock.now() - timedelta(days=DAYS + 1))


def open_races(simulation: Simulation) -> list[Race]:
    """List the races of the first days that are run, those with most runners first."""
    began = racing_day(simulation.first_start)
    days = [began + timedelta(days=offset) for offset in range(DAYS)]
    races = [race for day in days for meeting in card_of(simulation, day) for race in meeting.races]
    return sorted((race for race in races if race.plan.abandoned_at is None), key=lambda race: -len(race.runners))


def event_body(simulation: Simulation, race: Race, seconds_before_close: float) -> bytes:
    """Return an event answer of the feed, unpacked, as the poller requests it."""
    flags = ("with_money_tracker", "with_big_bets", "with_biggest_bet", "with_live_bets")
    request = Request(path=f"{ROOT}/events/{race.race_id}", query=dict.fromkeys(flags, "true"))
    at = race.plan.closes_at - seconds_before_close
    return answer([simulation], request, datetime.fromtimestamp(at, UTC)).body


def changes(race: Race, world: World) -> Iterator[datetime]:
    """Yield the instants before a race's close at which its pools have grown."""
    pools: dict[str, int] = {}
    for second in range(-SPAN_SECONDS, 0, REFRESH_SECONDS):
        at = race.plan.closes_at + second
        state = state_at(market_of(race.plan, world), shown_at(race.plan, world, at))
        if state.pools != pools:
            pools = state.pools
            yield datetime.fromtimestamp(at, UTC)


def is_busy(race: Race, world: World, polls: int) -> bool:
    """Say whether a race changes often enough to be polled so many times."""
    return len(list(islice(changes(race, world), polls))) == polls


def source_of(simulation: Simulation) -> Source:
    """Answer each request about a race as of its next change; 404 once there are no more."""
    instants: dict[str, Iterator[datetime]] = {}

    def source(request: Request, now: datetime) -> Answer:
        race_id = request.path.rsplit("/", 1)[1]
        found = find_race(simulation, race_id, racing_day(simulation.first_start))
        if found is not None and race_id not in instants:
            instants[race_id] = changes(found[1], simulation.world)
        at = next(instants.get(race_id, iter(())), None)
        if at is None:
            return refusal("Affiliates API", request, now, RefusedError(404, "NOT_FOUND", f"no more of {race_id}"))
        return answer([simulation], request, at)

    return source


def serve(name: str, source_from: Callable[[datetime], Source]) -> None:
    """Serve on loopback, as `python -m NAME`, what a source for racing from --first-start on answers."""
    parser = argparse.ArgumentParser(prog=f"python -m {name}")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--first-start", type=datetime.fromisoformat, required=True)
    options = parser.parse_args()
    app = feed_app(source_from(options.first_start), clock.now)
    server_of(app).run(sockets=[listening(options.port)])


if __name__ == "__main__":
    serve("benchmarks.feed", lambda first_start: source_of(simulation_from(first_start)))
