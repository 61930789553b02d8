"""Late-money alerts as they are stored: of one race, of a day, and how often they were right."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

import msgspec
from django.db.models import F, QuerySet

from moneyflow.models import LateMoneyAlert
from moneyflow.store.statements import RECORD
from raceday.rows import many, read, row_type
from raceday.selecting import select

OF_RACE = """
SELECT late_money_alerts.*, runner_number, name FROM late_money_alerts JOIN entrants USING (entrant_id)
WHERE late_money_alerts.race_id = %(race_id)s ORDER BY raised_at, id
"""
BY_SEVERITY = RECORD.replace("SELECT ", "SELECT severity, ", 1) + " GROUP BY severity ORDER BY severity"
# The first alert of each runner, in bins of a share of the Win pool.
BINS = """
SELECT width_bucket(share, %s::numeric[]) AS bin, count(*) AS settled, count(*) FILTER (WHERE won) AS won,
    avg(share)::float AS expected
FROM (
    SELECT DISTINCT ON (entrant_id) won, {share} AS share FROM late_money_alerts
    WHERE won IS NOT NULL AND {share} IS NOT NULL ORDER BY entrant_id, raised_at) AS first
GROUP BY bin ORDER BY bin
"""
ENDED_RACES = """
SELECT count(*) AS races, count(DISTINCT race_date_nz) AS days, count(*) FILTER (WHERE worst >= 1) AS severity_1,
    count(*) FILTER (WHERE worst >= 2) AS severity_2, count(*) FILTER (WHERE worst >= 3) AS severity_3,
    count(*) FILTER (WHERE won) AS won_by_alerted
FROM (
    SELECT race_date_nz, max(severity) AS worst, bool_or(won) AS won
    FROM races LEFT JOIN late_money_alerts alerts ON alerts.race_id = races.race_id AND raised_at <= actual_start
    WHERE status = 'Final' AND actual_start IS NOT NULL GROUP BY races.race_id) AS race
"""
MOST_ALERTS = 1000
ALERTS: Any = list[row_type(LateMoneyAlert, runner_number=int, name=str)]  # type: ignore[misc]  # made at run time
_alerts: msgspec.json.Decoder[list[Any]] = msgspec.json.Decoder(ALERTS)
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
    return read(f"SELECT {many(OF_RACE)}::text", {"race_id": race_id}, _alerts)


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
    return select(BY_SEVERITY)


def read_bins(edges: Sequence[int], *, is_final: bool) -> list[dict[str, Any]]:
    """Return how often alerted runners won, in bins of their share of the Win pool in percent.

    The share is the one at the end if `is_final`, else the one when the alert was raised.
    """
    share = "final_share_percentage" if is_final else "share_after_percentage"
    return select(BINS.format(share=share), [list(edges)])


def count_ended_races() -> dict[str, Any]:
    """Count ended races, those with an alert before the close by severity, and those that such a runner won."""
    return select(ENDED_RACES)[0]
