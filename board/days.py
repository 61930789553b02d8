"""A day as the pages show it: which day is asked for, and its meetings with their races in columns."""

import datetime as dt
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from rest_framework import serializers

from meetings.models import Meeting
from raceday import clock
from raceday.api.queries import EARLIEST, LATEST
from raceday.feed.records import RaceStatus
from raceday.racing_day import racing_day
from races.cadence import FORGOTTEN, CadenceSeconds, cadence
from races.models import Race

CLOCK_SPAN = timedelta(minutes=30)  # before a start, in which its clock is shown
PLACES = 3


class DayQuery(serializers.Serializer[Any]):
    """A day, and filters. A page's script applies the filters, so all of them share one body."""

    date = serializers.DateField(required=False)
    code = serializers.CharField(required=False, allow_blank=True, max_length=20)
    country = serializers.CharField(required=False, allow_blank=True, max_length=20)
    severity = serializers.CharField(required=False, allow_blank=True, max_length=20)
    close = serializers.CharField(required=False, allow_blank=True, max_length=20)

    def validate_date(self, day: dt.date) -> dt.date:
        if not EARLIEST.date() < day < LATEST.date():
            raise serializers.ValidationError("is no day of ours")
        return day

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return {"date": attrs.get("date", racing_day(clock.now()))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A day and its neighbours, as links need them."""

    day: dt.date
    is_today: bool
    before: dt.date
    after: dt.date


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A race in its meeting's row. places: the first runners' numbers, as 4·1·9; "" without a result."""

    race: Race
    places: str
    has_clock: bool
    is_next: bool
    has_late_money: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A meeting, and its races by number; None where it has no race of that number."""

    meeting: Meeting
    cells: Sequence[Cell | None]


def shortest_cadence(now: datetime) -> float | None:
    """Return the seconds between polls of the race that is polled most often; None while no race is open."""
    coming = Race.objects.filter(status=RaceStatus.OPEN, start_time__gte=now - FORGOTTEN).order_by("start_time")
    start = coming.values_list("start_time", flat=True).first()
    found = start and cadence(RaceStatus.OPEN, start - now, CadenceSeconds(**settings.CADENCE_SECONDS))
    return found.total_seconds() if found else None


def day_of(day: dt.date, now: datetime) -> Day:
    """Return a day with its neighbours."""
    one = timedelta(days=1)
    return Day(day=day, is_today=day == racing_day(now), before=day - one, after=day + one)


def rows_of(races: Iterable[Race], now: datetime, alerted: Set[str]) -> list[Row]:
    """Return a row for each meeting by name, from the day's races with their meetings and results selected."""
    by_meeting: dict[str, dict[int, Race]] = {}
    for race in races:
        by_meeting.setdefault(race.meeting_id, {})[race.race_number] = race
    width = max((number for found in by_meeting.values() for number in found), default=0)
    rows = []
    for found in by_meeting.values():
        coming = next((race for _, race in sorted(found.items()) if race.status == RaceStatus.OPEN), None)
        cells = {
            number: _cell(race, now, is_next=race is coming, has_late_money=race.pk in alerted)
            for number, race in found.items()
        }
        row = [cells.get(number) for number in range(1, width + 1)]
        rows.append(Row(meeting=next(iter(found.values())).meeting, cells=row))
    return sorted(rows, key=lambda row: (row.meeting.meeting_name, row.meeting.meeting_id))


def _cell(race: Race, now: datetime, *, is_next: bool, has_late_money: bool) -> Cell:
    return Cell(
        race=race,
        places=places_of(race.result.results) if hasattr(race, "result") else "",
        has_clock=race.status == RaceStatus.OPEN and race.start_time - now < CLOCK_SPAN,
        is_next=is_next,
        has_late_money=has_late_money,
    )


def places_of(results: Sequence[dict[str, Any]]) -> str:
    """Write the numbers of the first three, dead heats with a stroke.

    >>> places_of([{"position": 2, "runner_number": 1}, {"position": 1, "runner_number": 4}])
    '4·1'
    """
    by_position: dict[int, list[str]] = {}
    for placing in results:
        if 1 <= (placing.get("position") or 0) <= PLACES:
            by_position.setdefault(placing["position"], []).append(str(placing["runner_number"]))
    return "·".join("/".join(numbers) for _, numbers in sorted(by_position.items()))
