"""SERVE: the log of events for clients that poll, and the way to the stream for those that listen."""

from typing import Any

import msgspec
from django.conf import settings
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.request import split_domain_port
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, extend_schema_serializer
from redis import Redis
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from raceday import valkey
from raceday.api.description import describe
from raceday.api.errors import ErrorSerializer
from raceday.api.queries import read_query
from raceday.published import events
from raceday.published.events import START, Event, EventsQuery, Position, Wanted, write_id

LOOK_AT = 2000  # events of all races; a page ends here, wherever the client's own are


class SeeOtherPort(HttpResponseRedirect):
    status_code = 307


class ChangesQuery(EventsQuery):
    limit = serializers.IntegerField(default=200, min_value=1, max_value=1000)


class ChangeSerializer(serializers.Serializer[Any]):
    id = serializers.CharField()
    event = serializers.ChoiceField([events.SNAPSHOT, *events.Topic])
    data = serializers.DictField(help_text="as in the stream")  # type: ignore[assignment]  # a field, not our data


CHANGES = {
    "events": [
        {
            "id": "1795271000123-0",
            "event": "pool",
            "data": {
                "race_id": "fa64781b-d9ff-5d34-8c18-e4a28e9711fb",
                "polled_at": "2026-11-21T15:26:00.214+13:00",
                "entrants": [{"entrant_id": "d93379c5-16fc-509e-b9ce-121bf5dd42e2", "hold_percentage": 18.5}],
            },
        }
    ],
    "next": "1795271000123-0",
    "resync": False,
}


@extend_schema_serializer(examples=[OpenApiExample("example", value=CHANGES)])
class ChangesSerializer(serializers.Serializer[Any]):
    events = ChangeSerializer(many=True)
    next = serializers.CharField(help_text="what to ask for as `since` next time")
    resync = serializers.BooleanField(help_text="true: `since` is not in the log any more; read the races anew")


class ChangesViewSet(ViewSet):
    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Take no offence at text/event-stream, which a browser accepts nothing but."""
        return super().perform_content_negotiation(request, force=True)

    @describe("What was told of races since an id, without listening", ChangesSerializer, query=ChangesQuery)
    def changes(self, request: Request) -> HttpResponse:
        query = read_query(request, ChangesQuery)
        since: Position | None = query.get("since")
        found = valkey.ask(lambda client: read_changes(client, events.wanted(query), since, query["limit"]))
        if found is None:
            return JsonResponse({"error": "the log of events cannot be read; try again in a moment"}, status=503)
        told, position, resync = found
        rows = [{"id": event.id, "event": event.kind, "data": msgspec.Raw(event.data)} for event in told]
        body = {"events": rows, "next": write_id(position), "resync": resync}
        return HttpResponse(msgspec.json.encode(body), content_type="application/json")

    @extend_schema(
        summary="What is told of races, as server-sent events",
        description="Answered by the stream's own port, to which the web server leads with a 307.",
        parameters=[EventsQuery],
        responses={
            (200, "text/event-stream"): OpenApiTypes.STR,
            307: OpenApiResponse(description="the same address on the stream's own port"),
            **dict.fromkeys((400, 404, 414, 429, 503), ErrorSerializer),
        },
    )
    def stream(self, request: Request) -> HttpResponse:
        read_query(request, EventsQuery)
        host, _ = split_domain_port(request.get_host())
        query = request.META.get("QUERY_STRING", "")
        return SeeOtherPort(f"{request.scheme}://{host}:{settings.STREAM_PORT}/api/stream?{query}")


def read_changes(
    client: Redis, wanted: Wanted, since: Position | None, limit: int
) -> tuple[list[Event], Position, bool]:
    """Return up to `limit` events after `since`, where to go on, and whether `since` is gone."""
    name = valkey.key(events.LOG)
    with client.pipeline(transaction=True) as pipe:
        pipe.xrevrange(name, count=1)
        pipe.xlen(name)
        if since is not None:
            pipe.xrange(name, write_id(since), count=LOOK_AT)
        end, length, *rest = pipe.execute()
    now = events.parse(end[0]).position if end else START
    if since is None:
        return [], now, False
    found = [events.parse(entry) for entry in rest[0]]
    first = found[0].position if found else None
    if not events.holds(since, first, length=length):
        return [], now, True
    chosen, last = events.chosen(found[first == since :], wanted, limit)
    return chosen, last or since, False
