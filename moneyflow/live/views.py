"""SERVE: everything about a race in one response, made again at each changed poll."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.viewsets import ViewSet

from moneyflow.alerts.store import read_alerts
from moneyflow.live.serializers import LiveSerializer
from moneyflow.live.silence import silent_because, until_it_matters
from moneyflow.polling.live_races import expected_refresh
from raceday import clock
from raceday.api.description import describe
from raceday.published.resources import Body, resource, shown
from races.cadence import CadenceSeconds, cadence, is_frozen, until_next_tier
from races.models import RacePool
from races.neighbours import neighbours
from races.rows import read_entrants, read_pool, read_race, read_result, read_whole_race
from races.views import race_body, until_start

BESIDE_SECONDS = 30  # what a live body shows about other races and its meeting, which are published on their own
TRIES = 3  # each try means that a poll of the race was written in between


@extend_schema(tags=["races"])
class LiveViewSet(ViewSet):
    @describe("Everything about a race in one response", LiveSerializer, missing="no such race")
    @resource("race:{race_id}", always=True)
    def retrieve(self, race_id: str) -> Body:
        return live_body(race_id)


def live_body(race_id: str) -> Body:
    """Return a race's live body: race, meeting, entrants, pools, result, alerts, neighbours; one statement for each."""
    now = clock.now()
    parts = _parts(race_id)
    race = parts["race"]
    found = neighbours(race, now)
    freshness = _freshness(race, now)
    shape = {
        **{**parts, "meeting": race.meeting, "navigation": found, "freshness": freshness},
        "silent_because": silent_because(
            race, parts["entrants"], pool_cents=_win_pool_cents(parts["pools"]), now=now, is_stale=freshness["is_stale"]
        ),
    }
    tier, silence = until_next_tier(race.status, race.start_time - now), until_it_matters(now, race.start_time)
    moves_in = min(BESIDE_SECONDS, until_start(found, now), tier, silence)
    return race_body(shown(LiveSerializer, shape), status=race.status, polled_at=race.polled, keep_seconds=moves_in)


def _parts(race_id: str) -> dict[str, Any]:
    """Return the parts of a live body that a poll may change, all as of the same poll."""
    for _ in range(TRIES):
        race = read_whole_race(race_id)
        parts = {
            **{"race": race, "entrants": read_entrants(race_id), "pools": read_pool(race_id)},
            "alerts": read_alerts(race_id),
        }
        if result := read_result(race_id):
            result.runners = parts["entrants"]
            parts["results"] = result
        if read_race(race_id).changed == race.changed:
            break
    return parts


def _win_pool_cents(pools: RacePool | None) -> int | None:
    return None if pools is None or pools.win_pool_total is None else int(100 * pools.win_pool_total)


def _freshness(race: Any, now: datetime) -> dict[str, Any]:
    interval = cadence(race.status, race.start_time - now, CadenceSeconds(**settings.CADENCE_SECONDS))
    refresh = timedelta(seconds=settings.FEED_REFRESH_SECONDS)
    expected = expected_refresh(race, now)
    return {
        "polled_at": race.polled,
        "generated_at": race.generated,
        "feed_age_seconds": race.generated and (now - race.generated).total_seconds(),
        "refresh_seconds": interval and interval.total_seconds(),
        "feed_refresh_seconds": expected and round(expected.period, 1),
        "next_refresh_at": expected and expected.at,
        "is_stale": interval is not None
        and race.polled is not None
        and is_frozen(race.generated, now - interval, refresh),
    }
