from collections.abc import Callable
from datetime import date, datetime, timedelta
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from pytest_django import Settings

from moneyflow.store import partitions
from moneyflow.store.partitions import PARENTS, Partition, plan
from raceday import clock
from raceday.racing_day import racing_day

TODAY = date(2026, 11, 21)


def names(found: tuple[Partition, ...]) -> list[str]:
    return [partition.name for partition in found]


def test_a_plan_makes_what_is_missing_and_leaves_what_is_there() -> None:
    have = [Partition(parent=PARENTS[0], day=TODAY)]
    planned = plan(have, [TODAY, TODAY + timedelta(days=1)], oldest=date.min)
    assert names(planned.create) == [
        "odds_history_2026_11_21",
        "feed_answers_2026_11_21",
        "money_flow_history_2026_11_22",
        "odds_history_2026_11_22",
        "feed_answers_2026_11_22",
    ]


def test_a_plan_detaches_only_what_is_older_than_the_retention() -> None:
    have = [Partition(parent=PARENTS[0], day=TODAY - timedelta(days=age)) for age in (29, 30, 31)]
    planned = plan(have, [], oldest=TODAY - timedelta(days=30))
    assert names(planned.detach) == ["money_flow_history_2026_10_21"]


def test_answers_of_the_feed_have_a_retention_of_their_own() -> None:
    have = [Partition(parent=parent, day=TODAY - timedelta(days=20)) for parent in PARENTS]
    planned = plan(have, [], oldest=TODAY - timedelta(days=30), oldest_answers=TODAY - timedelta(days=10))
    assert names(planned.detach) == ["feed_answers_2026_11_01"]


def test_a_plan_never_makes_what_it_would_detach() -> None:
    assert plan([], [TODAY - timedelta(days=9)], oldest=TODAY) == partitions.Plan(create=(), detach=())


@pytest.mark.django_db
def test_migrate_has_made_a_week_of_runway() -> None:
    assert partitions.runway_days(racing_day(clock.now())) == partitions.RUNWAY_DAYS
    assert partitions.check_runway(["default"]) == []


@pytest.mark.django_db
def test_keeping_twice_changes_nothing() -> None:
    assert partitions.keep(racing_day(clock.now())) == partitions.Plan(create=(), detach=())


@pytest.mark.django_db
@pytest.mark.parametrize("day", [date(2026, 9, 27), date(2026, 4, 5)], ids=["23 hours", "25 hours"])
def test_a_day_when_clocks_change_has_no_gap_and_no_overlap(day: date) -> None:
    around = [day + timedelta(days=offset) for offset in (-1, 0, 1)]
    partitions.apply(plan(partitions.existing(), around, oldest=date.min))
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo("Pacific/Auckland"))
    for instant in (midnight - timedelta(microseconds=1), midnight, midnight + timedelta(hours=22, minutes=59)):
        assert partition_of(instant) == Partition(parent="odds_history", day=racing_day(instant)).name


def partition_of(instant: datetime) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO odds_history (entrant_id, odds, type, event_timestamp) VALUES ('e', 2, 'fixed_win', %s)"
            " RETURNING tableoid::regclass::text",
            [instant],
        )
        return str(cursor.fetchone()[0])


@pytest.mark.django_db
def test_there_is_no_default_partition() -> None:
    with pytest.raises(IntegrityError, match="no partition"), transaction.atomic():
        partition_of(datetime(2019, 1, 1, tzinfo=ZoneInfo("UTC")))


@pytest.mark.django_db
def test_a_detached_partition_keeps_its_rows() -> None:
    today = racing_day(clock.now())
    partitions.apply(plan(partitions.existing(), [today - timedelta(days=40)], oldest=date.min))
    old = partition_of(clock.now() - timedelta(days=40))
    planned = partitions.keep(today)
    assert old in names(planned.detach)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {old}")  # noqa: S608 - a name this test has from PostgreSQL
        assert cursor.fetchone() == (1,)


@pytest.mark.django_db
def test_a_retention_that_is_shortened_and_lengthened_again_gives_the_days_back(settings: Settings) -> None:
    today = racing_day(clock.now())
    kept = partition_of(clock.now() - timedelta(days=4))
    settings.HISTORY_RETENTION_DAYS = 2
    assert kept in names(partitions.keep(today).detach)
    settings.HISTORY_RETENTION_DAYS = 30
    assert kept in names(partitions.keep(today).create)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM odds_history WHERE tableoid = %s::regclass", [kept])
        assert cursor.fetchone() == (1,)


@pytest.mark.django_db
def test_a_day_that_cannot_be_made_keeps_no_other_from_being_made() -> None:
    """A table of that name that is none of ours stands in the way of one day."""
    today = racing_day(clock.now())
    ahead = tuple(found for found in partitions.existing() if found.day > today)
    partitions.apply(partitions.Plan(create=(), detach=ahead))
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {', '.join(names(ahead))}")
        cursor.execute(f"CREATE TABLE {ahead[0].name} (something_else integer)")
    assert set(partitions.keep(today).create) == set(ahead[1:])
    assert set(partitions.plan_today(today).create) == {ahead[0]}


@pytest.mark.django_db
def test_a_short_runway_is_an_error_that_says_what_to_do() -> None:
    today = racing_day(clock.now())
    attached = [found for found in partitions.existing() if found.day > today]
    partitions.apply(partitions.Plan(create=(), detach=tuple(attached)))
    (error,) = partitions.check_runway(["default"])
    assert (error.msg, error.hint) == (
        "history has partitions for 0 days ahead, 2 are needed",
        "manage.py partitions --apply",
    )


@pytest.mark.django_db
def test_the_command_prints_the_plan_and_applies_it_only_when_told() -> None:
    today = racing_day(clock.now())
    last = Partition(parent="odds_history", day=today + timedelta(days=partitions.RUNWAY_DAYS))
    partitions.apply(partitions.Plan(create=(), detach=(last,)))
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {last.name}")
    assert f"to make    {last.name}" in said("partitions")
    assert f"made       {last.name}" in said("partitions", "--apply")
    assert said("partitions") == f"runway: 7 days after {today}\n"


def test_the_command_detaches_what_is_past_its_time(make_partitions: Callable[..., None]) -> None:
    past = Partition(parent="odds_history", day=racing_day(clock.now()) - timedelta(days=60))
    make_partitions(past.day)
    assert f"to detach  {past.name}" in said("partitions")
    assert f"detached   {past.name}" in said("partitions", "--apply")
    assert past not in partitions.existing()


def said(*command: str) -> str:
    call_command(*command, stdout=(out := StringIO()))
    return out.getvalue()
