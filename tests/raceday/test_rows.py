"""Rows as structs: the same attributes as the models, all of one moment, from statements that are planned once."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from django.db import connection
from rest_framework.serializers import ModelSerializer

from meetings.models import Meeting
from meetings.serializers import MeetingSerializer
from raceday.api.fields import BodySerializer
from raceday.rows import many, one, read, row_type, together
from races.models import Entrant, Race, RacePool
from races.rows import Parts, read_entrants, read_race
from races.serializers import LiveEntrantSerializer, RaceDetailSerializer, RacePoolSerializer
from tests.support.card import POLLED, START, make_entrant, make_meeting, make_race

pytestmark = pytest.mark.django_db
MEETINGS = "SELECT * FROM meetings WHERE country = %(country)s ORDER BY meeting_id"
Found: Any = msgspec.defstruct("Found", [("first", row_type(Meeting) | None), ("all", list[row_type(Meeting)])])  # type: ignore[misc]


def found(country: str) -> Any:
    statement = together(first=one(f"{MEETINGS} LIMIT 1"), all=many(MEETINGS))
    return read(statement, {"country": country}, msgspec.json.Decoder(Found))


def columns(row: Any, model: type[Any]) -> dict[str, Any]:
    return {field.column: getattr(row, field.column) for field in model._meta.concrete_fields}


def test_rows_have_the_values_of_the_models_they_are_of() -> None:
    meetings = [make_meeting(meeting_id=name) for name in ("a", "b")]
    for each in meetings:
        each.refresh_from_db()
    rows = found("NZ")
    assert [columns(row, Meeting) for row in rows.all] == [columns(each, Meeting) for each in meetings]
    assert columns(rows.first, Meeting) == columns(meetings[0], Meeting)


def test_where_there_is_no_row_there_is_none() -> None:
    assert (found("AUS").first, found("AUS").all) == (None, [])


def test_a_statement_is_planned_once_a_connection() -> None:
    for _ in range(3):
        found("NZ")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT generic_plans + custom_plans FROM pg_prepared_statements WHERE statement LIKE %s",
            ["%meetings WHERE country%"],
        )
        assert cursor.fetchall() == [(3,)]


@pytest.mark.parametrize("number", ["4.20", "15", "0.10", "99999999.99"])
def test_numbers_are_exact(number: str) -> None:
    race = make_race(make_meeting())
    make_entrant(race, 1, win_odds=Decimal(number))
    (entrant,) = read_entrants("r1")
    assert (entrant.win_odds, entrant.fixed_win_odds) == (Decimal(number), None)


def test_a_race_is_of_its_last_poll() -> None:
    make_race(make_meeting())
    race = read_race("r1")
    assert (race.polled, race.generated, race.start_time - race.polled) == (POLLED, POLLED, timedelta(minutes=1))
    assert race.start_time == START
    assert Parts().entrants == []


@pytest.mark.parametrize("shape", [MeetingSerializer, RaceDetailSerializer, LiveEntrantSerializer, RacePoolSerializer])
def test_rows_are_written_as_rest_framework_writes_them(shape: type[BodySerializer]) -> None:
    race: Any = make_race(make_meeting())
    race.runner_count, race.meeting.first_race_time = 1, None
    pools = RacePool.objects.create(race=race, win_pool_total=Decimal("12.50"), last_updated=POLLED)
    entrant = make_entrant(race, 1, weight=Decimal("56.50"), is_scratched=True)
    for each in (race, entrant, race.meeting):
        each.created_at = each.updated_at = POLLED
    row: Any = {Meeting: race.meeting, Race: race, Entrant: entrant, RacePool: pools}[shape.Meta.model]
    assert shape().to_representation(row) == ModelSerializer.to_representation(shape(), row)
