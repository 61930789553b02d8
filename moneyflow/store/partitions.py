"""Partitions of what grows by the day, one an NZ day: plan (pure) → print → apply. All their policy is here."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import takewhile

import structlog
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.utils import DatabaseError
from psycopg import sql

from raceday import clock
from raceday.outage import is_outage, sqlstate
from raceday.racing_day import day_bounds, racing_day

log = structlog.get_logger(__name__)

ANSWERS = "feed_answers"
PARENTS = ("money_flow_history", "odds_history", ANSWERS)
RUNWAY_DAYS = 7
LEAST_RUNWAY_DAYS = 2
# The feed dates prices back to the day before the race and further: their days need a place, too.
PAST_DAYS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """One NZ day of one of the PARENTS."""

    parent: str
    day: date

    @property
    def name(self) -> str:
        """`money_flow_history_2026_11_21`."""
        return f"{self.parent}_{self.day:%Y_%m_%d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be made, and what is older than the retention and to be detached; detached is not dropped."""

    create: tuple[Partition, ...]
    detach: tuple[Partition, ...]


def plan(
    existing: Iterable[Partition], days: Sequence[date], *, oldest: date, oldest_answers: date | None = None
) -> Plan:
    """Plan to create partitions for `days` and to detach those of days before `oldest`.

    oldest_answers: of the partitions of the feed's answers, if they are kept for another time.
    """

    def is_kept(partition: Partition) -> bool:
        return partition.day >= (oldest_answers if oldest_answers and partition.parent == ANSWERS else oldest)

    have = set(existing)
    wanted = [Partition(parent=parent, day=day) for day in days for parent in PARENTS]
    return Plan(
        create=tuple(partition for partition in wanted if partition not in have and is_kept(partition)),
        detach=tuple(sorted((old for old in have if not is_kept(old)), key=lambda old: (old.day, old.parent))),
    )


def plan_today(today: date) -> Plan:
    """Plan a week behind `today`, the runway before it, and the retention."""
    offsets = (*range(RUNWAY_DAYS + 1), *range(-1, -PAST_DAYS - 1, -1))  # the days to come first
    days = [today + timedelta(days=offset) for offset in offsets]
    return plan(
        existing(),
        days,
        oldest=today - timedelta(days=settings.HISTORY_RETENTION_DAYS),
        oldest_answers=today - timedelta(days=settings.ANSWERS_RETENTION_DAYS),
    )


def existing() -> list[Partition]:
    """Read which partitions are attached."""
    return _partitions(
        "SELECT parent.relname, child.relname FROM pg_inherits"
        " JOIN pg_class parent ON parent.oid = inhparent JOIN pg_class child ON child.oid = inhrelid"
        " WHERE parent.relname = ANY(%s) AND pg_table_is_visible(parent.oid) ORDER BY 2"
    )


def detached() -> list[Partition]:
    """Read which partitions were detached and are still there, the oldest first."""
    return _partitions(
        "SELECT parent, relname FROM pg_class, unnest(%s::text[]) AS parent"
        " WHERE relkind = 'r' AND NOT relispartition AND relname ~ ('^' || parent || '_\\d{4}_\\d\\d_\\d\\d$')"
        " AND pg_table_is_visible(oid) ORDER BY right(relname, 10), 1"
    )


def _partitions(statement: str) -> list[Partition]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(PARENTS)])
        return [_partition(parent, name) for parent, name in cursor.fetchall()]


def apply(planned: Plan) -> Plan:
    """Carry out a plan, each partition by itself, and return what was done: one failure stops no other.

    Partitions for readings to come are created first.
    """
    with connection.cursor() as cursor:
        create = tuple(found for found in planned.create if _is_done(found, _creation(found, cursor)))
        detach = tuple(found for found in planned.detach if _is_done(found, _detachment(found)))
    return Plan(create=create, detach=detach)


def _is_done(partition: Partition, statements: Iterable[sql.Composed]) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '3s'")
            for statement in statements:
                cursor.execute(statement.as_string(cursor.connection))
    except DatabaseError as fault:
        if is_outage(fault) and sqlstate(fault) is None:  # no other one could be made either
            raise
        log.error("partition_failed", partition=partition.name, fault=str(fault).partition("\n")[0])
        return False
    return True


def keep(today: date) -> Plan:
    """Bring the partitions to where `plan_today` wants them; safe from two processes at once. Returns what was done."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('raceday.partitions'))")
        return apply(plan_today(today))


def is_migrated() -> bool:
    """Say whether the history tables are there; they are not after `migrate moneyflow zero`."""
    return set(PARENTS) <= set(connection.introspection.table_names())


def runway_days(today: date) -> int:
    """Count the days after `today` that have every partition, without a gap; −1: not even today."""
    have = set(existing())
    days = (today + timedelta(days=offset) for offset in range(366))
    ready = takewhile(lambda day: all(Partition(parent=parent, day=day) in have for parent in PARENTS), days)
    return sum(1 for _ in ready) - 1


def check_runway(databases: Sequence[str] | None, **_: object) -> list[CheckMessage]:
    """Be Django's check that readings of the coming days have a place."""
    # migrate runs this check first and creates the partitions last, so the check must not stop it.
    if not databases or sys.argv[1:2] == ["migrate"]:
        return []
    try:
        runway = runway_days(racing_day(clock.now()))
    except DatabaseError as error:
        return [Error(f"the partitions cannot be read: {error}", id="moneyflow.E001")]
    if runway >= LEAST_RUNWAY_DAYS:
        return []
    return [
        Error(
            f"history has partitions for {runway} days ahead, {LEAST_RUNWAY_DAYS} are needed",
            hint="manage.py partitions --apply",
            id="moneyflow.E002",
        )
    ]


def _partition(parent: str, name: str) -> Partition:
    year, month, day = name.removeprefix(f"{parent}_").split("_")
    return Partition(parent=parent, day=date(int(year), int(month), int(day)))


def _creation(partition: Partition, cursor: CursorWrapper) -> list[sql.Composed]:
    """Create a table and attach it as a partition: PARTITION OF would lock the parent against every reader and writer.

    A table that a shorter retention detached is attached again as it is, with its rows.
    """
    start, end = day_bounds(partition.day)
    names = {"parent": sql.Identifier(partition.parent), "name": sql.Identifier(partition.name)}
    attach = sql.SQL("ALTER TABLE {parent} ATTACH PARTITION {name} FOR VALUES FROM ({start}) TO ({end})").format(
        **names, start=sql.Literal(start.isoformat()), end=sql.Literal(end.isoformat())
    )
    cursor.execute("SELECT to_regclass(%s)", [partition.name])
    if cursor.fetchone() != (None,):
        return [attach]
    create = sql.SQL("CREATE TABLE {name} (LIKE {parent} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)").format(**names)
    return [create, attach]


def _detachment(partition: Partition) -> list[sql.Composed]:
    names = sql.Identifier(partition.parent), sql.Identifier(partition.name)
    return [sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(*names)]
