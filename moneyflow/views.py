"""SERVE: entrants with their money and odds over time, as points, as columns and as documents in buckets."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection
from django.db.models import F
from django.http import HttpResponse
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from moneyflow.columns import read_history, span_of
from moneyflow.serializers import (
    EntrantSerializer,
    EntrantsQuery,
    HistoryQuery,
    HistorySerializer,
    TimelineQuery,
    TimelineSerializer,
)
from moneyflow.timeline import read_timeline
from raceday import published
from raceday.api import describe, read_query
from raceday.published import Body
from raceday.racing_day import nz_iso
from races.models import Entrant, Race
from races.views import race_body

MONEY = """
SELECT e.entrant_id, h.hold_percentage, h.win_pool_amount, h.event_timestamp
FROM unnest(%(entrant_ids)s::text[]) AS e (entrant_id)
CROSS JOIN LATERAL (
    SELECT hold_percentage, win_pool_amount, event_timestamp FROM money_flow_history
    WHERE entrant_id = e.entrant_id AND event_timestamp >= %(since)s AND event_timestamp < %(until)s
    ORDER BY event_timestamp DESC LIMIT %(history)s
) AS h
ORDER BY e.entrant_id, h.event_timestamp DESC
"""
ODDS = """
SELECT e.entrant_id, h.odds, h.type, h.event_timestamp
FROM unnest(%(entrant_ids)s::text[]) AS e (entrant_id)
CROSS JOIN LATERAL (
    SELECT odds, type, event_timestamp FROM odds_history
    WHERE entrant_id = e.entrant_id AND event_timestamp >= %(since)s AND event_timestamp < %(until)s
    ORDER BY event_timestamp DESC, type DESC LIMIT %(history)s
) AS h
ORDER BY e.entrant_id, h.event_timestamp DESC, h.type DESC
"""


class EntrantViewSet(ViewSet):
    @describe(
        "Entrants of a race with their histories, by runner number", EntrantSerializer(many=True), query=EntrantsQuery
    )
    def list(self, request: Request) -> HttpResponse:
        query = read_query(request, EntrantsQuery)
        return published.answer(request, query, topics=[f"race:{query['race_id']}"], body=lambda: _entrants(**query))


class HistoryViewSet(ViewSet):
    @describe(
        "Histories of a race's entrants as columns, oldest first",
        HistorySerializer,
        query=HistoryQuery,
        missing="when there is no such race",
    )
    def retrieve(self, request: Request, race_id: str) -> HttpResponse:
        query = read_query(request, HistoryQuery)

        def body() -> Body:
            race = _race(race_id)
            # msgspec, for REST framework's renderer would take as long as the query.
            content = msgspec.json.encode(read_history(race_id, race.start_time, **query))
            return _passing(_body(race, content), {"since"} & query.keys())

        return published.answer(request, query, topics=[f"race:{race_id}"], body=body)


class TimelineViewSet(ViewSet):
    @describe(
        "Documents of entrants, one a bucket of time to start, ordered by time",
        TimelineSerializer,
        query=TimelineQuery,
        missing="when there is no such race",
    )
    def retrieve(self, request: Request) -> HttpResponse:
        query = read_query(request, TimelineQuery)

        def body() -> Body:
            race = _race(query["race_id"])
            later = {"cursor_after", "created_after"} & query.keys()
            return _passing(_body(race, read_timeline(race.start_time, query)), later)

        return published.answer(request, query, topics=[f"race:{query['race_id']}"], body=body)


def _race(race_id: str) -> Any:
    race = Race.objects.annotate(polled=F("mark__polled_at")).filter(race_id=race_id).first()
    if race is None:
        raise NotFound("no such race")
    return race


def _body(race: Any, data: object) -> Body:
    return race_body(data, status=race.status, polled_at=race.polled)


def _passing(body: Body, later: set[str]) -> Body:
    # Where a reader stands is asked for once or twice, and is of endless variety: not to be kept for a day.
    return replace(body, keep_seconds=min(body.keep_seconds, published.LIVE_SECONDS)) if later else body


def _entrants(race_id: str, history: int) -> Body:
    """This function will read a race's entrants and both histories: three queries, whatever the field's size."""
    entrants = list(
        Entrant.objects.filter(race_id=race_id)
        .select_related("race")
        .annotate(polled=F("race__mark__polled_at"))
        .order_by("runner_number", "entrant_id")
    )
    if not entrants:
        return Body(data=[], keep_seconds=0)
    entrant_ids = [entrant.entrant_id for entrant in entrants]
    span = {**span_of(entrants[0].race.start_time), "entrant_ids": entrant_ids, "history": history}
    points = {"money": _points(MONEY, span, _money_point), "odds": _points(ODDS, span, _odds_point)}
    data = EntrantSerializer(entrants, many=True, context=points).data
    return race_body(data, status=entrants[0].race.status, polled_at=entrants[0].polled)


def _points(sql: str, span: dict[str, Any], point: Callable[..., dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    by_entrant: dict[str, list[dict[str, Any]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(sql, span)
        for entrant_id, *columns in cursor.fetchall():
            by_entrant.setdefault(entrant_id, []).append(point(*columns))
    return by_entrant


def _money_point(hold: Any, win_pool_amount: int | None, at: datetime) -> dict[str, Any]:
    hold_percentage = None if hold is None else float(hold)
    return {"hold_percentage": hold_percentage, "win_pool_amount": win_pool_amount, "timestamp": nz_iso(at)}


def _odds_point(odds: Any, kind: str, at: datetime) -> dict[str, Any]:
    return {"odds": float(odds), "type": kind, "timestamp": nz_iso(at)}
