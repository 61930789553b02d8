"""The page at `/`: which races come next, and where everything else is."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseFault
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from raceday import clock
from raceday.racing_day import NZ
from races.cadence import STALE
from races.models import Race

MOST_RACES = 12
OWN_FILES_ONLY = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'"


@require_safe
def today(request: HttpRequest) -> HttpResponse:
    """Show the races that come next; without the database, say so and show the rest of the page."""
    now = clock.now()
    try:
        rows = next_races(now)
    except DatabaseFault:
        rows = None
    facts = {"races": rows, "now": now.astimezone(NZ), "stream_port": settings.STREAM_PORT}
    response = render(request, "board/today.html", facts, status=503 if rows is None else 200)
    response.headers["Content-Security-Policy"] = OWN_FILES_ONLY
    return response


def next_races(now: datetime) -> list[dict[str, Any]]:
    """Return the live races in the order of their advertised starts, with seconds to each, negative once it is past."""
    races = Race.objects.live().filter(start_time__gte=now - STALE).select_related("meeting")[:MOST_RACES]
    return [{"race": race, "seconds": int((race.start_time - now).total_seconds())} for race in races]
