"""SERVE: races, their tote pools and their results."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, F, Prefetch, Q, QuerySet, Window
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample, OpenApiResponse
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from meetings.models import Meeting
from meetings.views import with_first_race_time
from raceday import clock, published
from raceday.api import describe, read_query
from raceday.feed.records import ENDED
from raceday.published import Body
from races.cadence import CadenceSeconds, cadence
from races.examples import UPCOMING_RACE
from races.models import Entrant, Race, RacePool, RaceResult
from races.neighbours import neighbours, next_scheduled
from races.serializers import (
    BatchQuery,
    BatchSerializer,
    LiveSerializer,
    MeetingRacesSerializer,
    MeetingStatusSerializer,
    NavigationSerializer,
    RaceDetailSerializer,
    RacePoolSerializer,
    RaceQuery,
    RaceResultSerializer,
    RaceSerializer,
    RacesQuery,
    UpcomingQuery,
    UpcomingRaceSerializer,
    UpcomingSerializer,
)

# Every change of a race or card is published; what the clock alone makes wrong is kept for less. A body that tells the
# time of day stands for 5 s (a fast demo's 5 s are rounded up to one of the wall's). Where only the start of the next
# scheduled race makes it wrong, it stands until then: _keep_until.
MOVING_SECONDS = 5
NEXT_SCHEDULED = OpenApiResponse(
    {"allOf": [{"$ref": "#/components/schemas/UpcomingRace"}], "nullable": True},
    examples=[OpenApiExample("a race", value=UPCOMING_RACE), OpenApiExample("nothing scheduled", value=None)],
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
            race = _found(_races().select_related("meeting"), race_id)
            return race_body(RaceDetailSerializer(race).data, status=race.status, polled_at=race.polled)

        return published.answer(request, query, topics=[f"race:{race_id}"], body=body)

    @describe(
        "A race's neighbours by start time", NavigationSerializer, query=RaceQuery, missing="when there is no such race"
    )
    def navigation(self, request: Request) -> HttpResponse:
        query = read_query(request, RaceQuery)

        def body() -> Body:
            now = clock.now()
            found = neighbours(_found(Race.objects.all(), query["race_id"]), now)
            scheduled = found["scheduled"]
            keep_seconds = _keep_until(scheduled["start_time"] if scheduled else None, now)
            return Body(data=NavigationSerializer(found).data, keep_seconds=keep_seconds)

        return published.answer(request, query, topics=["card"], body=body)

    @describe("Races around now that have not ended, by start time", UpcomingSerializer, query=UpcomingQuery)
    def upcoming(self, request: Request) -> HttpResponse:
        query = read_query(request, UpcomingQuery)
        return published.answer(request, query, topics=["card"], body=lambda: _upcoming(**query, now=clock.now()))

    @describe("The live race that starts next, or null", NEXT_SCHEDULED)
    def next_scheduled(self, request: Request) -> HttpResponse:
        query = read_query(request)

        def body() -> Body:
            now = clock.now()
            race = next_scheduled(now).select_related("meeting").first()
            data = race and UpcomingRaceSerializer(race).data
            return Body(data=data, keep_seconds=_keep_until(race.start_time if race else None, now))

        return published.answer(request, query, topics=["card"], body=body)

    @describe("Several races at once", BatchSerializer, query=BatchQuery)
    def batch(self, request: Request) -> HttpResponse:
        query = read_query(request, BatchQuery)
        asked = query["ids"].split(",")
        return published.answer(
            request, query, topics=[f"race:{race_id}" for race_id in asked], body=lambda: _batch(asked)
        )

    @describe("All a race page needs", LiveSerializer, missing="when there is no such race")
    def live(self, request: Request, race_id: str) -> HttpResponse:
        query = read_query(request)
        return published.answer(
            request, query, topics=[f"race:{race_id}", "card"], body=lambda: _live(race_id, clock.now())
        )


class MeetingRacesViewSet(ViewSet):
    @describe("Races of a meeting, by number", MeetingRacesSerializer, missing="when there is no such meeting")
    def races(self, request: Request, meeting_id: str) -> HttpResponse:
        query = read_query(request)

        def body() -> Body:
            races = list(Race.objects.filter(meeting_id=meeting_id).order_by("race_number", "race_id"))
            if not races and not Meeting.objects.filter(meeting_id=meeting_id).exists():
                raise NotFound("no such meeting")
            data = {"races": races, "total": len(races), "timestamp": clock.now()}
            return Body(data=MeetingRacesSerializer(data).data, keep_seconds=published.CARD_SECONDS)

        return published.answer(request, query, topics=[f"meeting:{meeting_id}"], body=body)

    @describe("Have a meeting's races ended", MeetingStatusSerializer, missing="when there is no such meeting")
    def status(self, request: Request, meeting_id: str) -> HttpResponse:
        query = read_query(request)

        def body() -> Body:
            ended = Count("races", filter=Q(races__status__in=ENDED))
            meetings = Meeting.objects.annotate(total_races=Count("races"), finalized_races=ended)
            if (meeting := meetings.filter(meeting_id=meeting_id).first()) is None:
                raise NotFound("no such meeting")
            return Body(data=MeetingStatusSerializer(meeting).data, keep_seconds=published.CARD_SECONDS)

        return published.answer(request, query, topics=[f"meeting:{meeting_id}"], body=body)


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


def _races() -> QuerySet[Race]:
    """Races as one body each shows them: with their runners counted and their last poll."""
    runners = Count("entrants", filter=Q(entrants__is_scratched=False))
    return Race.objects.annotate(runner_count=runners, polled=F("mark__polled_at"))


def _found(races: QuerySet[Race], race_id: str) -> Any:
    if (race := races.filter(race_id=race_id).first()) is None:
        raise NotFound("no such race")
    return race


def _keep_until(start: datetime | None, now: datetime) -> int:
    """Seconds until the race that is next starts; no race becomes the next one by waiting."""
    return min(published.CARD_SECONDS, int((start - now).total_seconds())) if start else published.CARD_SECONDS


def _upcoming(window_minutes: int, lookback_minutes: int, *, limit: int, now: datetime) -> Body:
    """The races that start within the window, both bounds included, and how many they are: one query."""
    lower, upper = now - timedelta(minutes=lookback_minutes), now + timedelta(minutes=window_minutes)
    live = Race.objects.live().filter(start_time__gte=lower, start_time__lte=upper)
    races: Any = live.select_related("meeting").annotate(total=Window(Count("*"))).order_by("start_time", "race_id")
    shown = list(races[:limit])
    minutes = {"window_minutes": window_minutes, "lookback_minutes": lookback_minutes}
    window = {"lower_bound": lower, "upper_bound": upper, **minutes}
    data = {"races": shown, "total": shown[0].total if shown else 0, "timestamp": now, "window": window}
    return Body(data=UpcomingSerializer(data).data, keep_seconds=MOVING_SECONDS)


def _batch(asked: list[str]) -> Body:
    """The races asked for, in one query; kept when all are there, and for as long as the liveliest stands still."""
    found: dict[str, Any] = {race.pk: race for race in _races().select_related("meeting").filter(race_id__in=asked)}
    races = [found[race_id] for race_id in asked if race_id in found]
    missing = [race_id for race_id in asked if race_id not in found]
    body = {"races": races, "missing": missing}
    ended = all(race.status in ENDED for race in races)
    keep_seconds = published.ENDED_SECONDS if ended else published.LIVE_SECONDS
    return Body(data=BatchSerializer(body).data, keep_seconds=0 if missing else keep_seconds)


def _live(race_id: str, now: datetime) -> Body:
    """A race page in four queries: the race with its pools and result, its meeting, its entrants, its neighbours."""
    meeting = Prefetch("meeting", with_first_race_time())
    entrants = Prefetch("entrants", Entrant.objects.order_by("runner_number", "entrant_id"))
    race = _found(_races().select_related("pool", "result").prefetch_related(meeting, entrants), race_id)
    page = {
        "race": race,
        "meeting": race.meeting,
        "entrants": race.entrants.all(),
        "pools": getattr(race, "pool", None),
        "navigation": neighbours(race, now),
        "freshness": _freshness(race, now),
    }
    if hasattr(race, "result"):
        page["results"] = race.result
    return Body(data=LiveSerializer(page).data, keep_seconds=MOVING_SECONDS, polled_at=race.polled)


def _freshness(race: Any, now: datetime) -> dict[str, Any]:
    beat = cadence(race.status, race.start_time - now, CadenceSeconds(**settings.CADENCE_SECONDS))
    return {
        "polled_at": race.polled,
        "feed_age_seconds": race.polled and (now - race.polled).total_seconds(),
        "refresh_seconds": beat and beat.total_seconds(),
    }
