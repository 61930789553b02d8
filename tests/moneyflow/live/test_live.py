"""Everything a race page needs in one body."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from moneyflow.live.examples import LIVE as EXAMPLE
from races.models import PollMark, Race, RacePool, RaceResult
from tests.support.card import POLLED, START, make_entrant, make_meeting, make_race, own_keys  # noqa: F401  # a fixture
from tests.support.lane import LaneClient

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_keys")]
LIVE = "/api/races/r1/live"
Shows = Callable[[datetime], None]


@pytest.fixture
def race(clock_shows: Shows) -> Race:
    clock_shows(START)
    return make_race(make_meeting())


def make_pool_and_result(race: Race) -> None:
    RacePool.objects.create(race=race, win_pool_total=Decimal("12.50"), last_updated=POLLED)
    RaceResult.objects.create(race=race, results=[], dividends=[], result_status="interim", result_time=POLLED)


@pytest.mark.parametrize("runners", [1, 16])
def test_a_race_page_is_one_query_and_so_of_one_poll_whatever_the_field_and_none_when_kept(
    race: Race, django_assert_num_queries: DjangoAssertNumQueries, runners: int
) -> None:
    client = LaneClient()
    make_pool_and_result(race)
    for number in range(runners):
        make_entrant(race, number)
    with django_assert_num_queries(1):
        fresh = client.get(LIVE)
    with django_assert_num_queries(0):
        kept = client.get(f"{LIVE}/")
    assert (fresh["X-Cache"], kept["X-Cache"], fresh.content) == ("MISS", "HIT", kept.content)
    assert fresh["X-Polled-At"] == "2026-11-21T15:29:00.000+13:00"


def test_a_race_page_says_of_each_part_what_its_own_address_says(client: Client, race: Race) -> None:
    make_pool_and_result(race)
    make_entrant(race, 2, fixed_win_odds=Decimal("4.50"))
    make_entrant(race, 1, is_scratched=True)
    make_race(race.meeting, race_id="r0", start_time=START - timedelta(hours=1))
    make_race(race.meeting, race_id="r2", start_time=START + timedelta(hours=1))
    body = client.get(LIVE).json()
    entrants = client.get("/api/entrants?race_id=r1&history=0").json()
    assert body["race"] == client.get("/api/races/r1").json()
    assert body["meeting"] == client.get("/api/meetings/m1").json()
    assert body["pools"] == client.get("/api/race-pools?race_id=r1").json()
    assert body["results"] == client.get("/api/race-results?race_id=r1").json()
    assert body["navigation"] == client.get("/api/races/navigation?race_id=r1").json()
    histories: dict[str, list[object]] = {"odds_history": [], "money_flow_history": []}
    assert [{**entrant, **histories} for entrant in body["entrants"]] == entrants


def test_a_race_not_polled_yet_has_no_pools_no_results_and_an_unknown_freshness(client: Client, race: Race) -> None:
    make_race(race.meeting, race_id="r2", polled_at=None, start_time=START + timedelta(hours=1))
    body = client.get("/api/races/r2/live").json()
    assert list(body) == list(EXAMPLE)
    assert (body["entrants"], body["pools"]) == ([], None)
    names = ("polled_at", "generated_at", "feed_age_seconds", "feed_refresh_seconds", "next_refresh_at")
    unknown = dict.fromkeys(names)
    assert body["freshness"] == {**unknown, "refresh_seconds": 60, "is_stale": False}


@pytest.mark.parametrize(
    ("status", "seconds_to_start", "refresh_seconds"),
    [("Open", 1200, 61), ("Open", 240, 16), ("Open", 60, 6), ("Closed", -60, 17), ("Final", -600, None)],
)
def test_freshness_says_how_old_the_poll_is_and_when_to_look_again(
    client: Client, clock_shows: Shows, settings: Settings, status: str, seconds_to_start: int, refresh_seconds: int
) -> None:
    settings.CADENCE_SECONDS = {"far": 61, "near": 31, "soon": 16, "closing": 6, "settling": 17}
    now = START - timedelta(seconds=seconds_to_start)
    clock_shows(now)
    make_race(make_meeting(), polled_at=now - timedelta(seconds=7.5), status=status)
    freshness = client.get(LIVE).json()["freshness"]
    assert freshness["feed_age_seconds"] == pytest.approx(7.5, abs=0.01)
    assert freshness["refresh_seconds"] == refresh_seconds


@pytest.mark.parametrize(("seconds_old", "is_stale"), [(15, False), (39, False), (41, True), (3600, True)])
def test_freshness_tells_by_its_own_stamp_that_the_feed_stands_still(
    client: Client, clock_shows: Shows, seconds_old: int, is_stale: bool
) -> None:
    """Two refreshes of 15 s, 5 s of slack and a cadence of 5 s are allowed."""
    now = START - timedelta(seconds=60)
    clock_shows(now)
    race = make_race(make_meeting(), polled_at=now)
    PollMark.objects.filter(race=race).update(generated_at=now - timedelta(seconds=seconds_old))
    freshness = client.get(LIVE).json()["freshness"]
    assert freshness["feed_age_seconds"] == pytest.approx(seconds_old, abs=0.01)
    assert (freshness["is_stale"], datetime.fromisoformat(freshness["polled_at"])) == (is_stale, now)


def test_a_page_of_no_race_is_a_404_and_a_page_takes_no_query(client: Client, race: Race) -> None:
    assert client.get("/api/races/nowhere/live").json() == {"error": "no such race"}
    assert client.get(f"{LIVE}?history=5").json()["details"] == {"history": ["unknown query parameter"]}
