"""Answer whether Raceday is healthy (`/api/health`) and whether this process can serve clients (`…/ready`)."""

from datetime import datetime
from typing import Any

from django.db import Error as DatabaseFault
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, inline_serializer
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
NAMES = "database, polls, feed, writes, runway, valkey, queue, clusters, bodies, disk"


class HealthPartSerializer(serializers.Serializer[Any]):
    status = serializers.CharField(help_text="ok, degraded or unhealthy")
    reason = serializers.CharField(required=False, help_text="why it is not ok")


class PartsField(serializers.DictField):
    def __init__(self) -> None:
        super().__init__(child=HealthPartSerializer(), help_text=f"{NAMES}; replicas, if there are any")


HealthSerializer = inline_serializer(
    "Health",
    {
        "status": serializers.CharField(help_text="healthy or degraded"),
        "timestamp": serializers.DateTimeField(),
        "database": serializers.CharField(help_text="connected"),
        "workers": serializers.CharField(help_text="operational"),
        "reasons": serializers.ListField(
            child=serializers.CharField(), help_text="why it is degraded; empty if healthy"
        ),
        "parts": PartsField(),
        "feed_age_seconds": serializers.FloatField(
            allow_null=True, help_text="since the feed's newest own time stamp; null before the first poll"
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


NOW = "2026-11-22T00:59:44.930+13:00"
WELL = {name: {"status": "ok"} for name in NAMES.split(", ")}
HEARTBEATS = {"control": 0.1, "write-0": 0.3, "write-1": 0.3, "publish": 0.9, "default": 0.2}
HEALTHY = {
    **{"status": "healthy", "timestamp": NOW, "database": "connected", "workers": "operational", "reasons": []},
    **{"feed_age_seconds": 11.803, "poll_age_seconds": 0.4, "cluster_heartbeat_age_seconds": HEARTBEATS, "parts": WELL},
}
FULL_DISK = {"status": "degraded", "reason": "only 0.8 GB free on the disk of the data"}
DEGRADED = {
    **{**HEALTHY, "status": "degraded", "reasons": [f"disk: {FULL_DISK['reason']}"]},
    "parts": {**WELL, "disk": FULL_DISK},
}
AWAY = {"status": "unhealthy", "reason": "Valkey does not answer: Connection refused."}
UNHEALTHY = {
    **{"status": "unhealthy", "timestamp": NOW, "error": f"valkey: {AWAY['reason']}", "workers": "stale"},
    "parts": {"database": {"status": "ok"}, "valkey": AWAY, "disk": {"status": "ok"}},
}


@extend_schema(
    summary="Is Raceday working?",
    tags=["health"],
    responses={
        200: OpenApiResponse(
            HealthSerializer,
            description="Healthy, or degraded: something will get worse if nobody acts.",
            examples=[OpenApiExample("healthy", HEALTHY), OpenApiExample("degraded", DEGRADED)],
        ),
        503: OpenApiResponse(
            UnhealthySerializer,
            description="Nothing is stored, or clients would get wrong data.",
            examples=[OpenApiExample("unhealthy", UNHEALTHY)],
        ),
    },
)
@unlimited
@api_view(["GET"])
def health(request: Request) -> Response:
    """The same is at `/health`. Each part is `ok`, `degraded` or `unhealthy`, with the reason."""
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
    except RedisError:  # it answered a moment ago; the next request reports it
        return {}


def _shown(part: Part) -> dict[str, str]:
    return {"status": part.status} | ({} if part.status is Status.OK else {"reason": part.told})


def _age(now: datetime, instant: datetime | None) -> float | None:
    return (now - instant).total_seconds() if instant else None


@require_safe
def ready(_: HttpRequest) -> JsonResponse:
    """Tell a load balancer whether this process can serve clients: from the database, or at least stored responses."""
    try:
        checks.read_facts(clock.now())
    except DatabaseFault:
        try:
            valkey.client().ping()
        except (RedisError, OSError):
            sentence = "neither the database nor Valkey answers"
            return JsonResponse({"status": "not ready", "error": sentence}, status=503, headers=NOT_KEPT)
    return JsonResponse({"status": "ready"}, headers=NOT_KEPT)
