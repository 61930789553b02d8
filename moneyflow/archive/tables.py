"""What is stored of racing days, table by table: which rows belong to them, what names a row, what it may hold."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from msgspec import Struct

from moneyflow.archive.store import name_of_card
from moneyflow.history.columns import AFTER_START, BEFORE_START
from raceday.racing_day import day_bounds

RACES = "SELECT race_id FROM races WHERE race_date_nz BETWEEN %(first)s AND %(last)s"
OF_RACES = f"race_id IN ({RACES})"
ENTRANTS = f"SELECT entrant_id FROM entrants WHERE {OF_RACES}"  # noqa: S608  # every part of it is ours
NUMBERS = ("id", "sequence")  # that the database gives rows in their order, and that mean nothing else
CONTENT = """
SELECT count(*), coalesce(sum(('x' || left(md5((to_jsonb(line) - %(numbers)s::text[])::text), 15))::bit(60)::bigint), 0)
FROM ({rows}) AS line
"""


class Days(Struct, frozen=True):
    """Racing days, the last one included."""

    first: date
    last: date

    def __iter__(self) -> Iterator[date]:
        return (self.first + timedelta(days=offset) for offset in range((self.last - self.first).days + 1))

    @property
    def values(self) -> dict[str, Any]:
        """The values that the tables' conditions name."""
        start, end = day_bounds(self.first)[0] - BEFORE_START, day_bounds(self.last)[1] + AFTER_START
        cards = [name_of_card(day) for day in self]
        return {"first": self.first, "last": self.last, "since": start, "until": end, "cards": cards}


class Table(Struct, frozen=True, kw_only=True):
    """A table of the archive's files. rows: the condition for those of Days; key: what is unique; ranges: what holds.

    partitioned_by: the instant that decides in which day's partition a row is.
    """

    name: str
    table: str
    rows: str = OF_RACES
    key: str = "race_id"
    ranges: str = "true"
    order: str = ""
    partitioned_by: str = ""

    @property
    def select(self) -> str:
        """The statement that selects the rows of Days, in the order in which they were written."""
        return f"SELECT * FROM {self.table} WHERE {self.rows} ORDER BY {self.order or self.key}"  # noqa: S608  # ours


def _within(column: str) -> str:
    return f"{column} >= %(since)s AND {column} < %(until)s"


# Each table after those that its rows refer to.
TABLES = (
    Table(
        name="meetings",
        table="meetings",
        key="meeting_id",
        rows=f"meeting_id IN ({RACES.replace('race_id', 'meeting_id', 1)})",
    ),
    Table(name="races", table="races", ranges="race_number > 0 AND coalesce(distance, 1) > 0"),
    Table(
        name="entrants",
        table="entrants",
        key="entrant_id",
        ranges="runner_number > 0 AND coalesce(least(fixed_win_odds, pool_win_odds), 1) >= 1",
    ),
    Table(name="pools", table="race_pools", ranges="coalesce(least(win_pool_total, total_race_pool), 0) >= 0"),
    Table(name="results", table="race_results"),
    Table(name="marks", table="poll_marks"),
    Table(
        name="readings",
        table="money_flow_history",
        rows=f"{OF_RACES} AND {_within('event_timestamp')}",
        key="entrant_id, event_timestamp",
        ranges="coalesce(least(win_pool_amount, place_pool_amount, hold_percentage), 0) >= 0"
        " AND coalesce(least(fixed_win_odds, pool_win_odds), 1) >= 1",
        order="id",
        partitioned_by="event_timestamp",
    ),
    Table(
        name="odds",
        table="odds_history",
        rows=f"entrant_id IN ({ENTRANTS}) AND {_within('event_timestamp')}",
        key="entrant_id, event_timestamp, type",
        ranges="odds >= 1",
        order="id",
        partitioned_by="event_timestamp",
    ),
    Table(
        name="alerts",
        table="late_money_alerts",
        key="race_id, entrant_id, severity",
        ranges="severity BETWEEN 1 AND 3 AND share_after_percentage BETWEEN 0 AND 100",
        order="id",
    ),
    Table(  # by which alerts are judged
        name="calibrations",
        table="late_money_calibrations",
        rows="true",
        key="made_at, artefact",
        order="id",
    ),
    Table(
        name="answers",
        table="feed_answers",
        rows=f"({OF_RACES} OR race_id = ANY(%(cards)s)) AND {_within('polled_at')}",
        key="race_id, polled_at",
        ranges="octet_length(sha256) = 32",
        order="sequence",
        partitioned_by="polled_at",
    ),
)
BY_NAME = {table.name: table for table in TABLES}
ANSWERS = BY_NAME["answers"]
WRITTEN = tuple(table for table in TABLES if table.name not in {"marks", "calibrations", "answers"})  # from answers


def content_of(database: BaseDatabaseWrapper, table: Table, days: Days) -> tuple[int, int]:
    """Return the number of a table's rows of these days, and a checksum of what they say, in whatever order."""
    with database.cursor() as cursor:
        cursor.execute(CONTENT.format(rows=table.select), {**days.values, "numbers": list(NUMBERS)})
        found: tuple[int, int] = cursor.fetchone()
    return found
