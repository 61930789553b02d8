"""SERVE, to staff: what is kept for readers, and the ways to have it made anew. Each act is noted for other staff."""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django_q.tasks import async_task
from drf_spectacular.utils import OpenApiExample
from redis.exceptions import RedisError
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BooleanField, CharField, DictField, FloatField, IntegerField

from operations.cache import actions, statistics
from operations.cache.actions import Done, ValkeyAwayError
from raceday import clock
from raceday.api.fields import InstantField
from raceday.api.payloads import PayloadSerializer, TextField, read_payload
from raceday.api.queries import read_query
from raceday.models import Operations
from raceday.published.resources import ResourceRequest
from raceday.staff.routes import StaffViewSet, describe_staff

WARM = "moneyflow.publishing.warm"  # a path, as it is a floor higher
INVALIDATE: Mapping[str, Callable[[Any], Done]] = {
    "key": actions.invalidate_page,
    "race_id": actions.invalidate_race,
    "pattern": actions.invalidate_pattern,
}
KEY = "a page as it is asked for: `/api/entrants?raceId=X`, or its key: `/api/entrants?history=50&race_id=X`"


class InvalidatePayload(PayloadSerializer):
    key = TextField(required=False, max_length=2000, help_text=KEY)
    race_id = TextField(required=False, max_length=100, help_text="all bodies of this race")
    pattern = TextField(
        required=False, max_length=500, help_text="a glob over keys, with `*`, `?` and `[…]`: `/api/entrants*`"
    )

    def validate_key(self, address: str) -> ResourceRequest:
        if (asked := actions.page_at(address)) is None:
            raise serializers.ValidationError("leads to no page that is kept")
        return asked

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError({"body": ["give one of key, race_id and pattern"]})
        return attrs


class DoneSerializer(serializers.Serializer[Any]):
    topics = IntegerField(help_text="whose bodies will be made anew")
    bodies = IntegerField(help_text="of those that were asked for")
    is_complete = BooleanField(help_text="false: there was not time for all; ask again")


class QueuedSerializer(serializers.Serializer[Any]):
    is_queued = BooleanField()


class RouteSerializer(serializers.Serializer[Any]):
    route = CharField()
    hits = IntegerField(help_text="answered from a current body")
    stales = IntegerField(help_text="answered from a body that was no longer fresh, or whose successor was not ready")
    misses = IntegerField(help_text="made by Django")
    hit_rate = FloatField(allow_null=True, help_text="0–1, hits of all answers; null before the first")


class SizesSerializer(serializers.Serializer[Any]):
    identity = IntegerField()
    gzip = IntegerField()
    br = IntegerField()


class MarkSerializer(serializers.Serializer[Any]):
    polled_at = CharField()
    age_seconds = IntegerField(help_text="of the machine's clock")


class EventsSerializer(serializers.Serializer[Any]):
    length = IntegerField()
    first_id = CharField(allow_null=True)
    last_id = CharField(allow_null=True)


class ServerSerializer(serializers.Serializer[Any]):
    used_bytes = IntegerField()
    max_bytes = IntegerField(allow_null=True, help_text="null: no limit is set")
    evicted_keys = IntegerField()
    hits = IntegerField(help_text="of all names asked for, whatever they are for")
    misses = IntegerField()
    hit_ratio = FloatField(allow_null=True, help_text="0–1")


class CacheStatsSerializer(serializers.Serializer[Any]):
    timestamp = InstantField()
    routes = RouteSerializer(many=True, allow_null=True, help_text="all processes, since they were started together")
    routes_unknown = CharField(allow_null=True, help_text="why `routes` is null")
    topics = DictField(child=IntegerField(), help_text="by kind: race, meeting, card, alerts")
    bodies = IntegerField()
    bytes = SizesSerializer(help_text="by encoding")
    oldest_mark = MarkSerializer(allow_null=True, help_text="the poll longest ago of any race kept")
    newest_mark = MarkSerializer(allow_null=True)
    is_complete = BooleanField(help_text="false: there was not time to look at all of them")
    events = EventsSerializer(help_text="the log that streams are told from")
    valkey = ServerSerializer()


RACE = OpenApiExample("a race", {"race_id": "3c9124b3-960e-5b01-baef-f9230936d3b4"}, request_only=True)
PATTERN = OpenApiExample("a pattern", {"pattern": "/api/entrants*"}, request_only=True)
DONE = OpenApiExample("done", {"topics": 1, "bodies": 5, "is_complete": True}, response_only=True, status_codes=[200])


class CacheViewSet(StaffViewSet):
    @describe_staff("What is kept for readers, and how often it served them", CacheStatsSerializer)
    def stats(self, request: Request) -> Response:
        read_query(request)
        return Response(CacheStatsSerializer(statistics.collect() | {"timestamp": clock.now()}).data)

    @describe_staff(
        "Have kept bodies made anew: of a page's topic, of a race, or of each topic with a key that a glob matches",
        DoneSerializer,
        payload=InvalidatePayload,
        examples=[RACE, PATTERN, DONE],
    )
    def invalidate(self, request: Request) -> Response:
        read_query(request)
        return Response(invalidate(request.user.pk, read_payload(request, InvalidatePayload))._asdict())

    @describe_staff("Drop all kept bodies, and nothing else", DoneSerializer, examples=[DONE])
    def clear(self, request: Request) -> Response:
        read_query(request)
        return Response(clear(request.user.pk)._asdict())

    @describe_staff("Have today's bodies that are missing or outdated made now, by a task", QueuedSerializer)
    def warm(self, request: Request) -> Response:
        read_query(request)
        warm(request.user.pk)
        return Response({"is_queued": True})


def invalidate(user_id: Any, payload: Mapping[str, Any]) -> Done:
    """Carry out a checked InvalidatePayload for a user; ValkeyAwayError without Valkey."""
    ((by, what),) = payload.items()
    done = INVALIDATE[by](what)
    note(user_id, f"Invalidated by {by}: {what.key if isinstance(what, ResourceRequest) else what}")
    return done


def clear(user_id: Any) -> Done:
    """Drop all bodies for a user; ValkeyAwayError without Valkey."""
    done = actions.clear()
    note(user_id, f"Cleared: {done.bodies} bodies")
    return done


def warm(user_id: Any) -> None:
    """Queue the task that warms; ValkeyAwayError without Valkey."""
    try:
        async_task(WARM, task_name="warm", q_options={"cluster": "default"})
    except RedisError:
        raise ValkeyAwayError from None
    note(user_id, "Warmed")


def note(user_id: Any, said: str) -> None:
    """Leave a note of what a user did, for the admin's page of kept bodies."""
    LogEntry.objects.create(
        user_id=user_id,
        content_type=ContentType.objects.get_for_model(Operations),
        object_repr="kept bodies",
        action_flag=CHANGE,
        change_message=said,
    )
