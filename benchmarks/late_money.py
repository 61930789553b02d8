"""Late money from the feed to the stream: races played fast, and what the alerts found held against the truth.

Each race is polled as the poller would poll it: the simulator's answers go through parse, transform, detector, write
and the log of events. A race's bodies are made once, as soon as it is known; its alerts go ahead of all later ones.
Only the waiting is left out.
"""

import logging
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from benchmarks.figures import BenchmarkError, Figure
from moneyflow.pipeline import process_answer
from moneyflow.publishing import publish
from raceday import clock, valkey
from raceday.feed.client import FeedAnswer
from raceday.published import events
from raceday.racing_day import racing_day
from raceday.simulator.day import Race, Simulation, card_of
from raceday.simulator.envelope import ROOT, Request
from raceday.simulator.truth import informed_races
from raceday.simulator.wire import answer
from raceday.simulator.world import World

RACES = 200
DAYS = 4
INFORMED_SHARE = 0.5  # of the races, so that there are enough of both kinds
BUDGET = 2  # severity of about four false alerts a day
RACES_A_DAY = 80
FLAGS = dict.fromkeys(("with_money_tracker", "with_big_bets", "with_biggest_bet", "with_live_bets"), "true")
# Seconds before the advertised start from which on races are polled, and how often.
SOON, CLOSING = (180, 15), (90, 5)
# Wide enough for a hundred races of each kind: four asked are 1 to 8 seen, and a stake of a fifth is mostly found.
MOST_FALSE_A_DAY, LEAST_FOUND = 8.0, {0.1: 0.2, 0.2: 0.4}
FOUND = """
SELECT race_id, entrant_id, min(raised_at) FROM late_money_alerts WHERE severity >= %s GROUP BY race_id, entrant_id
"""


def measure(rounds: int | None) -> list[Figure]:
    """Play the races, and count what was found of each stake before the close and where there was none."""
    logging.getLogger("raceday.poll").setLevel(logging.WARNING)
    simulation = Simulation(
        seed="late money",
        first_start=clock.now() - timedelta(days=DAYS + 1),
        world=World(informed_share=INFORMED_SHARE),
    )
    races = races_of(simulation)[: RACES if rounds is None else 10 * rounds]
    for number, race in enumerate(races, 1):
        play(simulation, race)
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{number} of {len(races)} races{os.linesep if number == len(races) else ''}")
    return figures_of(simulation, races)


def races_of(simulation: Simulation) -> list[Race]:
    """Return the races of the simulation's days that are run."""
    began = racing_day(simulation.first_start)
    cards = (card_of(simulation, began + timedelta(days=day)) for day in range(DAYS))
    races = [race for card in cards for meeting in card for race in meeting.races]
    return [race for race in races if race.plan.abandoned_at is None]


def play(simulation: Simulation, race: Race) -> None:
    """Take the answers about a race through the rooms, until it has closed."""
    request = Request(path=f"{ROOT}/events/{race.race_id}", query=FLAGS)
    for number, at in enumerate(instants_of(race)):
        body = answer([simulation], request, at).body
        walked = process_answer(race.race_id, FeedAnswer(body=body, encoding="identity", polled_at=at, fetch_ms=0.0))
        if walked.outcome not in {"changed", "unchanged"}:
            raise BenchmarkError(f"a poll came to {walked.outcome}: {walked.reason}.")
        if not number:
            publish(f"race:{race.race_id}")


def instants_of(race: Race) -> Iterator[datetime]:
    """Yield when a race is polled: on the grid of its cadences, until the first poll after its close."""
    at = race.plan.advertised_at - SOON[0]
    while at < race.plan.closes_at:
        yield datetime.fromtimestamp(at, UTC)
        at += SOON[1] if at < race.plan.advertised_at - CLOSING[0] else CLOSING[1]
    yield datetime.fromtimestamp(at, UTC)


def figures_of(simulation: Simulation, races: list[Race]) -> list[Figure]:
    """Hold what is stored, and what the streams were told, against the simulator's truth."""
    truth = {row["race_id"]: row for row in informed_races(simulation, racing_day(clock.now()), None)}
    with connection.cursor() as cursor:
        cursor.execute(FOUND, [BUDGET])
        found = {(race_id, entrant_id): at for race_id, entrant_id, at in cursor.fetchall()}
        cursor.execute("SELECT count(*) FROM late_money_alerts")
        (stored,) = cursor.fetchone()
    closes = {race.race_id: datetime.fromtimestamp(race.plan.closes_at, UTC) for race in races}
    early = {key for key, at in found.items() if at < closes[key[0]]}
    ordinary = [race.race_id for race in races if race.race_id not in truth]
    false = {race_id for race_id, _ in early if race_id in set(ordinary)}
    figures = [
        Figure(
            name="late_money.false_a_day",
            what=f"races with an alert among {RACES_A_DAY} ordinary ones, 4 asked (n {len(ordinary)})",
            figure=RACES_A_DAY * len(false) / max(len(ordinary), 1),
            unit="races",
            at_most=MOST_FALSE_A_DAY,
        ),
        Figure(
            name="late_money.told",
            what=f"alerts that the streams were told, of {stored} stored",
            figure=told() / max(stored, 1),
            unit="of 1",
            at_least=1.0,
            at_most=1.0,
        ),
    ]
    for stake in (0.02, 0.05, 0.1, 0.15, 0.2):
        backed = [truth[each] for each in closes if each in truth and truth[each]["share_of_pool"] == stake]
        if not backed:
            continue
        hits = sum((row["race_id"], row["entrant_id"]) in early for row in backed)
        figures.append(
            Figure(
                name=f"late_money.found_{100 * stake:.0f}_percent",
                what=f"of informed stakes, found before the close (n {len(backed)})",
                figure=hits / len(backed),
                unit="of 1",
                at_least=LEAST_FOUND.get(stake),
            )
        )
    return figures


def told() -> int:
    """Return how many alerts are in the log of events."""
    entries: Any = valkey.client().xrange(valkey.key(events.LOG))
    return sum(events.parse(entry).kind == events.Topic.ALERT for entry in entries)
