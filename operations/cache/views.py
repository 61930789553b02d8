"""SERVE to staff the response cache: statistics, invalidate, clear, warm. Each action is recorded for other staff."""

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
from operations.cache.examples import CACHE_STATS
from raceday import clock
from raceday.api.description import example
from raceday.api.fields import InstantField
from raceday.api.payloads import PayloadSerializer, TextField, read_payload
from raceday.api.queries import read_query
from raceday.models import Operations
from raceday.published.resources import ResourceRequest
from raceday.staff.routes import StaffViewSet, describe_staff
from races.names import race_names

WARM = "moneyflow.publishing.warm"
INVALIDATE: Mapping[str, Callable[[Any], Done]] = {
    "key": actions.invalidate_page,
    "race_id": actions.invalidate_race,
    "pattern": actions.invalidate_pattern,
}
KEY = "a request as a client sends it, `/api/entrants?raceId=X`, or its key, `/api/entrants?history=50&race_id=X`"

DONE = {"topics": 1, "bodies": 5, "is_complete": True}


class InvalidatePayload(PayloadSerializer):
    key = TextField(required=False, max_length=2000, help_text=KEY)
    race_id = TextField(required=False, max_length=100, help_text="all stored responses of this race")
    pattern = TextField(
        required=False, max_length=500, help_text="a glob for keys, with `*`, `?` and `[…]`: `/api/entrants*`"
    )

    def validate_key(self, address: str) -> ResourceRequest:
        if (asked := actions.page_at(address)) is None:
            raise serializers.ValidationError("is not the address of a stored response")
        return asked

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError({"body": ["give one of key, race_id and pattern"]})
        return attrs


@example(DONE)
class DoneSerializer(serializers.Serializer[Any]):
    topics = IntegerField(help_text="races, meetings, cards and users whose stored responses were removed")
    bodies = IntegerField(help_text="stored responses that you named")
    is_complete = BooleanField(help_text="false: the time was too short for all; send the request again")


@example({"is_queued": True})
class QueuedSerializer(serializers.Serializer[Any]):
    is_queued = BooleanField()


class RouteSerializer(serializers.Serializer[Any]):
    route = CharField()
    hits = IntegerField(help_text="answered with a current stored response")
    stales = IntegerField(help_text="answered with a stored response that was no longer fresh or just being replaced")
    misses = IntegerField(help_text="answered by Django")
    hit_rate = FloatField(allow_null=True, help_text="0–1, share of hits; null before the first request")


class SizesSerializer(serializers.Serializer[Any]):
    identity = IntegerField()
    gzip = IntegerField()
    br = IntegerField()


class MarkSerializer(serializers.Serializer[Any]):
    polled_at = CharField()
    age_seconds = IntegerField(help_text="by the machine's clock")


class EventsSerializer(serializers.Serializer[Any]):
    length = IntegerField()
    first_id = CharField(allow_null=True)
    last_id = CharField(allow_null=True)


class ServerSerializer(serializers.Serializer[Any]):
    used_bytes = IntegerField()
    max_bytes = IntegerField(allow_null=True, help_text="null: no limit is set")
    evicted_keys = IntegerField()
    hits = IntegerField(help_text="lookups of any key in Valkey, also keys outside the response cache")
    misses = IntegerField()
    hit_ratio = FloatField(allow_null=True, help_text="0–1")


@example(CACHE_STATS)
class CacheStatsSerializer(serializers.Serializer[Any]):
    timestamp = InstantField()
    routes = RouteSerializer(many=True, allow_null=True, help_text="all processes together, since the start")
    routes_unknown = CharField(allow_null=True, help_text="why `routes` is null")
    topics = DictField(child=IntegerField(), help_text="with stored responses, by kind: race, meeting, card, alerts")
    bodies = IntegerField(help_text="stored responses")
    bytes = SizesSerializer(help_text="by encoding")
    oldest_mark = MarkSerializer(allow_null=True, help_text="the oldest last poll of a race with stored responses")
    newest_mark = MarkSerializer(allow_null=True, help_text="the newest poll of such a race")
    is_complete = BooleanField(help_text="false: the time was too short to look at all")
    events = EventsSerializer(help_text="the log that feeds the streams")
    valkey = ServerSerializer()


RACE = OpenApiExample("a race", {"race_id": "3c9124b3-960e-5b01-baef-f9230936d3b4"}, request_only=True)
PATTERN = OpenApiExample("a pattern", {"pattern": "/api/entrants*"}, request_only=True)


class CacheViewSet(StaffViewSet):
    @describe_staff("Response cache: what is stored and how often it was used", CacheStatsSerializer)
    def stats(self, request: Request) -> Response:
        read_query(request)
        return Response(CacheStatsSerializer(statistics.collect() | {"timestamp": clock.now()}).data)

    @describe_staff(
        "Remove stored responses by address, by race or by pattern; they are made again when needed",
        DoneSerializer,
        payload=InvalidatePayload,
        examples=[RACE, PATTERN, OpenApiExample("done", DONE, response_only=True, status_codes=[200])],
    )
    def invalidate(self, request: Request) -> Response:
        read_query(request)
        return Response(invalidate(request.user.pk, read_payload(request, InvalidatePayload))._asdict())

    @describe_staff("Remove all stored responses, and nothing else", DoneSerializer)
    def clear(self, request: Request) -> Response:
        read_query(request)
        return Response(clear(request.user.pk)._asdict())

    @describe_staff("Start a task that prepares today's missing or outdated responses", QueuedSerializer)
    def warm(self, request: Request) -> Response:
        read_query(request)
        warm(request.user.pk)
        return Response({"is_queued": True})


def invalidate(user_id: Any, payload: Mapping[str, Any]) -> Done:
    """Remove what a checked InvalidatePayload names, for a user; ValkeyAwayError without Valkey."""
    ((by, what),) = payload.items()
    done = INVALIDATE[by](what)
    named = what.key if isinstance(what, ResourceRequest) else what
    name = race_names([named]).get(named) if by == "race_id" else None
    note(user_id, f"Removed by {by.replace('_', ' ')}: {named}{f' ({name})' if name else ''}")
    return done


def clear(user_id: Any) -> Done:
    """Remove all stored responses for a user; ValkeyAwayError without Valkey."""
    done = actions.clear()
    note(user_id, f"Removed all: {done.bodies} responses")
    return done


def warm(user_id: Any) -> None:
    """Queue the task that warms; ValkeyAwayError without Valkey."""
    try:
        async_task(WARM, task_name="warm", q_options={"cluster": "default"})
    except RedisError:
        raise ValkeyAwayError from None
    note(user_id, "Had today's responses prepared")


def note(user_id: Any, said: str) -> None:
    """Record what a user did, for the response cache page in the admin."""
    LogEntry.objects.create(
        user_id=user_id,
        content_type=ContentType.objects.get_for_model(Operations),
        object_repr="response cache",
        action_flag=CHANGE,
        change_message=said,
    )
