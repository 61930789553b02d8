"""SERVE the log of events to clients that poll, and send clients that want a stream to its port."""

from typing import Any

import msgspec
from django.conf import settings
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.request import split_domain_port
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from redis import Redis
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from raceday import valkey
from raceday.api.description import describe, error_responses, example
from raceday.api.queries import read_query
from raceday.published import events
from raceday.published.events import START, Event, EventsQuery, Position, StreamQuery, Wanted, write_id

LOOK_AT = 2000  # events of all races that one request reads at most, also if none of them is for this client


class SeeOtherPort(HttpResponseRedirect):
    status_code = 307


class ChangesQuery(EventsQuery):
    limit = serializers.IntegerField(default=200, min_value=1, max_value=1000)


class ChangeSerializer(serializers.Serializer[Any]):
    id = serializers.CharField()
    event = serializers.ChoiceField([events.SNAPSHOT, *events.Topic, events.FLOW])
    data = serializers.DictField(help_text="the same as in the stream")  # type: ignore[assignment]  # a field, not our data


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


# Swagger would wait for the end of a response that has none, so the page of the API docs offers no "Try it out" here.
HOW_TO_FOLLOW = """This page cannot show a stream, because a stream does not end. Follow it in a terminal:

    curl -N -L 'http://127.0.0.1:8000/api/stream?race_id=RACE_ID'

or in a page:

    const stream = new EventSource("/api/stream?race_id=RACE_ID");
    stream.addEventListener("snapshot", (event) => console.log(JSON.parse(event.data)));
    stream.addEventListener("odds", (event) => console.log(JSON.parse(event.data)));

Streams have a port of their own. The web server sends clients there with a 307, which `EventSource` and `curl -L`
follow. The routes of races give you the ids of races to follow."""
FRAMES = """retry: 2214

event: snapshot
data: {"race":{"race_id":"fa64781b-d9ff-5d34-8c18-e4a28e9711fb"},"entrants":[],"pools":null}
id: 1795271000100-0

event: pool
data: {"race_id":"fa64781b-d9ff-5d34-8c18-e4a28e9711fb","entrants":[]}
id: 1795271000123-0

"""


@example(CHANGES)
class ChangesSerializer(serializers.Serializer[Any]):
    events = ChangeSerializer(many=True)
    next = serializers.CharField(help_text="send this as `since` next time")
    resync = serializers.BooleanField(help_text="true: `since` is no longer in the log; read the races again")


@extend_schema(tags=["streams"])
class ChangesViewSet(ViewSet):
    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Accept any Accept header: an EventSource sends only text/event-stream."""
        return super().perform_content_negotiation(request, force=True)

    @describe("Changes of races since an id, for clients that poll", ChangesSerializer, query=ChangesQuery)
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
        summary="Changes of races as server-sent events",
        description=HOW_TO_FOLLOW,
        parameters=[StreamQuery],
        responses={
            (200, "text/event-stream"): OpenApiResponse(
                OpenApiTypes.STR,
                description="The stream; it does not end.",
                examples=[OpenApiExample("a snapshot, then a change", FRAMES, media_type="text/event-stream")],
            ),
            307: OpenApiResponse(description="The web server's answer: the same address on the port of the streams."),
            **error_responses(400, 404, 414, 429, 503, missing="no such meeting"),
        },
    )
    def stream(self, request: Request) -> HttpResponse:
        read_query(request, StreamQuery)
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
