"""Every resource that the URLconf knows, with an address of it on a card that has something to show at each."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from races.models import Race, RacePool, RaceResult
from tests.support.card import POLLED, add_money, add_odds, make_alert, make_entrant, make_meeting, make_race

ADDRESSES = {
    "meetings": "/api/meetings?date=2026-11-21",
    "meeting": "/api/meetings/m1",
    "meeting-races": "/api/meetings/m1/races",
    "meeting-status": "/api/meetings/m1/status",
    "races": "/api/races?meeting_id=m1",
    "race": "/api/races/r1",
    "race-navigation": "/api/races/navigation?race_id=r1",
    "races-upcoming": "/api/races/upcoming",
    "race-next-scheduled": "/api/races/next-scheduled",
    "races-batch": "/api/races/batch?ids=r1",
    "race-live": "/api/races/r1/live",
    "race-pools": "/api/race-pools?race_id=r1",
    "race-results": "/api/race-results?race_id=r1",
    "entrants": "/api/entrants?race_id=r1",
    "race-history": "/api/races/r1/history",
    "money-flow-timeline": "/api/money-flow-timeline?race_id=r1&entrants=r1-e1",
    "late-money": "/api/late-money?date=2026-11-21",
    "late-money-record": "/api/late-money/record",
    "late-money-indicators": "/api/late-money/indicators?race_id=r1",
    "user-alert-configs": "/api/user-alert-configs?user_id=u1",
    "today": "/",
    "race-page": "/races/r1",
    "replay-page": "/races/ended/replay",
    "late-money-page": "/late-money",
    "record-page": "/record",
    "status-page": "/status",
}
NEVER_KEPT = {"late-money-indicators", "races-batch"}
KEPT = sorted(ADDRESSES.keys() - NEVER_KEPT)


def resource_routes() -> set[str]:
    """Return the name of every route that a resource answers."""
    return {str(route.name) for route in _routes(get_resolver().url_patterns) if _is_resource(route)}


def make_whole_card(*, status: str = "Open", runners: int = 12, **race: Any) -> Race:
    """Make a race that has something to show on every page, and one that has ended; histories need partitions."""
    made = make_race(make_meeting(), status=status, **race)
    RacePool.objects.create(race=made, win_pool_total=Decimal("12.50"), last_updated=POLLED)
    RaceResult.objects.create(race=made, results=[], dividends=[], result_status="interim", result_time=POLLED)
    for number in range(1, runners + 1):
        entrant = make_entrant(made, number, fixed_win_odds=Decimal("4.50"))
        for minutes in range(5):
            add_money(entrant, POLLED - timedelta(minutes=minutes), 1000 * number, "10")
            add_odds(entrant, POLLED - timedelta(minutes=minutes), "3.10")
    make_alert(entrant)
    make_race(made.meeting, race_id="ended", race_number=12, status="Final")
    return made


def _routes(patterns: list[Any]) -> Iterator[URLPattern]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns)
        else:
            yield pattern


def _is_resource(route: URLPattern) -> bool:
    callback: Any = route.callback
    action = getattr(callback, "actions", {}).get("get") if hasattr(callback, "cls") else None
    return action is not None and hasattr(getattr(callback.cls, action), "resource")
