"""Two races with published bodies, and a reader who comes through the lane."""

from collections.abc import Callable, Iterator

import pytest
from pytest_django import Settings

from moneyflow import publishing
from raceday import clock, valkey
from raceday.published import resources, shelf
from raceday.racing_day import racing_day
from tests.support.card import START, make_entrant, make_meeting, make_race
from tests.support.lane import LaneClient

LIVE, ENTRANTS, RACES = "/api/races/r1/live", "/api/entrants?race_id=r1", "/api/races?meeting_id=m1"


@pytest.fixture
def kept_races(own_keys: None, make_partitions: Callable[..., None]) -> Iterator[None]:
    """Races r1 and r2 of meetings m1 and m2, with four bodies each; of meetings and card there are none."""
    make_partitions(racing_day(START))
    for number in (1, 2):
        make_entrant(make_race(make_meeting(meeting_id=f"m{number}"), race_id=f"r{number}"), 1)
    for number in (1, 2):
        shelf.outdate({f"race:r{number}": "1"}, resources.mark_of(clock.now(), keep_seconds=3600))
        publishing.publish(f"race:r{number}")
        LaneClient().get(f"/api/entrants?race_id=r{number}")
    yield
    valkey._away.clear()  # one that was away is asked again at once


def outcome(reader: LaneClient, address: str) -> str:
    """Tell how the lane answers, by what Valkey has."""
    reader.forget()
    return str(reader.get(address)["X-Cache"])


def take_away(settings: Settings) -> None:
    """Point the cache where no Valkey is."""
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "unix:///nowhere/valkey.sock"}}
