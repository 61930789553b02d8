"""What only a simulator knows: which bettors were informed, what they bet and which runner won. PURE."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from raceday.racing_day import racing_day
from raceday.simulator.day import Race, Simulation, card_of
from raceday.simulator.market import Market, market_of
from raceday.simulator.wire_pools import Json


def informed_races(simulation: Simulation, until: date, race_id: str | None) -> list[Json]:
    """List the informed races of a simulation's days up to one of them, or only the requested one.

    For each race: {race_id, entrant_id, runner_number, win_probability, share_of_pool, bets[{at, dollars}], closes_at,
    winner{entrant_id, runner_number}}. share_of_pool is 0–1 of the Win pool at the close; instants are ISO in UTC.
    """
    began = racing_day(simulation.first_start)
    days = [began + timedelta(days=offset) for offset in range(max((until - began).days, 0) + 1)]
    races = (race for day in days for meeting in card_of(simulation, day) for race in meeting.races)
    return [row for race in races if race_id in (None, race.race_id) for row in _truth(simulation, race)]


def _truth(simulation: Simulation, race: Race) -> Iterator[Json]:
    if race.plan.informed_share is None:  # before the market is made: most races do not need one here
        return
    market = market_of(race.plan, simulation.world)
    if market.informed is None:
        return
    runner = race.runners[market.informed.runner]
    yield {
        "race_id": race.race_id,
        "entrant_id": runner.entrant_id,
        "runner_number": runner.number,
        "win_probability": round(market.informed.win_probability, 4),
        "share_of_pool": market.informed.share_of_pool,
        "bets": [{"at": _iso(bet.at), "dollars": bet.cents / 100} for bet in market.informed.bets],
        "closes_at": _iso(race.plan.closes_at),
        "winner": _winner(race, market),
    }


def _winner(race: Race, market: Market) -> Json:
    winner = race.runners[market.finish[0]]
    return {"entrant_id": winner.entrant_id, "runner_number": winner.number}


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
