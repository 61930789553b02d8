"""A race whose finished bodies are in Valkey as Raceday puts them there: what the load requests."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

from benchmarks.feed import event_body, open_races, past_racing
from benchmarks.figures import BenchmarkError
from moneyflow import publishing
from moneyflow.pipeline import process_answer
from raceday import clock, valkey
from raceday.feed.client import FeedAnswer
from raceday.feed.records import ENDED
from raceday.published import resources, shelf
from raceday.simulator.day import Race, Simulation

OPEN_BYTES = 25_000  # of the entrants' body before the last poll, which adds the prices of the time between
LEAST_BYTES, MOST_BYTES = 26_000, 36_000  # of the body in the end: on any date servers send as much as on another
MOST_RACES = 40
POLL_SECONDS = 15
FIRST_SECONDS, LAST_SECONDS = 600, -1200  # to the close, and after it


@contextmanager
def published_race() -> Iterator[str]:
    """Poll a simulated race through every room until it has ended; yields its entrants' address."""
    logging.getLogger("raceday").setLevel(logging.WARNING)  # a line a poll is for the workers' log
    simulation = past_racing()
    quiet = (race for race in open_races(simulation) if not race.plan.scratchings)
    race = next((race for race in islice(quiet, MOST_RACES) if _is_polled_to_size(simulation, race)), None)
    if race is None:
        raise BenchmarkError(f"no simulated race ended with {LEAST_BYTES} to {MOST_BYTES} bytes: take another seed.")
    topic, path = f"race:{race.race_id}", f"/api/entrants?race_id={race.race_id}"
    if not publishing.publish(topic):
        raise BenchmarkError("the race was not published.")
    try:
        yield path
    finally:
        valkey.client().delete(shelf.name_of(topic))


def _is_polled_to_size(simulation: Simulation, race: Race) -> bool:
    """Poll every 15 s before the close until the entrants' histories are long enough, then once after the race."""
    for seconds in range(FIRST_SECONDS, 0, -POLL_SECONDS):
        _poll(simulation, race, seconds)
        if _entrants_size(race) >= OPEN_BYTES:
            break
    is_ended = _poll(simulation, race, LAST_SECONDS) in ENDED
    return is_ended and LEAST_BYTES <= _entrants_size(race) <= MOST_BYTES


def _poll(simulation: Simulation, race: Race, seconds: float) -> str:
    body = event_body(simulation, race, seconds)
    answer = FeedAnswer(body=body, encoding="identity", polled_at=clock.now(), fetch_ms=1.0)
    walked = process_answer(race.race_id, answer)
    if walked.snapshot is None:
        raise BenchmarkError(f"a poll was not written: {walked.reason}.")
    return walked.snapshot.status


def _entrants_size(race: Race) -> int:
    asked = resources.find("/api/entrants", f"race_id={race.race_id}")
    assert asked is not None
    return len(resources.render(resources.make(asked).data))
