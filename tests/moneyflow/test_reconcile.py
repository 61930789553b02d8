"""The second look at a day's ended races, on a simulated day."""

from collections.abc import Callable, Iterator
from datetime import datetime, time, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django_q.signing import SignedPackage
from pytest_django import Settings

from moneyflow import tasks
from moneyflow.models import OddsHistory, Reconciliation
from moneyflow.polling.evening import RECONCILE
from raceday import clock
from raceday.models import PollRun
from raceday.queue.broker import FIELD, StreamBroker, valkey
from raceday.racing_day import nz_instant, racing_day
from raceday.simulator.day import Simulation
from races.models import PollMark, Race, RaceResult
from tests.support.tab import control, tab_at_the_door

pytestmark = pytest.mark.django_db(transaction=True)
RACES = 6  # more than one task reads

At = Callable[[int, int], None]


@pytest.fixture
def at(clock_goes_on_from: Callable[[datetime], None]) -> At:
    """Sets the clock to an hour and minute of today."""
    today = racing_day(clock.now())
    return lambda hour, minute: clock_goes_on_from(nz_instant(today, time(hour, minute)))


@pytest.fixture
def tab(settings: Settings, at: At) -> Iterator[str]:
    at(12, 0)
    settings.FEED_TIMEOUT_SECONDS = 60.0
    with tab_at_the_door(Simulation(seed="evening", first_start=clock.now()), clock.now, settings) as url:
        yield url


@pytest.fixture
def ended(tab: str, at: At) -> list[str]:
    """The day's first races, polled after they ended; in the others nothing happened yet."""
    tasks.import_card(racing_day(clock.now()))
    race_ids = list(Race.objects.order_by("start_time").values_list("race_id", flat=True)[:RACES])
    at(18, 0)
    for race_id in race_ids:
        tasks.poll_race(race_id)
    assert set(Race.objects.filter(pk__in=race_ids).values_list("status", flat=True)) == {"Final"}
    return race_ids


def take(queue: StreamBroker) -> list[dict[str, Any]]:
    """Return the tasks that wait, and remove them."""
    entries: Any = valkey().xrange(queue.stream)
    queue.delete_queue()
    return [task for _, fields in entries if (task := SignedPackage.loads(fields[FIELD]))["func"] == RECONCILE]


def run_all(queue: StreamBroker) -> int:
    """Run the task and those that it queues; return how many ran."""
    number, waiting = 0, [()]
    while waiting:
        tasks.reconcile(*waiting.pop())
        waiting, number = [task["args"] for task in take(queue)], number + 1
    return number


def spoil(race_id: str) -> Any:
    """Store a result other than the feed's; return the feed's."""
    result = RaceResult.objects.get(race_id=race_id)
    right = result.results
    RaceResult.objects.filter(race_id=race_id).update(results=right[::-1])
    PollMark.objects.filter(race_id=race_id).update(digest="of what the feed said before")
    return right


def test_what_the_feed_has_corrected_is_repaired_and_told(ended: list[str], queue: StreamBroker, at: At) -> None:
    right = spoil(ended[2])
    at(21, 0)
    assert run_all(queue) == 3  # four races, two, none
    assert RaceResult.objects.get(race_id=ended[2]).results == right
    row = Reconciliation.objects.get()
    assert (row.race_date_nz, row.races, row.repaired, row.unread) == (racing_day(clock.now()), RACES, 1, 0)
    again = PollRun.objects.filter(polled_at__gte=row.since).values_list("race_id", "outcome")
    assert dict(again) == {race_id: "changed" if race_id == ended[2] else "unchanged" for race_id in ended}


def test_races_without_an_answer_are_read_the_next_time_and_the_others_are_not(
    tab: str, ended: list[str], queue: StreamBroker, at: At
) -> None:
    at(21, 0)
    control(tab, "500", race_id=ended[1])
    run_all(queue)
    assert (Reconciliation.objects.get().races, Reconciliation.objects.get().unread) == (RACES - 1, 1)
    control(tab, None, race_id=ended[1])
    at(21, 10)
    run_all(queue)
    assert (Reconciliation.objects.get().races, Reconciliation.objects.get().unread) == (RACES, 0)
    polls = PollRun.objects.count()
    at(21, 20)
    assert run_all(queue) == 1
    assert PollRun.objects.count() == polls


def test_a_race_that_ended_while_raceday_was_away_is_read(ended: list[str], queue: StreamBroker, at: At) -> None:
    PollMark.objects.filter(race_id=ended[0]).delete()
    RaceResult.objects.filter(race_id=ended[0]).delete()
    at(21, 0)
    run_all(queue)
    assert RaceResult.objects.filter(race_id=ended[0]).exists()


def test_a_race_that_was_open_when_raceday_stopped_is_read_the_next_day(
    tab: str, queue: StreamBroker, clock_goes_on_from: Callable[[datetime], None]
) -> None:
    today = racing_day(clock.now())
    tasks.import_card(today)
    race_id = Race.objects.order_by("start_time").values_list("race_id", flat=True)[0]
    Race.objects.exclude(race_id=race_id).delete()
    tasks.poll_race(race_id)
    assert Race.objects.get().status == "Open"
    clock_goes_on_from(nz_instant(today + timedelta(days=1), time(10)))
    run_all(queue)
    assert Race.objects.get().status == "Final"
    assert Reconciliation.objects.get().race_date_nz == today


def test_by_hand_a_day_is_read_at_any_hour(ended: list[str], queue: StreamBroker, at: At) -> None:
    right = spoil(ended[0])
    at(18, 30)
    call_command("reconcile", stdout=(out := StringIO()))
    today = racing_day(clock.now())
    assert out.getvalue().strip() == f"{today}: {RACES} races, 1 repaired, 0 unread"
    assert RaceResult.objects.get(race_id=ended[0]).results == right
    call_command("reconcile", "--date", str(today - timedelta(days=3)), stdout=(out := StringIO()))
    assert "no race has ended" in out.getvalue()


def test_after_an_outage_the_feeds_dated_prices_fill_the_odds_history(tab: str, at: At) -> None:
    tasks.import_card(racing_day(clock.now()))
    race = Race.objects.order_by("-start_time").first()
    assert race
    tasks.poll_race(race.race_id)
    before = clock.now()
    at(18, 0)
    tasks.poll_race(race.race_id)
    missed = OddsHistory.objects.filter(
        type="fixed_win", event_timestamp__gt=before, event_timestamp__lt=clock.now() - timedelta(minutes=1)
    )
    assert missed.exists()
