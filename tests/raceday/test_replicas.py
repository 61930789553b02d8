"""Readers are sent to a replica only while it is near; whatever is wrong with it, the primary answers them."""

from collections.abc import Iterator
from datetime import timedelta
from threading import Event, Thread

import psycopg
import pytest
from django.db import DEFAULT_DB_ALIAS, InternalError, connections, transaction
from psycopg import sql
from psycopg.conninfo import make_conninfo
from pytest_django import Settings

from config.settings import replica
from meetings.models import Meeting
from moneyflow.history.columns import read_history
from operations import checks
from operations.checks import Part, Status
from raceday import clock, replicas
from raceday.models import PollRun
from races.models import Race
from tests.support.card import START, make_entrant, make_meeting, make_race

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")
DEAD = "postgresql://raceday@/raceday?host=/nowhere"
ALIASES = ("replica_1", "replica_2")


@pytest.fixture(scope="module", autouse=True)
def aliases(django_db_setup: None) -> Iterator[None]:
    """Two replicas, known to Django as if they had been set from the start."""
    described = connections.configure_settings({**connections.settings, **{alias: replica(DEAD) for alias in ALIASES}})
    connections.settings.update(described)
    yield
    for alias in ALIASES:
        del connections[alias], connections.settings[alias]


@pytest.fixture(autouse=True)
def in_use(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The replicas that a test has, none at first, and none looked at."""
    used: list[str] = []
    monkeypatch.setattr(replicas, "_looks", {})
    monkeypatch.setattr(replicas, "names", lambda: used)
    yield used
    for alias in used:
        connections[alias].close()


def set_place(alias: str, url: str) -> None:
    place = connections.settings[alias]
    place |= {name: value for name, value in replica(url).items() if name != "TEST"}


@pytest.fixture
def stand_in(in_use: list[str]) -> Iterator[str]:
    """A copy of the database with one race, on the same server: a replica that stays as it was made."""
    make_entrant(make_race(make_meeting()), 1)
    PollRun.objects.create(race_id="r1", polled_at=clock.now(), outcome=PollRun.Outcome.CHANGED)
    place = connections[DEFAULT_DB_ALIAS].settings_dict
    connections[DEFAULT_DB_ALIAS].close()  # no copy is made of a database that somebody is in
    server = {name: place[name.upper()] for name in ("host", "port", "user", "password") if place[name.upper()]}
    copy = f"{place['NAME']}_copy"
    words = {"copy": sql.Identifier(copy), "name": sql.Identifier(place["NAME"])}
    drop = sql.SQL("DROP DATABASE IF EXISTS {copy} WITH (FORCE)").format(**words)
    with psycopg.connect(make_conninfo(**server, dbname="postgres"), autocommit=True) as own:
        own.execute(drop)
        own.execute(sql.SQL("CREATE DATABASE {copy} TEMPLATE {name}").format(**words))
        set_place("replica_1", make_conninfo(**server, dbname=copy))
        in_use.append("replica_1")
        yield "replica_1"
        own.execute(drop)


def rename(name: str) -> None:
    """Makes the primary differ from its copy."""
    Race.objects.update(name=name)


def name_read() -> str:
    return Race.objects.get().name


def poll_primary(seconds_later: float) -> None:
    PollRun.objects.update(polled_at=PollRun.objects.get().polled_at + timedelta(seconds=seconds_later))


def test_without_replicas_the_primary_answers() -> None:
    make_race(make_meeting())
    assert replicas.read(name_read) == "Maiden"
    assert replicas.states() == []


@pytest.mark.usefixtures("stand_in")
def test_what_is_read_comes_from_the_replica_and_all_else_from_the_primary() -> None:
    rename("Cup")
    assert replicas.read(name_read) == "Maiden"
    assert name_read() == "Cup"


@pytest.mark.usefixtures("stand_in")
def test_statements_of_our_own_are_routed_alike() -> None:
    make_entrant(Race.objects.get(), 2)
    seen = [read(lambda: len(read_history("r1", START)["entrants"])) for read in (replicas.read, lambda ask: ask())]
    assert seen == [1, 2]


@pytest.mark.usefixtures("stand_in")
def test_what_hangs_on_a_row_is_read_where_the_reader_is_now() -> None:
    race = replicas.read(Race.objects.get)
    Meeting.objects.update(meeting_name="Otaki")
    assert race.meeting.meeting_name == "Otaki"


@pytest.mark.usefixtures("stand_in")
def test_a_row_from_a_replica_is_saved_in_the_primary() -> None:
    race = replicas.read(Race.objects.get)
    race.name = "Plate"
    race.save()
    assert name_read() == "Plate"
    assert replicas.read(name_read) == "Maiden"


def test_a_replica_takes_no_writes(stand_in: str) -> None:
    with pytest.raises(InternalError, match="read-only"):
        Race.objects.using(stand_in).update(name="Cup")


@pytest.mark.usefixtures("stand_in")
def test_inside_a_transaction_the_primary_answers() -> None:
    with transaction.atomic():
        rename("Cup")
        assert replicas.read(name_read) == "Cup"


@pytest.mark.usefixtures("stand_in")
def test_an_answer_that_is_not_enough_is_asked_of_the_primary() -> None:
    rename("Cup")
    assert replicas.read(name_read, is_enough=lambda name: name == "Cup") == "Cup"


@pytest.mark.parametrize(("behind_seconds", "name"), [(4.0, "Maiden"), (6.0, "Cup")])
@pytest.mark.usefixtures("stand_in")
def test_a_replica_too_far_behind_is_not_read(settings: Settings, behind_seconds: float, name: str) -> None:
    settings.REPLICA_MAX_LAG_SECONDS = 5.0
    rename("Cup")
    poll_primary(behind_seconds)
    assert replicas.read(name_read) == name
    assert replicas.states()[0]["lag_seconds"] == pytest.approx(behind_seconds)


@pytest.mark.usefixtures("stand_in")
def test_a_replica_without_any_poll_is_not_read_while_the_primary_has_some() -> None:
    rename("Cup")
    PollRun.objects.update(polled_at=clock.now())
    with connections["replica_1"].cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = off")
        cursor.execute("DELETE FROM poll_runs")
    assert replicas.read(name_read) == "Cup"
    assert replicas.states()[0]["lag_seconds"] is None


def test_a_dead_replica_is_asked_once_and_then_left_alone(in_use: list[str]) -> None:
    make_race(make_meeting())
    set_place("replica_1", DEAD)
    in_use.append("replica_1")
    assert replicas.read(name_read) == "Maiden"
    found = replicas._looks["replica_1"]
    assert replicas.read(name_read) == "Maiden"
    assert replicas._looks["replica_1"] is found
    told = {"name": "replica_1", "host": "/nowhere", "is_reachable": False, "lag_seconds": None, "is_used": False}
    assert replicas.states() == [told]


@pytest.mark.usefixtures("stand_in")
def test_beside_a_dead_replica_the_other_is_read(in_use: list[str]) -> None:
    in_use.append("replica_2")
    rename("Cup")
    assert [replicas.read(name_read) for _ in range(8)] == ["Maiden"] * 8


def test_a_replica_that_dies_between_looks_costs_nobody_an_error(stand_in: str) -> None:
    rename("Cup")
    assert replicas.read(name_read) == "Maiden"
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() || '_copy'"
        )
    assert replicas.read(name_read) == "Cup"
    assert not replicas._looks[stand_in].is_reachable


def test_a_replica_is_read_again_once_it_is_back(stand_in: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rename("Cup")
    monkeypatch.setitem(connections[stand_in].settings_dict, "HOST", "/nowhere")
    monkeypatch.setattr(replicas, "REST_SECONDS", 0.0)
    assert replicas.read(name_read) == "Cup"
    monkeypatch.undo()
    monkeypatch.setattr(replicas, "_looks", {})
    assert replicas.read(name_read) == "Maiden"


@pytest.mark.usefixtures("stand_in")
def test_while_one_looks_the_others_do_not_wait() -> None:
    rename("Cup")
    read, looks = Event(), replicas._looking
    told: list[str] = []

    def ask() -> None:
        told.append(replicas.read(name_read))
        connections.close_all()
        read.set()

    with looks:  # somebody is at it and does not come back
        Thread(target=ask).start()
        assert read.wait(10)
    assert told == ["Cup"]


def test_health_tells_of_a_replica_that_readers_are_not_sent_to(
    in_use: list[str], stand_in: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checks.replica_servers() == Part(Status.OK, "1 replicas are read from")
    poll_primary(60)
    monkeypatch.setattr(replicas, "_looks", {})
    assert checks.replica_servers() == Part(Status.DEGRADED, "replica_1 is 60 s behind")
    set_place("replica_2", DEAD)
    in_use[:] = ["replica_2"]
    assert checks.replica_servers() == Part(Status.DEGRADED, "replica_2 does not answer")
