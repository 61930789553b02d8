"""Health is well only when what should be stored is stored; each part that is not well says so, to the doctor too."""

import time
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import Client
from psycopg.conninfo import make_conninfo
from pytest_django import Settings

from moneyflow import answers
from moneyflow.store import partitions
from operations import checks, questions
from raceday import clock
from raceday import valkey as bodies
from raceday.feed.client import FeedError
from raceday.models import PollRun
from raceday.published import shelf
from raceday.queue import cluster
from raceday.queue.broker import valkey
from raceday.racing_day import racing_day
from raceday.simulator.day import Simulation
from races.models import PollMark, Race
from tests.support.card import make_meeting, make_race, own_keys  # noqa: F401  # a fixture
from tests.support.lane import LaneClient
from tests.support.tab import control, tab_at_the_door

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_keys")]


@pytest.fixture(autouse=True)
def all_alive(settings: Settings, worker_id: str) -> Iterator[None]:
    """Heartbeats of other tests are not signs of life here."""
    number = int("".join(filter(str.isdigit, worker_id)) or 0) % 6
    settings.REDIS_URL = f"{settings.REDIS_URL.partition('?')[0]}?db={9 + number}"
    own = valkey()
    own.flushdb()
    for name in cluster.CLUSTERS:
        cluster.send_heartbeat(name)
    yield
    own.flushdb()


@pytest.fixture
def runway() -> None:
    partitions.keep(racing_day(clock.now()))


def live_race(
    race_id: str = "r1", *, polled_seconds_ago: float = 1, minutes_to_start: float = 3, **columns: Any
) -> Race:
    """A race of a cadence of 15 s, polled then; its meeting is there or made."""
    now = clock.now()
    meeting = make_meeting(meeting_id=f"m-{race_id}")
    start = now + timedelta(minutes=minutes_to_start)
    polled_at = now - timedelta(seconds=polled_seconds_ago)
    return make_race(meeting, race_id=race_id, start_time=start, polled_at=polled_at, **columns)


def look(client: Client) -> tuple[int, dict[str, Any]]:
    answer = client.get("/api/health")
    assert answer["Cache-Control"] == "no-store"
    return answer.status_code, answer.json()


def not_ok(client: Client) -> tuple[int, dict[str, str]]:
    status, body = look(client)
    return status, {name: part["reason"] for name, part in body["parts"].items() if part["status"] != "ok"}


@pytest.mark.parametrize("address", ["/health", "/health/", "/api/health", "/api/health/"])
def test_everything_well_is_a_200_without_a_race_or_with_one(client: Client, runway: None, address: str) -> None:
    for expected_age in (None, pytest.approx(1, abs=20)):
        body = client.get(address).json()
        assert (body["status"], body["database"], body["workers"]) == ("healthy", "connected", "operational")
        assert (body["reasons"], {part["status"] for part in body["parts"].values()}) == ([], {"ok"})
        assert body["feed_age_seconds"] == expected_age
        if not Race.objects.exists():
            live_race()


def test_races_that_are_not_stored_when_due_are_a_503(client: Client, runway: None) -> None:
    live_race(polled_seconds_ago=60)
    status, reasons = not_ok(client)
    assert (status, list(reasons)) == (503, ["polls"])
    assert reasons["polls"].startswith("1 of 1 live races are overdue, the longest for ")


def test_one_overdue_race_of_many_is_degraded(client: Client, runway: None) -> None:
    for name in "abc":
        live_race(name)
    live_race("late", polled_seconds_ago=60)
    status, reasons = not_ok(client)
    assert (status, reasons["polls"][:34]) == (200, "1 of 4 live races are overdue, the")
    assert look(client)[1]["status"] == "degraded"


@pytest.mark.parametrize(("minutes_to_start", "polled_seconds_ago"), [(60, 100), (10, 55), (3, 25), (0, 9)])
def test_within_its_cadence_and_as_much_again_no_race_is_overdue(
    client: Client, runway: None, minutes_to_start: float, polled_seconds_ago: float
) -> None:
    live_race(minutes_to_start=minutes_to_start, polled_seconds_ago=polled_seconds_ago)
    assert not_ok(client) == (200, {})


def test_a_race_that_has_ended_is_due_no_more(client: Client, runway: None) -> None:
    live_race(polled_seconds_ago=3600, status="Final")
    assert not_ok(client) == (200, {})


def test_a_feed_that_stands_still_is_a_503_however_well_it_is_polled(client: Client, runway: None) -> None:
    race = live_race()
    PollMark.objects.filter(race=race).update(generated_at=clock.now() - timedelta(seconds=90))
    status, reasons = not_ok(client)
    assert (status, list(reasons)) == (503, ["feed"])
    assert reasons["feed"].startswith("the feed stands still for 1 of 1 live races")


@pytest.mark.parametrize(
    ("outcome", "others", "status"), [("crashed", 9, 200), ("crashed", 0, 503), ("no_partition", 9, 200)]
)
def test_answers_that_could_not_be_stored_are_told(
    client: Client, runway: None, outcome: str, others: int, status: int
) -> None:
    now = clock.now()
    PollRun.objects.create(race_id="r1", polled_at=now, outcome=outcome)
    for number in range(others):
        PollRun.objects.create(race_id="r1", polled_at=now - timedelta(seconds=1 + number), outcome="changed")
    assert not_ok(client) == (status, {"writes": f"1 {outcome} in 5 min: see poll_status"})


@pytest.mark.parametrize("silent", cluster.CLUSTERS)
def test_a_silent_cluster_is_named_and_a_503_where_nothing_is_stored_without_it(
    client: Client, runway: None, silent: str
) -> None:
    valkey().set(f"raceday:heartbeat:{silent}", repr(time.time() - 16))
    status, reasons = not_ok(client)
    assert (status, list(reasons)) == (503 if silent in checks.COMMITS else 200, ["clusters"])
    assert f"no heartbeat of {silent} " in reasons["clusters"]
    assert look(client)[1]["workers"] == "stale"


def test_where_nothing_runs_it_says_how_to_start(client: Client, runway: None) -> None:
    valkey().flushdb()
    assert not_ok(client) == (503, {"clusters": "nothing runs: ./run demo or ./run live starts it"})


def test_answers_that_pile_up_are_told(client: Client, runway: None) -> None:
    refused = FeedError(reason="HTTP 503", http_status=503, retry_after=None, polled_at=clock.now(), fetch_ms=1.0)
    answers.hand_over([("r1", refused)] * (checks.MANY_ANSWERS + 1))
    assert not_ok(client) == (200, {"queue": "answers that wait to be written: 101"})
    answers.hand_over([("r1", refused)] * checks.TOO_MANY_ANSWERS)
    assert not_ok(client)[0] == 503


def test_bodies_that_nobody_makes_anew_are_told(client: Client, runway: None) -> None:
    live_race()
    shelf.outdate({"race:r1": "2"})
    assert not_ok(client) == (200, {})
    bodies.client().hset(shelf.name_of("race:r1"), "outdated", time.time() - 20)
    status, reasons = not_ok(client)
    assert (status, reasons["bodies"][:45]) == (200, "the bodies of 1 races wait to be made, up to ")


def test_a_short_runway_is_told_and_none_is_a_503(client: Client, runway: None) -> None:
    today = racing_day(clock.now())
    tomorrow = tuple(found for found in partitions.existing() if found.day == today + timedelta(days=2))
    partitions.apply(partitions.Plan(create=(), detach=tomorrow))
    reason = "partitions for 1 days ahead, 2 needed: manage.py partitions --apply"
    assert not_ok(client) == (200, {"runway": reason})
    partitions.apply(partitions.Plan(create=(), detach=tuple(one for one in partitions.existing() if one.day == today)))
    status, reasons = not_ok(client)
    partitions.keep(today)
    assert (status, list(reasons)) == (503, ["runway"])


@pytest.mark.parametrize(("free", "status"), [(checks.LITTLE_BYTES - 1, 200), (checks.TOO_FEW_BYTES - 1, 503)])
def test_a_disk_that_gets_full_is_told(
    client: Client, runway: None, monkeypatch: pytest.MonkeyPatch, free: int, status: int
) -> None:
    monkeypatch.setattr(checks, "data_disk", lambda: SimpleNamespace(free=free))
    told = not_ok(client)
    assert (told[0], list(told[1])) == (status, ["disk"])


def test_without_the_database_the_other_parts_are_told(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")
    status, body = look(client)
    assert (status, body["status"], body["workers"]) == (503, "unhealthy", "operational")
    assert body["error"].startswith("database: the database does not answer: ")
    assert body["parts"]["clusters"] == {"status": "ok"}
    assert client.get("/health/ready").json() == {"status": "ready"}  # what is published can be served


def test_without_valkey_the_other_parts_are_told(client: Client, settings: Settings) -> None:
    settings.REDIS_URL = "unix:///nowhere/valkey.sock"
    home = settings.CACHES["default"]
    settings.CACHES = {"default": {**home, "LOCATION": settings.REDIS_URL}}
    status, body = look(client)
    assert (status, body["parts"]["database"]) == (503, {"status": "ok"})
    assert "Valkey does not answer" in body["parts"]["valkey"]["reason"]
    assert client.get("/health/ready").status_code == 200


def test_a_process_is_live_whatever_its_servers_do(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "unix:///nowhere/valkey.sock"}}
    client = LaneClient()
    assert client.get("/health/live").json() == {"status": "live"}
    assert client.get("/health/ready").status_code == 503


def test_a_database_that_hangs_is_waited_for_once_and_asked_again_when_it_answers(
    client: Client, runway: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = psycopg.connect(make_conninfo(settings.DATABASE_URL, dbname=str(connection.settings_dict["NAME"])))
    with hanging, monkeypatch.context() as patch:
        patch.setattr(questions, "DEADLINE_SECONDS", 0.2)
        hanging.execute("LOCK TABLE poll_marks")
        told = [look(client)[1]["parts"]["database"]["reason"] for _ in range(3)]
    again = "the database does not answer: an earlier question has no answer yet"
    assert told == ["the database does not answer: no answer within 0.2 s", again, again]
    deadline = time.monotonic() + 30
    while not_ok(client) != (200, {}):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_health_takes_no_query(client: Client) -> None:
    assert client.get("/health?verbose=1").status_code == 400


# ── The doctor ──────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def feed(settings: Settings) -> Iterator[str]:
    with tab_at_the_door(Simulation(seed="doctor", first_start=clock.now()), clock.now, settings) as url:
        yield url


def doctor() -> tuple[dict[str, str], int]:
    code = 0
    try:
        call_command("doctor", stdout=(out := StringIO()))
    except SystemExit as ended:
        code = int(ended.code or 0)
    return {line.split()[0]: line.split(maxsplit=1)[1] for line in out.getvalue().splitlines()}, code


def test_the_doctor_says_the_same_in_words(runway: None, settings: Settings) -> None:
    settings.NZTAB_API_URL = "http://127.0.0.1:9"
    valkey().set("raceday:heartbeat:publish", repr(time.time() - 16))
    lines, code = doctor()
    assert lines["clusters"] == "weak  no heartbeat of publish for 15 s: see their logs"
    assert lines["door"].startswith("FAIL  http://127.0.0.1:9: ConnectError")
    assert lines["polls"] == "ok    0 live races, each stored when it was due"
    assert code == 1


def test_the_doctor_ends_with_0_where_all_is_well(runway: None, feed: str) -> None:
    lines, code = doctor()
    assert {line.split()[0] for line in lines.values()} == {"ok"}
    assert lines["door"].startswith(f"ok    {feed}")
    assert code == 0


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"fault": "future_stamp", "seconds": 3600}, "weak  our clock is -36"),
        ({"fault": "wrong_types", "path": "header.generated_time"}, "FAIL  $.header.generated_time: "),
    ],
)
def test_the_doctor_tells_a_clock_or_an_answer_that_is_wrong(
    runway: None, feed: str, fault: dict[str, Any], told: str
) -> None:
    control(feed, **fault)
    lines, code = doctor()
    assert lines["door"][: len(told)] == told
    assert code == 1
