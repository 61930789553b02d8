"""SERVE: which races stand beside a race, and which one starts next. Queries by index only, nothing rendered."""

from datetime import datetime
from typing import Any

from django.db.models import F, Q, QuerySet, Value

from races.models import Race

SIDES = ("previous", "next", "scheduled")
FORWARDS = ("start_time", "race_id")
BACKWARDS = ("-start_time", "-race_id")


def next_scheduled(now: datetime) -> QuerySet[Race]:
    """This function will return the live races that start after `now`, the first one first."""
    return Race.objects.live().filter(start_time__gt=now).order_by(*FORWARDS)


def neighbours(race: Race, now: datetime) -> dict[str, dict[str, Any] | None]:
    """This function will read the previous, the next and the next scheduled race: one query, three index look-ups.

    Neighbours stand in order of (start_time, race_id) over all meetings, whatever their status: a page that was open
    can be left and found again. Each is `{race_id, name, start_time, meeting_name}`, None where there is none.
    """
    before = Q(start_time__lt=race.start_time) | Q(race_id__lt=race.race_id)
    after = Q(start_time__gt=race.start_time) | Q(race_id__gt=race.race_id)
    first, *others = (
        _first("previous", Race.objects.filter(before, start_time__lte=race.start_time).order_by(*BACKWARDS)),
        _first("next", Race.objects.filter(after, start_time__gte=race.start_time).order_by(*FORWARDS)),
        _first("scheduled", next_scheduled(now)),
    )
    found = {row.pop("side"): row for row in first.union(*others, all=True)}
    return {side: found.get(side) for side in SIDES}


def _first(side: str, races: QuerySet[Race]) -> QuerySet[Race, Any]:
    return races.values("race_id", "name", "start_time", meeting_name=F("meeting__meeting_name"), side=Value(side))[:1]
