"""Is Raceday well: does the database answer, do both clusters work, how old is the newest answer of the feed."""

from datetime import datetime
from typing import Any

from django.db import DatabaseError, InterfaceError, connection
from drf_spectacular.utils import extend_schema, inline_serializer
from redis.exceptions import RedisError
from rest_framework import serializers
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from raceday import clock
from raceday.api import note_database_away, read_query
from raceday.cluster import beat_ages
from raceday.racing_day import nz_iso

STALE_SECONDS = 15.0  # three missed beats

HealthSerializer = inline_serializer(
    "Health",
    {
        "status": serializers.CharField(help_text="healthy"),
        "timestamp": serializers.DateTimeField(),
        "database": serializers.CharField(help_text="connected"),
        "workers": serializers.CharField(help_text="operational"),
        "feed_age_seconds": serializers.FloatField(
            allow_null=True, help_text="since the newest poll; null before the first"
        ),
        "cluster_beat_age_seconds": serializers.DictField(child=serializers.FloatField(allow_null=True)),
    },
)
UnhealthySerializer = inline_serializer(
    "Unhealthy",
    {
        "status": serializers.CharField(help_text="unhealthy"),
        "timestamp": serializers.DateTimeField(),
        "error": serializers.CharField(),
        "workers": serializers.CharField(help_text="stale", required=False),
    },
)


@extend_schema(
    summary="Is Raceday well",
    responses={200: HealthSerializer, 503: UnhealthySerializer},
)
@api_view(["GET"])
def health(request: Request) -> Response:
    """A quick look, also at `/health`: one query, one question to Valkey, nothing kept."""
    read_query(request)
    body = _look(clock.now())
    status = 503 if "error" in body else 200
    return Response(body, status=status, headers={"Cache-Control": "no-store"})


def feed_age_seconds(now: datetime) -> float | None:
    """This function will return the seconds since the newest poll of any race, None before the first.

    Raises django.db.Error when the database does not answer.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(polled_at) FROM poll_marks")
        (polled_at,) = cursor.fetchone()
    return (now - polled_at).total_seconds() if polled_at else None


def _look(now: datetime) -> dict[str, Any]:
    unhealthy = {"status": "unhealthy", "timestamp": nz_iso(now)}
    try:
        feed_age = feed_age_seconds(now)
    except (DatabaseError, InterfaceError):
        note_database_away()
        return unhealthy | {"error": "the database does not answer"}
    try:
        ages = beat_ages()
    except RedisError:
        return unhealthy | {"error": "Valkey does not answer"}
    if stale := [cluster for cluster, age in ages.items() if age is None or age > STALE_SECONDS]:
        return unhealthy | {"error": f"no sign of life from cluster {' and '.join(stale)}", "workers": "stale"}
    return {
        "status": "healthy",
        "timestamp": nz_iso(now),
        "database": "connected",
        "workers": "operational",
        "feed_age_seconds": feed_age,
        "cluster_beat_age_seconds": ages,
    }
