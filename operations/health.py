"""Is the product well (`/api/health`), does this process answer (`…/live`), and can it serve readers (`…/ready`)."""

from datetime import datetime
from typing import Any

from django.db import Error as DatabaseFault
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe
from drf_spectacular.utils import extend_schema, inline_serializer
from redis.exceptions import RedisError
from rest_framework import serializers
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from operations import checks
from operations.checks import Part, Status
from raceday import clock, valkey
from raceday.api.errors import note_database_away
from raceday.api.limits import unlimited
from raceday.api.queries import read_query
from raceday.queue.cluster import heartbeat_ages
from raceday.racing_day import nz_iso

NOT_KEPT = {"Cache-Control": "no-store"}


class HealthPartSerializer(serializers.Serializer[Any]):
    status = serializers.CharField(help_text="ok, degraded or unhealthy")
    reason = serializers.CharField(required=False, help_text="why it is not ok")


class PartsField(serializers.DictField):
    def __init__(self) -> None:
        names = "database, polls, feed, writes, runway, valkey, queue, clusters, bodies, disk; replicas if any"
        super().__init__(child=HealthPartSerializer(), help_text=names)


HealthSerializer = inline_serializer(
    "Health",
    {
        "status": serializers.CharField(help_text="healthy or degraded"),
        "timestamp": serializers.DateTimeField(),
        "database": serializers.CharField(help_text="connected"),
        "workers": serializers.CharField(help_text="operational"),
        "reasons": serializers.ListField(child=serializers.CharField(), help_text="why it is degraded"),
        "parts": PartsField(),
        "feed_age_seconds": serializers.FloatField(
            allow_null=True, help_text="since the feed's own newest stamp; null before the first poll"
        ),
        "poll_age_seconds": serializers.FloatField(allow_null=True, help_text="since the newest poll"),
        "cluster_heartbeat_age_seconds": serializers.DictField(child=serializers.FloatField(allow_null=True)),
    },
)
UnhealthySerializer = inline_serializer(
    "Unhealthy",
    {
        "status": serializers.CharField(help_text="unhealthy"),
        "timestamp": serializers.DateTimeField(),
        "error": serializers.CharField(),
        "workers": serializers.CharField(help_text="stale", required=False),
        "parts": PartsField(),
    },
)


@extend_schema(summary="Is Raceday well", responses={200: HealthSerializer, 503: UnhealthySerializer})
@unlimited
@api_view(["GET"])
def health(request: Request) -> Response:
    """Also at `/health`. 503 when nothing is stored or readers would be misled; degraded says what will lead there."""
    read_query(request)
    body = _look(clock.now())
    return Response(body, status=503 if "error" in body else 200, headers=NOT_KEPT)


def _look(now: datetime) -> dict[str, Any]:
    parts, facts = checks.run_all(now)
    if facts is None:
        note_database_away()
    status = checks.worst(parts.values())
    reasons = [f"{name}: {part.told}" for name, part in parts.items() if part.status is not Status.OK]
    told = {"timestamp": nz_iso(now), "parts": {name: _shown(part) for name, part in parts.items()}}
    clusters = parts.get("clusters")
    workers = "operational" if clusters and clusters.status is Status.OK else "stale"
    if status is Status.UNHEALTHY or facts is None:
        return {"status": "unhealthy", "error": "; ".join(reasons), "workers": workers, **told}
    return {
        "status": "healthy" if status is Status.OK else "degraded",
        "database": "connected",
        "workers": workers,
        "reasons": reasons,
        "feed_age_seconds": _age(now, facts.generated_at),
        "poll_age_seconds": _age(now, facts.polled_at),
        "cluster_heartbeat_age_seconds": _heartbeat_ages(),
        **told,
    }


def _heartbeat_ages() -> dict[str, float | None]:
    try:
        return heartbeat_ages()
    except RedisError:  # it answered a moment ago, and will be told of by the next look
        return {}


def _shown(part: Part) -> dict[str, str]:
    return {"status": part.status} | ({} if part.status is Status.OK else {"reason": part.told})


def _age(now: datetime, instant: datetime | None) -> float | None:
    return (now - instant).total_seconds() if instant else None


@require_safe
def ready(_: HttpRequest) -> JsonResponse:
    """Tell a load balancer whether this process can serve readers: from the database, or at least what is published."""
    try:
        checks.read_facts(clock.now())
    except DatabaseFault:
        try:
            valkey.client().ping()
        except (RedisError, OSError):
            sentence = "neither the database nor Valkey answers"
            return JsonResponse({"status": "not ready", "error": sentence}, status=503, headers=NOT_KEPT)
    return JsonResponse({"status": "ready"}, headers=NOT_KEPT)
