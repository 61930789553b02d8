"""The day's card from the simulator into PostgreSQL."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import Settings

from meetings.models import Meeting
from raceday.feed.client import FeedClient
from raceday.models import PollRun
from raceday.racing_day import racing_day
from raceday.simulator.day import Simulation
from races.day_card import DayCard, fetch_day_card, record_faults, store_day_card
from races.models import PollMark, Race
from tests.support.tab import control, tab_at_the_door

STARTED = datetime(2026, 11, 21, 1, 2, 3, tzinfo=UTC)
TODAY = racing_day(STARTED)
SIMULATION = Simulation(seed="card", first_start=STARTED)


@pytest.fixture(autouse=True)
def tab(settings: Settings) -> Iterator[str]:
    with tab_at_the_door(SIMULATION, lambda: STARTED, settings) as url:
        yield url


def fetch(day: Any = TODAY) -> DayCard:
    async def one() -> DayCard:
        async with FeedClient.from_settings() as feed:
            return await fetch_day_card(feed, day)

    return asyncio.run(one())


@pytest.mark.django_db
def test_the_card_is_stored_with_every_race_on_its_own_racing_day() -> None:
    card = fetch()
    store_day_card(card)
    assert Meeting.objects.count() == len(card.meetings) >= 5
    assert set(Meeting.objects.values_list("race_type", flat=True)) == {"thoroughbred", "harness", "greyhound"}
    assert set(Meeting.objects.values_list("country", flat=True)) == {"NZ", "AUS"}
    assert Race.objects.count() == len(card.race_ids) >= 40
    assert all(race.race_date_nz == racing_day(race.start_time) for race in Race.objects.all())


@pytest.mark.django_db
def test_only_the_countries_and_codes_of_the_settings_are_imported(settings: Settings) -> None:
    settings.COUNTRIES, settings.RACE_TYPES = ["NZ"], ["harness", "thoroughbred"]
    store_day_card(fetch())
    assert set(Meeting.objects.values_list("country", flat=True)) == {"NZ"}
    assert "greyhound" not in set(Meeting.objects.values_list("race_type", flat=True))


@pytest.mark.django_db
def test_importing_again_touches_no_row_that_says_the_same() -> None:
    store_day_card(fetch())
    before = list(Race.objects.order_by("pk").values()), list(Meeting.objects.order_by("pk").values())
    store_day_card(fetch())
    assert before == (list(Race.objects.order_by("pk").values()), list(Meeting.objects.order_by("pk").values()))


@pytest.mark.django_db
def test_a_polled_race_keeps_the_status_its_poll_saw() -> None:
    store_day_card(fetch())
    race = Race.objects.order_by("pk")[0]
    Race.objects.filter(pk=race.pk).update(status="Closed")
    PollMark.objects.create(race=race, polled_at=STARTED, generated_at=STARTED, digest="d")
    store_day_card(fetch())
    assert Race.objects.get(pk=race.pk).status == "Closed"


@pytest.mark.django_db
def test_races_past_midnight_belong_to_the_next_racing_days_card_too(settings: Settings) -> None:
    late = Simulation(seed="late", first_start=datetime(2026, 11, 21, 9, 0, tzinfo=UTC))  # 22:00 in New Zealand
    with tab_at_the_door(late, lambda: late.first_start, settings):
        tonight, tomorrow = fetch(TODAY), fetch(TODAY + timedelta(days=1))
    past_midnight = {
        race.race_id
        for meeting in tonight.meetings
        for race in meeting.races
        if racing_day(race.advertised_start) > TODAY
    }
    assert past_midnight
    assert past_midnight <= set(tomorrow.race_ids)


@pytest.mark.django_db
def test_an_unreadable_meeting_is_told_with_its_path_and_the_day_goes_on(tab: str) -> None:
    control(tab, "wrong_types", path="data.meetings.0.date")
    card = fetch()
    store_day_card(card)
    record_faults(card, STARTED)
    assert Meeting.objects.count() == len(card.meetings) >= 4
    reason = PollRun.objects.get().reason or ""
    assert reason.startswith("$.data.meetings[0].date: ")


@pytest.mark.django_db
def test_a_feed_that_refuses_the_card_is_told(tab: str) -> None:
    control(tab, "503")
    card = fetch()
    record_faults(card, STARTED)
    assert (card.meetings, PollRun.objects.get().reason) == ((), f"meetings of {TODAY}: HTTP 503")
