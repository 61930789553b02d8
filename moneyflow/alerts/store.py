"""Late-money alerts as they are stored: of one race, of a day, and how often they were right."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.db.models import F, QuerySet

from moneyflow.models import LateMoneyAlert
from moneyflow.store.statements import RECORD

# One plain statement, for what is made again at each poll (races.rows).
OF_RACE = """
SELECT late_money_alerts.*, runner_number, name FROM late_money_alerts JOIN entrants USING (entrant_id)
WHERE late_money_alerts.race_id = %s ORDER BY raised_at, id
"""
BY_SEVERITY = RECORD.replace("SELECT ", "SELECT severity, ", 1) + " GROUP BY severity ORDER BY severity"
MOST_ALERTS = 1000
# Names on other rows, for what is shown away from its race.
BESIDE = {
    "runner_number": F("entrant__runner_number"),
    "name": F("entrant__name"),
    "race_name": F("race__name"),
    "race_number": F("race__race_number"),
    "start_time": F("race__start_time"),
    "actual_start": F("race__actual_start"),
    "meeting_id": F("race__meeting_id"),
    "meeting_name": F("race__meeting__meeting_name"),
    "country": F("race__meeting__country"),
    "race_type": F("race__meeting__race_type"),
}


def read_alerts(race_id: str) -> list[Any]:
    """Read a race's alerts in the order in which they were raised, each with its runner's number and name."""
    return list(LateMoneyAlert.objects.raw(OF_RACE, [race_id]))


def find_alerts(
    min_severity: int, *, race_id: str | None = None, date: date | None = None, since: datetime | None = None
) -> QuerySet[LateMoneyAlert]:
    """Return the newest alerts, at most a thousand, newest first, with the names that RaceAlertSerializer shows."""
    asked = {"race_id": race_id, "race__race_date_nz": date, "raised_at__gt": since}
    known = {name: value for name, value in asked.items() if value is not None}
    return _named(severity__gte=min_severity, **known).order_by("-raised_at", "-id")[:MOST_ALERTS]


def alerts_by_id(ids: Iterable[int]) -> QuerySet[LateMoneyAlert]:
    """Return alerts with the names that RaceAlertSerializer shows."""
    return _named(pk__in=list(ids))


def _named(**asked: Any) -> QuerySet[LateMoneyAlert]:
    return LateMoneyAlert.objects.filter(**asked).annotate(**BESIDE)


def read_record() -> list[dict[str, Any]]:
    """Return how often the alerts of each severity were right, of those whose races have ended."""
    with connection.cursor() as cursor:
        cursor.execute(BY_SEVERITY)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
