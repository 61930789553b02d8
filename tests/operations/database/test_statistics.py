"""What PostgreSQL tells of itself: true of the database it stands in, bounded, without anybody's secrets."""

from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection
from pytest_django import Settings

from operations.database import statistics
from operations.management.commands.prepare import count_statements
from raceday.racing_day import NZ, racing_day
from tests.support.card import START, add_money, make_entrant, make_meeting, make_race

pytestmark = pytest.mark.django_db


@pytest.fixture
def statements_counted() -> None:
    """What `prepare` does; undone with the test's transaction."""
    told: list[str] = []
    count_statements(told.append)
    assert told == []


@pytest.fixture
def other() -> Iterator[psycopg.Connection[Any]]:
    """A connection beside the test's own."""
    params = connection.get_connection_params()
    wanted = ("dbname", "user", "password", "host", "port")
    place = {name: params[name] for name in wanted if params.get(name)}
    with psycopg.connect(**place, application_name="a visitor", autocommit=True) as visitor:
        yield visitor


@pytest.mark.parametrize(
    ("statement", "bare"),
    [
        ("SELECT $1,\n  $2", "SELECT $1, $2"),
        ("ALTER ROLE kim PASSWORD 'hunter2'", "ALTER ROLE kim PASSWORD ?"),
        ("SELECT 'it''s hunter2', 1", "SELECT ?, ?"),
        (r"SELECT E'it\'s hunter2', 2.5e-3", "SELECT ?, ?"),
        ("SELECT 'hunter2", "SELECT ?"),
        ("SELECT $$hunter2$$, $a$hunter2 $$ 'x$a$ AS b", "SELECT ?, ? AS b"),
        ("SELECT $a$hunter2", "SELECT ?"),
        ("SELECT 1 -- isn't it\n, 'hunter2'", "SELECT ? , ?"),
        ("/* don't */ SELECT 'hunter2' /* hunter2", "SELECT ?"),
        ("SELECT \"it's\" FROM r1 WHERE x = 'hunter2'", 'SELECT "it\'s" FROM r1 WHERE x = ?'),
        ("SELECT 5271793 FROM money_flow_history_2026_11_21", "SELECT ? FROM money_flow_history_2026_11_21"),
        ("SELECT " + "x" * 400, "SELECT " + "x" * 292 + "…"),
    ],
)
def test_no_value_of_a_statement_is_told(statement: str, bare: str) -> None:
    assert statistics.without_values(statement) == bare


def test_every_part_is_told_of_an_empty_database() -> None:
    told = statistics.collect()
    assert told["problems"] == {}
    assert [name for name, part in told.items() if part is None] == []


def test_connections_are_counted_by_application_and_state(other: psycopg.Connection[Any]) -> None:
    told = statistics.connections()
    assert [row["state"] for row in told["by_application"] if row["application"] == "a visitor"] == ["idle"]
    assert sum(row["count"] for row in told["by_application"]) == told["used"] <= told["max"]


@pytest.mark.usefixtures("other")
def test_the_pool_is_what_racedays_own_processes_keep(settings: Settings) -> None:
    settings.DB_POOL_MAX = 12
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'raceday' AND datname = current_database()"
        )
        (ours,) = cursor.fetchone()
    told = statistics.pool()
    assert (told["max"], told["open"]) == (12, ours)
    assert sum(told["by_state"].values()) == ours


def test_partitions_are_summed_up_by_history_table(make_partitions: Callable[..., None]) -> None:
    make_partitions(date(2020, 2, 28), racing_day(START))
    add_money(make_entrant(make_race(make_meeting()), 1), START, 100)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE money_flow_history")
        cursor.execute("SELECT count(*) FROM pg_inherits WHERE inhparent = 'money_flow_history'::regclass")
        (parts,) = cursor.fetchone()
    told = {history["table"]: history for history in statistics.partitions()}
    money = told["money_flow_history"]
    assert set(told) == {"feed_answers", "money_flow_history", "odds_history"}
    assert (money["partitions"], money["rows_estimate"]) == (parts, 1)
    assert money["oldest_since"] == datetime(2020, 2, 28, tzinfo=NZ)
    assert money["newest_until"] == money["newest"][0]["until"] > money["newest"][-1]["until"]


def test_rows_that_nobody_has_counted_are_unknown_and_not_none() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE uncounted AS SELECT 1 AS one; CREATE TABLE bare (one int)")
        cursor.execute("SELECT pg_stat_reset_single_table_counters('uncounted'::regclass)")
    estimates = {row["table"]: row["rows_estimate"] for row in statistics.rows(statistics.TABLES)}
    assert (estimates["uncounted"], estimates["bare"]) == (None, 0)


def test_partitions_are_no_tables_of_their_own_and_their_indexes_are_one() -> None:
    tables = [row["table"] for row in statistics.rows(statistics.TABLES)]
    assert "races" in tables
    assert not [table for table in tables if table.startswith(("money_flow_history", "odds_history", "feed_answers"))]
    indexes = [index for part in statistics.indexes().values() for index in part]
    parts = [index["parts"] for index in indexes if index["table"] == "money_flow_history"]
    assert parts
    assert min(parts) > 1
    assert not [index for index in indexes if index["table"].startswith("money_flow_history_")]


def test_an_unused_index_is_told_unless_it_guards_uniqueness() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE leafy (one int UNIQUE, two int); CREATE INDEX leafy_two ON leafy (two)")
    unused = [index["index"] for index in statistics.indexes()["unused"] if index["table"] == "leafy"]
    assert unused == ["leafy_two"]


def test_without_the_extension_there_are_no_statements_but_a_reason() -> None:
    told = statistics.collect()["statements"]
    assert told["by_total"] is told["by_mean"] is None
    assert "pg_stat_statements" in told["reason"]


@pytest.mark.usefixtures("statements_counted")
def test_statements_are_told_with_their_time_and_without_their_values() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_statements_reset()")
        cursor.execute("SELECT pg_sleep(0.05), %s", ["hunter2"])
        cursor.execute("CREATE ROLE raceday_kim PASSWORD 'hunter2'")
    told = statistics.collect()["statements"]
    assert told["reason"] is None
    assert told["by_mean"] == sorted(told["by_mean"], key=lambda row: -row["mean_ms"])
    (slow,) = (row for row in told["by_mean"] if "pg_sleep" in row["statement"])
    assert (slow["calls"], slow["mean_ms"] >= 50, slow["max_ms"]) == (1, True, slow["total_ms"])
    assert "hunter2" not in repr(told)
    assert "CREATE ROLE raceday_kim PASSWORD ?" in repr(told)


def test_a_user_who_may_not_make_the_extension_is_told_and_goes_on() -> None:
    told: list[str] = []
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE raceday_plain; SET LOCAL ROLE raceday_plain")
        count_statements(told.append)
        cursor.execute("RESET ROLE")
    assert len(told) == 1
    assert "permission denied" in told[0]


def test_a_transaction_left_open_is_told_without_its_values(
    other: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(statistics.LIMITS, "long_seconds", 0.0)
    other.execute("BEGIN")
    other.execute("SELECT 'hunter2'")
    (told,) = [row for row in statistics.rows(statistics.LONG) if row["pid"] == other.info.backend_pid]
    assert (told["application"], told["state"]) == ("a visitor", "idle in transaction")
    assert (told["statement"], told["blocked_by"]) == ("SELECT ?", [])


def test_a_part_that_is_refused_leaves_the_others_standing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "CACHE", "SELECT 1 / 0")
    told = statistics.collect()
    assert (told["cache"], told["problems"]) == (None, {"cache": "division by zero"})
    assert [name for name, part in told.items() if part is None] == ["cache"]


def test_a_part_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "LONG", "SELECT pg_sleep(60)")
    told = statistics.collect()
    assert (told["long_running"], list(told["problems"])) == (None, ["long_running"])
    assert "statement timeout" in told["problems"]["long_running"]


def test_without_postgresql_nothing_is_told(other: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()

    def die() -> dict[str, Any]:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        return statistics.rows("SELECT 1")[0]

    monkeypatch.setattr(statistics, "pool", die)
    with pytest.raises(OperationalError):
        statistics.collect()
