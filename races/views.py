"""SERVE: races, their tote pools and their results."""

from datetime import datetime
from typing import Any

from django.db.models import Count, F, Q
from django.http import HttpResponse
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from raceday import published
from raceday.api import describe, read_query
from raceday.feed.records import ENDED
from raceday.published import Body
from races.models import Race, RacePool, RaceResult
from races.serializers import (
    RaceDetailSerializer,
    RacePoolSerializer,
    RaceQuery,
    RaceResultSerializer,
    RaceSerializer,
    RacesQuery,
)


def race_body(data: object, *, status: str, polled_at: datetime | None) -> Body:
    """This function will return a body about one race, kept for as long as a race of this status stands still."""
    keep_seconds = published.ENDED_SECONDS if status in ENDED else published.LIVE_SECONDS
    return Body(data=data, keep_seconds=keep_seconds, polled_at=polled_at)


class RaceViewSet(ViewSet):
    @describe("Races of a meeting, by number", RaceSerializer(many=True), query=RacesQuery)
    def list(self, request: Request) -> HttpResponse:
        query = read_query(request, RacesQuery)

        def body() -> Body:
            races = Race.objects.filter(**query).order_by("race_number", "race_id")
            data = RaceSerializer(races, many=True).data
            return Body(data=data, keep_seconds=published.CARD_SECONDS if data else 0)

        return published.answer(request, query, topics=[f"meeting:{query['meeting_id']}"], body=body)

    @describe("One race", RaceDetailSerializer, missing="when there is no such race")
    def retrieve(self, request: Request, race_id: str) -> HttpResponse:
        query = read_query(request)

        def body() -> Body:
            runners = Count("entrants", filter=Q(entrants__is_scratched=False))
            races = Race.objects.select_related("meeting").annotate(runner_count=runners, polled=F("mark__polled_at"))
            race: Any = races.filter(race_id=race_id).first()
            if race is None:
                raise NotFound("no such race")
            return race_body(RaceDetailSerializer(race).data, status=race.status, polled_at=race.polled)

        return published.answer(request, query, topics=[f"race:{race_id}"], body=body)


class RacePoolViewSet(ViewSet):
    @describe("Tote pools of a race, in cents", RacePoolSerializer, query=RaceQuery, missing="when there are none yet")
    def retrieve(self, request: Request) -> HttpResponse:
        query = read_query(request, RaceQuery)

        def body() -> Body:
            pool = _of_race(RacePool.objects, query["race_id"], "this race has no pools yet")
            return race_body(RacePoolSerializer(pool).data, status=pool.status, polled_at=pool.polled)

        return published.answer(request, query, topics=[f"race:{query['race_id']}"], body=body)


class RaceResultViewSet(ViewSet):
    @describe("How a race ended", RaceResultSerializer, query=RaceQuery, missing="when there is no result yet")
    def retrieve(self, request: Request) -> HttpResponse:
        query = read_query(request, RaceQuery)

        def body() -> Body:
            result = _of_race(RaceResult.objects.select_related("race"), query["race_id"], "no result yet")
            return race_body(RaceResultSerializer(result).data, status=result.status, polled_at=result.polled)

        return published.answer(request, query, topics=[f"race:{query['race_id']}"], body=body)


def _of_race(rows: Any, race_id: str, missing: str) -> Any:
    """The row of a race, with the race's status and last poll beside it; NotFound when there is none."""
    row = rows.annotate(status=F("race__status"), polled=F("race__mark__polled_at")).filter(race_id=race_id).first()
    if row is None:
        raise NotFound(missing)
    return row
