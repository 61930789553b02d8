"""What the feed says of a race out of the ordinary, from its answer to the race's next poll."""

from datetime import datetime, timedelta

import pytest
from django.db import connection

from moneyflow.pipeline import process_answer
from moneyflow.polling.live_races import read_live
from moneyflow.polling.plan import Turn, next_turn
from raceday import clock
from raceday.racing_day import racing_day
from races.cadence import CadenceSeconds
from races.models import Race
from tests.support.card import own_keys  # noqa: F401  # a fixture
from tests.support.snapshots import answer, event

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_keys")]
SECONDS = CadenceSeconds(far=60, near=30, soon=15, closing=5, settling=16)


def told(now: datetime, *, minutes: float, status: str = "Open") -> None:
    """Take in an answer that says when the race starts and how it stands."""
    start = now + timedelta(minutes=minutes)
    body = event(generated_at=now)
    said = {"advertised_start": int(start.timestamp()), "status": status, "race_date_nz": str(racing_day(start))}
    body["data"]["race"] |= said
    assert process_answer("r1", answer(body, polled_at=now)).outcome == "changed"


def seconds_to_poll(now: datetime) -> float | None:
    """Return when the poller polls the race next, as it reads the race now; None: it does not follow it."""
    races, _ = read_live(connection.connection, now)
    turns = [next_turn(Turn(now, now), now, race, None, SECONDS) for race in races]
    return (turns[0].due - now).total_seconds() if turns and turns[0] else None


@pytest.mark.parametrize(
    ("minutes", "status", "seconds"),
    [
        pytest.param(3, "Closed", 16, id="jumped early"),
        pytest.param(3, "Postponed", 60, id="postponed"),
        pytest.param(20, "Open", 60, id="later today"),
        pytest.param(1, "Open", 5, id="earlier than advertised"),
        pytest.param(-12, "Open", 5, id="late by twelve minutes"),
        pytest.param(-29, "Open", 5, id="late by half an hour"),
        pytest.param(3, "Abandoned", None, id="abandoned"),
        pytest.param(26 * 60, "Open", None, id="another day"),
    ],
)
def test_a_race_is_polled_by_what_the_feed_said_last(minutes: float, status: str, seconds: float | None) -> None:
    now = clock.now()
    told(now - timedelta(seconds=10), minutes=8)
    assert seconds_to_poll(now) == 30
    told(now, minutes=minutes, status=status)
    assert seconds_to_poll(now) == seconds


def test_a_race_that_moved_to_another_day_is_polled_again_as_that_day_comes() -> None:
    now = clock.now()
    told(now - timedelta(seconds=10), minutes=3)
    told(now, minutes=26 * 60)
    moved = now + timedelta(hours=26)
    assert Race.objects.get().race_date_nz == racing_day(moved.replace(microsecond=0))
    assert seconds_to_poll(now + timedelta(hours=3)) == 60
    assert seconds_to_poll(moved - timedelta(minutes=1)) == 5


def test_a_postponed_race_that_is_open_again_is_polled_by_its_new_start() -> None:
    now = clock.now()
    told(now - timedelta(seconds=10), minutes=3, status="Postponed")
    assert seconds_to_poll(now) == 60
    told(now, minutes=1)
    assert seconds_to_poll(now) == 5
