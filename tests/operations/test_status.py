"""The page that says how Raceday works: each figure from rows that can be counted by hand."""

import re
import time
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
from django.db import Error
from django.test import Client
from pytest_django import Settings
from redis.exceptions import ConnectionError as Unreachable

from moneyflow.models import Reconciliation
from moneyflow.polling import budget
from operations import checks, status
from operations.checks import LiveRace
from operations.status import closing, incidents, lag, tiers_of
from raceday import clock, valkey
from raceday.feed.host import key_of
from raceday.models import PollRun
from raceday.published import events, resources, shelf
from raceday.racing_day import day_bounds, nz_iso, racing_day
from tests.support.card import make_meeting, make_race, own_keys  # noqa: F401  # a fixture
from tests.support.lane import LaneClient

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_keys")]
SECOND = timedelta(seconds=1)


@pytest.fixture
def log() -> Iterator[str]:
    """An empty log of events, under the test's own key."""
    name = valkey.key(events.LOG)
    yield name
    valkey.client().delete(name)


def poll(race_id: str, at: Any, made: Any, outcome: str = "changed") -> None:
    PollRun.objects.create(race_id=race_id, polled_at=at, generated_at=made, outcome=outcome)


def test_the_page_shows_each_part_of_health(client: Client) -> None:
    answer = client.get("/status")
    page = answer.content.decode()
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    for name in ("database", "polls", "feed", "writes", "runway", "valkey", "queue", "clusters", "bodies", "disk"):
        assert f'scope="row">{name}<' in page
    assert 'data-renew="10"' in page


def test_the_page_is_made_once_in_ten_seconds() -> None:
    assert LaneClient().outcomes("/status", "/status") == ["MISS", "HIT"]
    asked = resources.find("/status", "")
    assert asked
    found = shelf.lookup(asked.topic, asked.key, "br")
    assert found
    assert found.copy
    assert 8 < found.copy.fresh_until - time.time() <= 10


def test_refresh_and_gaps_are_measured_where_polls_are_closest() -> None:
    now = clock.now()
    start = now - 60 * SECOND
    make_race(make_meeting(), start_time=start, polled_at=None)
    poll("r1", start - 95 * SECOND, now)  # too early to be closing
    for after, outcome in [(0, "changed"), (5, "unchanged"), (10, "unchanged"), (15, "changed"), (32, "changed")]:
        poll("r1", start + after * SECOND, now, outcome)
    found = closing(now)
    assert (found["polls"], found["gaps"], found["longest"], found["gap_seconds"]) == (4, 1, 17.0, 10)
    assert (found["refreshes"], found["refresh_median"]) == (2, 16.0)


def test_without_polls_nothing_is_measured(client: Client) -> None:
    found = closing(clock.now())
    assert (found["polls"], found["longest"], found["refreshes"], found["refresh_median"]) == (0, None, 0, None)
    assert "<dd>– (n = 0)</div>" in client.get("/status").content.decode()


def test_races_are_counted_by_how_often_they_are_polled() -> None:
    now = clock.now()

    def live(race_id: str, until: int, age: int | None) -> LiveRace:
        polled = None if age is None else now - age * SECOND
        return LiveRace(race_id, "Open", now + until * SECOND, polled, polled, True)

    tiers = tiers_of([live("a", 30, 2), live("b", 3600, 10), live("c", 7200, 40), live("d", 3600, None)], now)
    assert [(tier.seconds, tier.races, tier.median_age, tier.highest_age) for tier in tiers] == [
        (5.0, 1, 2.0, 2.0),
        (60.0, 2, 25.0, 40.0),
    ]


def test_the_page_says_what_keeps_requests_to_the_feed_back(client: Client, settings: Settings) -> None:
    settings.NZTAB_API_URL = "https://feed.example/v1"
    key = key_of(settings.NZTAB_API_URL)
    Reconciliation.objects.create(
        race_date_nz=date(2026, 11, 21), since=clock.now(), races=96, repaired=2, unread=1, read_at=clock.now()
    )
    server = valkey.client().time()  # nobody shifts the server's clock
    valkey.client().hset(key, mapping={"held": (server[0] + 30) * 1_000_000, "failures": 3})
    valkey.client().set(budget.NAME, '{"60": {"polls": 12, "longest_seconds": 23.4}}')
    page = client.get("/status").content.decode()
    valkey.client().delete(key, budget.NAME)
    assert re.search(r"none for (29|30) s, after 3 failures in a row", page)
    assert "12 of those each 60 s, up to 23.4 s" in page
    assert "96 of 21 Nov, 2 repaired, 1 unread" in page


def test_incidents_are_those_of_the_day_and_nothing_harmless() -> None:
    now = clock.now()
    midnight = day_bounds(racing_day(now))[0]
    poll("r1", midnight - SECOND, None, "feed_error")
    poll("r1", midnight + SECOND, None, "feed_error")
    poll("r2", midnight + 2 * SECOND, None, "feed_error")
    poll("r2", midnight + 3 * SECOND, now, "late")
    (found,) = incidents(now)
    assert (found["told"], found["times"], found["races"]) == ("the feed gave no answer", 2, 2)
    assert (found["first"], found["last"]) == (midnight + SECOND, midnight + 2 * SECOND)


def test_the_lag_is_from_the_answer_in_hand_to_the_log(log: str) -> None:
    assert lag() is None
    server = valkey.client().time()
    for seconds in (1, 3):
        data = {"polled_at": nz_iso(clock.now() - seconds * SECOND)}
        fields = {"race": "r1", "meeting": "m1", "kind": "flow", "data": msgspec.json.encode(data)}
        valkey.client().xadd(log, fields, id=f"{server[0] * 1000 + server[1] // 1000}-{seconds}")
    valkey.client().xadd(log, {"race": "r1", "meeting": "m1", "kind": "status", "data": b"{}"})
    found = lag()
    assert found
    assert found.readings == 2
    assert found.median == pytest.approx(2, abs=0.5)
    assert found.highest == pytest.approx(3, abs=0.5)


def test_without_the_database_the_page_says_so(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(now: Any) -> None:
        raise Error("away")

    monkeypatch.setattr(checks, "read_facts", fail)
    page = client.get("/status").content.decode()
    assert "the database does not answer: away" in page
    assert "Not known: the database does not answer." in page
    assert ">unhealthy</span>" in page


def test_without_valkey_the_page_says_so(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise Unreachable("away")

    monkeypatch.setattr(checks, "valkey_server", fail)
    assert "Not known: Valkey does not answer." in client.get("/status").content.decode()


def test_queues_that_go_away_meanwhile_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise Unreachable("away")

    monkeypatch.setattr(status, "heartbeat_ages", fail)
    assert status.queues() == []
