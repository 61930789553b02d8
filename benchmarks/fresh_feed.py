"""`python -m benchmarks.fresh_feed --port N --first-start INSTANT`: simulated races that close together.

Each is of a simulation of its own. Their refreshes come up to half a second late.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import accumulate, takewhile

from benchmarks.feed import serve
from raceday.racing_day import racing_day
from raceday.simulator.day import Race, Simulation, card_of
from raceday.simulator.envelope import Answer, Request
from raceday.simulator.market import shown_at
from raceday.simulator.server import Source
from raceday.simulator.wire import answer
from raceday.simulator.world import World, dice

RACES = 12
WORLD = World(refresh_seconds=15.0)
JITTER_SECONDS = 0.5  # by which a refresh comes late


def simulations(first_start: datetime) -> list[Simulation]:
    return [Simulation(seed=f"fresh {number}", first_start=first_start, world=WORLD) for number in range(RACES)]


def second_race(simulation: Simulation) -> Race:
    """Return the second race of a simulation: it starts about five minutes after the first, which closes at once."""
    card = card_of(simulation, racing_day(simulation.first_start))
    races = sorted((race for meeting in card for race in meeting.races), key=lambda race: race.plan.advertised_at)
    return next(race for race in races[1:] if race.plan.abandoned_at is None)


def lateness(race: Race, shown: float) -> float:
    """Return by how much the refresh that was due at `shown` comes late."""
    return dice(race.race_id, round(shown)).random() * JITTER_SECONDS


def refreshes(race: Race, since: float, until: float) -> list[float]:
    """Return when the feed renews a race, from the refresh before `since`."""
    due = accumulate([shown_at(race.plan, WORLD, since), *[WORLD.refresh_seconds] * 100])
    return [at + lateness(race, at) for at in takewhile(lambda at: at < until, due)]


def source_of(found: Sequence[Simulation]) -> Source:
    """Answer as the simulator does, with refreshes that come late.

    Each race is asked of its own simulation: to look for it in all of them takes a second.
    """
    races = {race.race_id: (simulation, race) for simulation in found for race in [second_race(simulation)]}

    def source(request: Request, now: datetime) -> Answer:
        asked, at = races.get(request.path.rsplit("/", 1)[1]), now.timestamp()
        if asked is None:
            return answer(found, request, now)
        simulation, race = asked
        shown = shown_at(race.plan, WORLD, at)
        at = at if at >= shown + lateness(race, shown) else shown - 0.001
        return answer([simulation], request, datetime.fromtimestamp(at, UTC))

    return source


if __name__ == "__main__":
    serve("benchmarks.fresh_feed", lambda first_start: source_of(simulations(first_start)))
