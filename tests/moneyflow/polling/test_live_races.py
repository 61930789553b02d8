"""What stored polls say about the races that close."""

from datetime import datetime, timedelta

import pytest
from django.test import Client

from moneyflow.polling.live_races import expected_refresh, expected_refreshes
from raceday import clock
from raceday.models import PollRun
from races.models import Race
from tests.support.card import make_meeting, make_race, own_keys  # noqa: F401  # a fixture

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_keys")]
SECOND = timedelta(seconds=1)


def polled(race_id: str, until: datetime) -> None:
    """Store two minutes of polls, 5 s apart, of a source that renewed the race each 15 s, last before the last poll."""
    PollRun.objects.bulk_create(
        PollRun(
            race_id=race_id,
            polled_at=until - 5 * number * SECOND,
            generated_at=until - 5 * number * SECOND,
            outcome="unchanged" if number % 3 else "changed",
            fetch_ms=100.0,
        )
        for number in range(24)
    )


@pytest.fixture
def now() -> datetime:
    return clock.now()


@pytest.fixture
def race(now: datetime) -> Race:
    polled("r1", now - SECOND)
    return make_race(make_meeting(), start_time=now + 60 * SECOND, polled_at=now)


def test_the_refreshes_of_a_race_that_closes_are_learned_from_its_stored_polls(race: Race, now: datetime) -> None:
    found = expected_refresh(race.race_id, now)
    assert found
    assert found.period == pytest.approx(15, abs=0.5)
    assert now + 7 * SECOND < found.at < now + 15 * SECOND
    assert expected_refreshes(now) == [found]


def test_a_race_that_does_not_close_or_was_not_polled_has_no_refreshes(race: Race, now: datetime) -> None:
    for race_id, status, seconds in [("far", "Open", 400), ("closed", "Closed", 0)]:
        polled(race_id, now - SECOND)
        other = make_race(race.meeting, race_id=race_id, status=status, start_time=now + seconds * SECOND)
        assert expected_refresh(other.race_id, now) is None
    assert expected_refresh(make_race(race.meeting, race_id="new", start_time=now).race_id, now) is None
    assert len(expected_refreshes(now)) == 1


def test_what_is_expected_is_told_to_clients_people_and_machines(race: Race, client: Client) -> None:
    freshness = client.get("/api/races/r1/live").json()["freshness"]
    assert freshness["feed_refresh_seconds"] == pytest.approx(15, abs=0.5)
    assert datetime.fromisoformat(freshness["next_refresh_at"]) > race.mark.polled_at
    assert f"every {freshness['feed_refresh_seconds']} s, next expected" in client.get("/status").content.decode()
    scraped = client.get("/metrics").content.decode()
    assert "closing_races_on_beat 1.0" in scraped
    assert "feed_refresh_seconds 1" in scraped
