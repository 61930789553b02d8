"""Many at once make a body once, and whichever server is away, the other still answers."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.core.cache import caches
from django.db import connection, connections
from pytest_django import Settings

from raceday.api import errors
from raceday.published import lane, resources, shelf
from raceday.published.resources import Body, ResourceRequest
from raceday.published.shelf import IDENTITY, Copy, Lookup, Mark
from raceday.racing_day import racing_day
from races.models import Race
from tests.support.card import START, make_meeting, make_race, own_keys  # noqa: F401  # a fixture
from tests.support.lane import LaneClient
from tests.support.resources import ADDRESSES, KEPT, NEVER_KEPT, make_whole_card

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_keys")]
RACE = "/api/races/r1"
POLLED = "2026-11-21T15:29:00.000+13:00"
STILL_FRESH, FOR_EVER, RUN_OUT = 60.0, 0.0, -1.0
Answer = tuple[str, bytes]


@pytest.fixture
def renders(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The key of each body that is made; making one takes long enough for the others to come in between."""
    made, make = [], resources.make

    def slowly(asked: ResourceRequest) -> Body:
        made.append(asked.key)
        time.sleep(0.3)
        return make(asked)

    monkeypatch.setattr(resources, "make", slowly)
    return made


@pytest.fixture
def no_database(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def leave() -> None:
        connection.close()
        monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")

    return leave


@pytest.fixture(autouse=True)
def database_again() -> Iterator[None]:
    host = connection.settings_dict["HOST"]
    yield
    if connection.settings_dict["HOST"] != host:
        connection.close()


def mark(seconds: float) -> Mark:
    return Mark(POLLED, time.time() - 5, time.time() + seconds if seconds else 0.0)


def ask_at_once(readers: int, address: str = RACE) -> list[Answer]:
    """Each reader in a process of its own, as far as the lane can tell."""
    barrier = Barrier(readers)

    def ask(_: int) -> Answer:
        try:
            client = LaneClient()
            barrier.wait(60)
            answer = client.get(address)
            return answer["X-Cache"], answer.content
        finally:
            connections.close_all()
            caches.close_all()

    with ThreadPoolExecutor(readers) as pool:
        return list(pool.map(ask, range(readers)))


# ── At once ─────────────────────────────────────────────────────────────────────────────────────
def test_200_at_once_make_a_missing_body_once(renders: list[str], settings: Settings) -> None:
    default = settings.CACHES["default"]
    joint = "&" if "?" in default["LOCATION"] else "?"  # redis-py opens 100 connections unless told
    settings.CACHES = {"default": {**default, "LOCATION": f"{default['LOCATION']}{joint}max_connections=400"}}
    make_race(make_meeting())
    answers = ask_at_once(200)
    assert len(renders) == 1
    assert sorted(outcome for outcome, _ in answers) == [*["HIT"] * 199, "MISS"]
    assert len({content for _, content in answers}) == 1


def test_whoever_may_make_it_just_after_another_did_does_not(
    renders: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_race(make_meeting())
    take, others = shelf.take, [LaneClient()]

    def take_after_another(topic: str, key: str, seconds: float) -> bool:
        if others:
            others.pop().get(RACE)
        return take(topic, key, seconds)

    monkeypatch.setattr(shelf, "take", take_after_another)
    assert (LaneClient().get(RACE)["X-Cache"], len(renders)) == ("HIT", 1)
    assert take("race:r1", "/api/races/r1?", 1)  # released


def test_of_many_at_once_one_renews_a_body_that_ran_out_and_the_others_do_not_wait(renders: list[str]) -> None:
    make_race(make_meeting())
    shelf.outdate({"race:r1": "1"}, mark(STILL_FRESH))
    LaneClient().get(RACE)
    renders.clear()
    shelf.outdate({"race:r1": "1"}, mark(RUN_OUT))
    outcomes = [outcome for outcome, _ in ask_at_once(40)]
    assert (len(renders), outcomes.count("MISS")) == (1, 1)
    assert set(outcomes) <= {"MISS", "STALE", "HIT"}  # a HIT came once it was renewed
    assert outcomes.count("STALE") > 0
    assert LaneClient().get(RACE)["X-Cache"] == "HIT"


def test_an_outdated_body_is_never_given_while_another_can_be_made(renders: list[str]) -> None:
    meeting = make_meeting()
    make_race(meeting)
    LaneClient().get(RACE)
    Race.objects.update(status="Closed")
    shelf.outdate({"race:r1": None})
    answers = ask_at_once(40)
    assert all(b'"Closed"' in content for _, content in answers)
    assert sorted(outcome for outcome, _ in answers) == [*["HIT"] * 39, "MISS"]


def test_nobody_waits_for_a_publication_but_is_given_what_was_with_the_poll_it_is_of(
    renders: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_race(make_meeting())
    shelf.outdate({"race:r1": "1"}, mark(STILL_FRESH))
    before = LaneClient().get(RACE)
    renders.clear()
    Race.objects.update(status="Closed")
    later = mark(STILL_FRESH)._replace(polled_at="2026-11-21T15:29:05.000+13:00")
    shelf.outdate({"race:r1": "2"}, later)
    monkeypatch.setattr(lane, "PUBLISHING_SECONDS", 60.0)
    assert (set(ask_at_once(40)), renders) == ({("STALE", before.content)}, [])
    assert LaneClient().get(RACE)["X-Polled-At"] == POLLED
    monkeypatch.setattr(lane, "PUBLISHING_SECONDS", 0.0)  # it has not come
    assert LaneClient().get(RACE).json()["status"] == "Closed"


@pytest.mark.parametrize(("seconds_ago", "is_expected"), [(0.1, True), (0.6, False), (-0.1, False)])
def test_a_publication_is_expected_for_half_a_second_unless_clocks_differ(
    monkeypatch: pytest.MonkeyPatch, seconds_ago: float, is_expected: bool
) -> None:
    monkeypatch.undo()
    copy = Copy("1", 200, "e", 0.0, 1, None, IDENTITY, b"")
    assert lane.is_being_published(Lookup("2", None, copy, time.time() - seconds_ago)) is is_expected
    assert not lane.is_being_published(Lookup("1", None, copy, time.time() - seconds_ago))


def test_a_maker_that_fails_lets_the_next_one_try(no_database: Callable[[], None]) -> None:
    make_race(make_meeting())
    no_database()
    assert [LaneClient().get(RACE).status_code for _ in range(2)] == [503, 503]
    assert shelf.take("race:r1", "/api/races/r1?", 1)


# ── Valkey away ─────────────────────────────────────────────────────────────────────────────────
def test_without_valkey_every_page_is_answered_from_the_database(
    settings: Settings, make_partitions: Callable[..., None]
) -> None:
    make_partitions(racing_day(START))
    make_whole_card()
    client = LaneClient()
    before = {route: client.get(address).content for route, address in ADDRESSES.items()}
    client.forget()
    away: dict[str, Any] = {**settings.CACHES["default"], "LOCATION": "unix:///nowhere/valkey.sock"}
    settings.CACHES = {"default": away}
    settings.RATE_LIMIT_PER_MINUTE = 1
    for route in ("race", "entrants", "race-history", "money-flow-timeline", "meetings", "race-pools"):
        assert client.get(ADDRESSES[route]).content == before[route]
    answers = [client.get(address) for address in ADDRESSES.values()]
    assert {(answer.status_code, answer["X-Cache"]) for answer in answers} == {(200, "MISS")}


# ── PostgreSQL away ─────────────────────────────────────────────────────────────────────────────
def test_without_postgresql_published_bodies_still_answer_as_stale_and_the_rest_says_so(
    no_database: Callable[[], None], make_partitions: Callable[..., None]
) -> None:
    make_partitions(racing_day(START))
    make_whole_card()
    shelf.outdate({"race:r1": "1"}, mark(STILL_FRESH))
    client = LaneClient()
    before = {route: client.get(ADDRESSES[route]).content for route in KEPT}
    no_database()
    assert client.get("/api/health").status_code == 503
    client.forget()
    for route in KEPT:
        answer = client.get(ADDRESSES[route])
        assert (route, answer.status_code, answer["X-Cache"]) == (route, 200, "STALE")
        assert answer.content == before[route]
    for address in ("/api/races/r9", *(ADDRESSES[route] for route in NEVER_KEPT)):
        assert (client.get(address).status_code, client.get(address)["Cache-Control"]) == (503, "no-store")


def test_without_postgresql_an_ended_race_is_still_a_hit(no_database: Callable[[], None]) -> None:
    make_race(make_meeting(), status="Final")
    shelf.outdate({"race:r1": "1"}, mark(FOR_EVER))
    client = LaneClient()
    client.get(RACE)
    no_database()
    client.get("/api/health")
    assert client.outcomes(RACE) == ["HIT"]


@pytest.mark.parametrize("change", ["outdated", "run out"])
def test_without_postgresql_what_cannot_be_made_anew_is_given_as_stale(
    no_database: Callable[[], None], change: str
) -> None:
    make_race(make_meeting())
    shelf.outdate({"race:r1": "1"}, mark(STILL_FRESH))
    client = LaneClient()
    body = client.get(RACE).content
    shelf.outdate({"race:r1": "2" if change == "outdated" else "1"}, mark(RUN_OUT))
    no_database()
    for _ in range(2):
        client.forget()
        answer = client.get(RACE)
        assert (answer.status_code, answer["X-Cache"], answer.content) == (200, "STALE", body)
        assert answer["X-Polled-At"] == POLLED


def test_a_database_that_is_back_makes_its_bodies_hits_again(
    no_database: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_race(make_meeting())
    shelf.outdate({"race:r1": "1"}, mark(STILL_FRESH))
    client = LaneClient()
    client.get(RACE)
    host = connection.settings_dict["HOST"]
    no_database()
    client.get("/api/health")
    assert client.outcomes(RACE) == ["STALE"]
    monkeypatch.setitem(connection.settings_dict, "HOST", host)
    monkeypatch.setitem(errors._database, "away_until", time.monotonic())  # as 5 s would
    assert client.outcomes(RACE) == ["HIT"]
