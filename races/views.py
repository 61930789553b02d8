"""SERVE: races, their tote pools and their results."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Q, Window
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.viewsets import ViewSet

from meetings.models import Meeting
from raceday import clock
from raceday.api.description import describe
from raceday.feed.records import ENDED
from raceday.published.resources import CARD_SECONDS, LIVE_SECONDS, Body, mark_of, resource, shown, shown_many
from raceday.published.shelf import Mark
from races.examples import UPCOMING_RACE
from races.models import Race, RacePool, RaceResult
from races.neighbours import Neighbours, next_scheduled, read_neighbours
from races.rows import read_entrants, read_race, read_whole_race
from races.serializers import (
    BatchQuery,
    BatchSerializer,
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

# Every change of a race or card is published. These times limit what the clock alone makes wrong. A body with the
# time of day stays for 5 s. A body that only the next start of a race makes wrong stays until then.
MOVING_SECONDS = 5
NEXT_SCHEDULED = OpenApiResponse(
    {"allOf": [{"$ref": "#/components/schemas/UpcomingRace"}], "nullable": True},
    examples=[OpenApiExample("a race", value=UPCOMING_RACE), OpenApiExample("nothing scheduled", value=None)],
)


def race_body(data: object, *, status: str, polled_at: datetime | None, **body: Any) -> Body:
    """Return a body about one race: fresh while polls say so, for ever once it has ended."""
    if polled_at is None:
        return Body(data=data, **{"keep_seconds": LIVE_SECONDS, **body})
    return Body(data=data, mark=race_mark(status, polled_at), **body)


def race_mark(status: str, polled_at: datetime, generated_at: datetime | None = None) -> Mark:
    """Mark a race as polled then; a request that read it from the database does not know its cadence."""
    return mark_of(polled_at, keep_seconds=0 if status in ENDED else LIVE_SECONDS, generated_at=generated_at)


@extend_schema(tags=["races"])
class RaceViewSet(ViewSet):
    @describe("Races of a meeting, by number", RaceSerializer(many=True), query=RacesQuery)
    @resource("meeting:{meeting_id}", RacesQuery, always=True, is_far=True)
    def list(self, meeting_id: str) -> Body:
        data = shown_many(RaceSerializer, Race.objects.filter(meeting_id=meeting_id).order_by("race_number", "race_id"))
        return Body(data=data, keep_seconds=CARD_SECONDS if data else 0)

    @describe("One race", RaceDetailSerializer, missing="no such race")
    @resource("race:{race_id}", always=True, part="race")
    def retrieve(self, race_id: str) -> Body:
        race = read_whole_race(race_id)
        return race_body(shown(RaceDetailSerializer, race), status=race.status, polled_at=race.polled)

    @describe(
        "The races before and after a race, and the next one to start",
        NavigationSerializer,
        query=RaceQuery,
        missing="no such race",
    )
    @resource("card", RaceQuery)
    def navigation(self, race_id: str) -> Body:
        now = clock.now()
        read_race(race_id)  # which tells of one that there is not
        found = read_neighbours(race_id, now)
        return Body(data=shown(NavigationSerializer, found), keep_seconds=until_start(found, now))

    @describe(
        "Races that start soon or have just started, by start time",
        UpcomingSerializer,
        query=UpcomingQuery,
    )
    @resource("card", UpcomingQuery, always=True, is_far=True)
    def upcoming(self, window_minutes: int, lookback_minutes: int, limit: int) -> Body:
        return _upcoming(window_minutes, lookback_minutes, limit=limit, now=clock.now())

    @describe("The race that starts next, or null", NEXT_SCHEDULED)
    @resource("card", always=True)
    def next_scheduled(self) -> Body:
        now = clock.now()
        race = next_scheduled(now).select_related("meeting").first()
        data = race and shown(UpcomingRaceSerializer, race)
        return Body(data=data, keep_seconds=_keep_until(race.start_time if race else None, now))

    @describe("Several races at once", BatchSerializer, query=BatchQuery)
    @resource("", BatchQuery)
    def batch(self, ids: str) -> Body:
        return _batch(ids.split(","))


@extend_schema(tags=["meetings"])
class MeetingRacesViewSet(ViewSet):
    @describe("Races of a meeting, by number", MeetingRacesSerializer, missing="no such meeting")
    @resource("meeting:{meeting_id}", always=True)
    def races(self, meeting_id: str) -> Body:
        races = list(Race.objects.filter(meeting_id=meeting_id).order_by("race_number", "race_id"))
        if not races and not Meeting.objects.filter(meeting_id=meeting_id).exists():
            raise NotFound("no such meeting")
        data = {"races": races, "total": len(races), "timestamp": clock.now()}
        return Body(data=shown(MeetingRacesSerializer, data), keep_seconds=CARD_SECONDS)

    @describe("How many of a meeting's races have ended", MeetingStatusSerializer, missing="no such meeting")
    @resource("meeting:{meeting_id}", always=True)
    def status(self, meeting_id: str) -> Body:
        ended = Count("races", filter=Q(races__status__in=ENDED))
        meetings = Meeting.objects.annotate(total_races=Count("races"), finalized_races=ended)
        if (meeting := meetings.filter(meeting_id=meeting_id).first()) is None:
            raise NotFound("no such meeting")
        return Body(data=shown(MeetingStatusSerializer, meeting), keep_seconds=CARD_SECONDS)


@extend_schema(tags=["entrants and money"])
class RacePoolViewSet(ViewSet):
    @describe(
        "Tote pools of a race, in cents", RacePoolSerializer, query=RaceQuery, missing="this race has no pools yet"
    )
    @resource("race:{race_id}", RaceQuery, always=True, part="pools")
    def retrieve(self, race_id: str) -> Body:
        pool = _of_race(RacePool.objects, race_id, "this race has no pools yet")
        return race_body(shown(RacePoolSerializer, pool), status=pool.status, polled_at=pool.polled)


@extend_schema(tags=["races"])
class RaceResultViewSet(ViewSet):
    @describe("Results and dividends of a race", RaceResultSerializer, query=RaceQuery, missing="no result yet")
    @resource("race:{race_id}", RaceQuery, at_end=True, part="results")
    def retrieve(self, race_id: str) -> Body:
        result = _of_race(RaceResult.objects, race_id, "no result yet")
        result.runners = read_entrants(race_id)
        return race_body(shown(RaceResultSerializer, result), status=result.status, polled_at=result.polled)


def _of_race(rows: Any, race_id: str, missing: str) -> Any:
    """Return a race's row with the race's status and last poll; NotFound if there is none."""
    row = rows.annotate(status=F("race__status"), polled=F("race__mark__polled_at")).filter(race_id=race_id).first()
    if row is None:
        raise NotFound(missing)
    return row


def _keep_until(start: datetime | None, now: datetime) -> float:
    """Seconds until the race that is next starts; no race becomes the next one by waiting."""
    return min(CARD_SECONDS, (start - now).total_seconds()) if start else CARD_SECONDS


def until_start(found: Neighbours, now: datetime) -> float:
    """Seconds until the neighbours `found` change because a race starts."""
    return _keep_until(found.scheduled.start_time if found.scheduled else None, now)


def _upcoming(window_minutes: int, lookback_minutes: int, *, limit: int, now: datetime) -> Body:
    """The races that start within the window, both bounds included, and how many they are: one query."""
    lower, upper = now - timedelta(minutes=lookback_minutes), now + timedelta(minutes=window_minutes)
    live = Race.objects.live().filter(start_time__gte=lower, start_time__lte=upper)
    races: Any = live.select_related("meeting").annotate(total=Window(Count("*"))).order_by("start_time", "race_id")
    found = list(races[:limit])
    minutes = {"window_minutes": window_minutes, "lookback_minutes": lookback_minutes}
    window = {"lower_bound": lower, "upper_bound": upper, **minutes}
    data = {"races": found, "total": found[0].total if found else 0, "timestamp": now, "window": window}
    return Body(data=shown(UpcomingSerializer, data), keep_seconds=MOVING_SECONDS)


def _batch(asked: list[str]) -> Body:
    """Return several races, in one query; never stored, because each of the races would outdate it."""
    runners = Count("entrants", filter=Q(entrants__is_scratched=False, entrants__gone_at=None))
    races = Race.objects.annotate(runner_count=runners).select_related("meeting").filter(race_id__in=asked)
    found: dict[str, Any] = {race.pk: race for race in races}
    body = {
        "races": [found[race_id] for race_id in asked if race_id in found],
        "missing": [race_id for race_id in asked if race_id not in found],
    }
    return Body(data=shown(BatchSerializer, body))
