"""SERVE: entrants with their money and odds over time, as points, as columns and as documents in buckets."""

from datetime import datetime, timedelta
from functools import lru_cache
from itertools import chain
from typing import Any

import msgspec
from drf_spectacular.utils import extend_schema
from msgspec import Struct
from rest_framework.viewsets import ViewSet

from moneyflow.history.columns import read_history, span_of
from moneyflow.history.serializers import (
    EntrantSerializer,
    EntrantsQuery,
    HistoryQuery,
    HistorySerializer,
    TimelineQuery,
    TimelineSerializer,
)
from moneyflow.history.timeline import read_timeline
from raceday import clock
from raceday.api.description import describe
from raceday.api.limits import Scope
from raceday.published.resources import LIVE_SECONDS, ROUNDS, Body, resource, shown_many
from raceday.published.shelf import version_of
from raceday.racing_day import nz_iso
from raceday.rows import many, read, row_type
from races.models import Entrant
from races.rows import ENTRANTS, find_race, read_race
from races.views import race_body

# A client that continues from a state of a race is few changes behind: it asks every 15 to 30 s.
CONTINUED_ROUNDS = 4
FEW_READINGS = timedelta(hours=1)  # in which a race is polled about as often as FEW_POINTS has points
FEW_POINTS = 200

# A row for each point would cost more in Python than the query.
HISTORIES = f"""
SELECT entrant.*, money.points AS money_points, odds.points AS odds_points
FROM ({ENTRANTS}) AS entrant
CROSS JOIN LATERAL (SELECT coalesce(json_agg(point), '[]') AS points FROM (
    SELECT hold_percentage, win_pool_amount, event_timestamp AS timestamp FROM money_flow_history
    WHERE entrant_id = entrant.entrant_id AND event_timestamp >= %(since)s AND event_timestamp < %(until)s
    ORDER BY event_timestamp DESC LIMIT %(history)s
) AS point) AS money
CROSS JOIN LATERAL (SELECT coalesce(json_agg(point), '[]') AS points FROM (
    SELECT odds, type, event_timestamp AS timestamp FROM odds_history
    WHERE entrant_id = entrant.entrant_id AND event_timestamp >= %(since)s AND event_timestamp < %(until)s
    ORDER BY event_timestamp DESC, type DESC LIMIT %(history)s
) AS point) AS odds
"""  # noqa: S608  our own text


class MoneyPoint(Struct):
    """A reading as the client has it; `timestamp` comes as PostgreSQL writes it and goes with the NZ offset."""

    hold_percentage: float | None
    win_pool_amount: int | None
    timestamp: str


class OddsPoint(Struct):
    """A price as the client has it."""

    odds: float
    type: str
    timestamp: str


Points: dict[str, Any] = {"money_points": list[MoneyPoint], "odds_points": list[OddsPoint]}
FIELD = f"SELECT {many(HISTORIES)}::text"
_field: msgspec.json.Decoder[list[Any]] = msgspec.json.Decoder(list[row_type(Entrant, **Points)])  # type: ignore[misc]


def _cost_of_points(history: int, **_: Any) -> Scope:
    return Scope.EXPENSIVE if history > FEW_POINTS else Scope.ORDINARY


def _cost_since(since: datetime | None = None, **_: Any) -> Scope:
    is_recent = since is not None and since >= clock.now() - FEW_READINGS
    return Scope.ORDINARY if is_recent else Scope.EXPENSIVE


@extend_schema(tags=["entrants and money"])
class EntrantViewSet(ViewSet):
    @describe(
        "Entrants of a race with their money and odds over time, by runner number",
        EntrantSerializer(many=True),
        query=EntrantsQuery,
    )
    @resource("race:{race_id}", EntrantsQuery, while_read=True, at_end=True, cost=_cost_of_points, is_far=True)
    def list(self, race_id: str, history: int) -> Body:
        return _entrants(race_id, history)


@extend_schema(tags=["entrants and money"])
class HistoryViewSet(ViewSet):
    @describe(
        "Money and odds of a race's entrants over time, as columns, oldest first",
        HistorySerializer,
        query=HistoryQuery,
        missing="no such race",
    )
    @resource("race:{race_id}", HistoryQuery, at_end=True, cost=_cost_since, is_far=True)
    def retrieve(self, race_id: str, **query: Any) -> Body:
        race = read_race(race_id)
        # msgspec, for REST framework's renderer would take as long as the query.
        content = msgspec.json.encode(read_history(race_id, race.start_time, **query))
        return _body(race, content, rounds=CONTINUED_ROUNDS if "since" in query else ROUNDS)


@extend_schema(tags=["entrants and money"])
class TimelineViewSet(ViewSet):
    @describe(
        "Money of entrants over time: one document for each entrant and slot of time to start",
        TimelineSerializer,
        query=TimelineQuery,
        missing="no such race",
    )
    @resource("race:{race_id}", TimelineQuery, is_far=True)
    def retrieve(self, **query: Any) -> Body:
        race = read_race(query["race_id"])
        content = msgspec.json.encode(read_timeline(race.start_time, query))
        rounds = 0 if "cursor_after" in query else CONTINUED_ROUNDS if "created_after" in query else ROUNDS
        return _body(race, content, rounds=rounds)


def _body(race: Any, content: bytes, *, rounds: int) -> Body:
    # Every client continues from another state and soon leaves it behind, so such a body is not stored for long.
    limit = {} if rounds == ROUNDS else {"keep_seconds": LIVE_SECONDS}
    version = race.changed and version_of(race.changed)
    return race_body(content, status=race.status, polled_at=race.polled, version=version, rounds=rounds, **limit)


def _entrants(race_id: str, history: int) -> Body:
    """Read a race's entrants and both histories: two statements, whatever the field's size."""
    race = find_race(race_id)  # first, for what is read after it is of its version or newer
    span = {"race_id": race_id, "history": history, **span_of(race.start_time)} if race else {}
    if race is None or not (entrants := read(FIELD, span, _field)):
        return Body(data=[], keep_seconds=0)
    for point in chain.from_iterable((*entrant.money_points, *entrant.odds_points) for entrant in entrants):
        point.timestamp = _nz(point.timestamp)
    content = msgspec.json.encode(shown_many(EntrantSerializer, entrants))
    version = race.changed and version_of(race.changed)
    return race_body(content, status=race.status, polled_at=race.polled, version=version)


@lru_cache(4096)  # the runners of a race share their instants
def _nz(written: str) -> str:
    return nz_iso(datetime.fromisoformat(written))
