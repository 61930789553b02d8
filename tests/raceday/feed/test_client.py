"""The feed's door against the simulator's: what can go wrong out there comes in as a value."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import msgspec
import pytest
from pytest_django import Settings

from raceday.feed.client import FeedAnswer, FeedClient, FeedError
from raceday.feed.host import key_of, read_circuit
from raceday.feed.parse import parse_event
from raceday.feed.records import RaceSnapshot
from raceday.queue.broker import valkey
from raceday.racing_day import racing_day
from raceday.simulator.day import Simulation, card_of
from tests.support.tab import control, tab_at_the_door

STARTED = datetime(2026, 11, 21, 1, 2, 3, tzinfo=UTC)
SIMULATION = Simulation(seed="door", first_start=STARTED)
RACE_ID = card_of(SIMULATION, racing_day(STARTED))[0].races[0].race_id


@pytest.fixture(autouse=True)
def tab(settings: Settings) -> Iterator[str]:
    settings.FEED_TIMEOUT_SECONDS = 30.0
    with tab_at_the_door(SIMULATION, lambda: STARTED, settings) as url:
        yield url


def fetch(race_id: str = RACE_ID, urgency: float | None = None) -> FeedAnswer | FeedError:
    async def one() -> FeedAnswer | FeedError:
        async with FeedClient.from_settings() as feed:
            return await feed.fetch_event(race_id, urgency=urgency)

    return asyncio.run(one())


def refused(race_id: str = RACE_ID) -> FeedError:
    found = fetch(race_id)
    assert isinstance(found, FeedError), found
    return found


def test_an_answer_is_kept_packed_and_unpacks_to_a_race_with_its_money() -> None:
    found = fetch()
    assert isinstance(found, FeedAnswer)
    assert found.encoding == "gzip"
    assert len(found.body) * 3 < len(found.content())
    assert msgspec.json.decode(found.content())["params"]["with_money_tracker"] is True
    race = parse_event(found.content(), polled_at=found.polled_at)
    assert isinstance(race, RaceSnapshot)
    assert race.race_id == RACE_ID
    assert race.has_money_tracker


def test_a_date_to_come_back_at_is_held_against_the_answers_own_date(tab: str) -> None:
    control(tab, "503", retry_after=format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True))
    retry_after = refused().retry_after
    assert retry_after is not None
    assert 30 < retry_after <= 41  # a server writes its Date once a second


def test_a_feed_that_asks_to_wait_is_asked_no_more(tab: str, settings: Settings) -> None:
    control(tab, "429", retry_after=60, times=1)
    assert refused().http_status == 429
    settings.FEED_TIMEOUT_SECONDS = 0.2
    assert refused().reason.startswith("no slot in time")
    assert httpx.get(f"{tab}/_served").json()["answers"] == []


def test_who_can_wait_gives_up_while_the_budget_is_short_and_who_cannot_goes(settings: Settings) -> None:
    settings.FEED_REQUESTS_PER_MINUTE, settings.FEED_BURST = 1, 3
    assert [type(fetch()) for _ in range(2)] == [FeedAnswer] * 2
    settings.FEED_TIMEOUT_SECONDS = 0.2
    assert refused().reason.startswith("no slot in time")
    settings.FEED_TIMEOUT_SECONDS = 30.0
    assert isinstance(fetch(urgency=0.0), FeedAnswer)


def test_a_race_that_is_not_there_says_nothing_about_the_feed() -> None:
    for _ in range(6):
        assert refused("nobody").http_status == 404
    assert isinstance(fetch(), FeedAnswer)


def test_a_feed_that_fails_again_and_again_is_left_alone(tab: str) -> None:
    control(tab, "500")
    for number in range(1, 6):
        assert not valkey().hexists(key_of(tab), "held")
        refused()
        assert read_circuit(valkey()).failures == number
    assert valkey().hexists(key_of(tab), "held")


def test_too_many_requests_says_how_long_to_stay_away(tab: str) -> None:
    control(tab, "429", retry_after=7)
    error = refused()
    assert (error.http_status, error.retry_after) == (429, 7.0)


@pytest.mark.parametrize("status", [500, 503])
def test_a_refusal_is_a_value_with_its_status(tab: str, status: int) -> None:
    control(tab, str(status))
    assert refused().http_status == status


def test_a_race_the_feed_does_not_know_is_a_value() -> None:
    assert refused("../../etc").http_status == 404


def test_one_broken_answer_is_asked_for_again(tab: str) -> None:
    control(tab, "500", times=1)
    assert isinstance(fetch(), FeedAnswer)


def test_a_cut_off_body_never_looks_whole(tab: str) -> None:
    control(tab, "truncate")
    found = fetch()
    if isinstance(found, FeedAnswer):  # the simulator may cut the packed bytes without breaking HTTP
        with pytest.raises(ValueError, match="gzip"):
            found.content()
    else:
        assert found.http_status in {None, 200}


def test_a_feed_that_never_answers_is_left_after_the_time_limit(tab: str, settings: Settings) -> None:
    settings.FEED_TIMEOUT_SECONDS = 1.0
    control(tab, "hang")
    assert "within 1 s" in refused().reason or "Timeout" in refused().reason


def test_a_feed_that_is_not_there_is_a_value(settings: Settings) -> None:
    settings.NZTAB_API_URL = "http://127.0.0.1:9"
    valkey().delete(key_of(settings.NZTAB_API_URL))
    error = refused()
    assert error.reason.startswith("ConnectError")
    assert error.http_status is None


def test_we_say_who_we_are(tab: str, settings: Settings) -> None:
    settings.NZTAB_FROM, settings.NZTAB_PARTNER, settings.NZTAB_PARTNER_ID = "us@example.org", "Raceday", "id-1"

    async def headers() -> httpx.Headers:
        async with FeedClient.from_settings() as feed:
            return feed._client.headers

    sent = asyncio.run(headers())
    assert (sent["from"], sent["x-partner"], sent["x-partner-id"]) == ("us@example.org", "Raceday", "id-1")
