"""SERVE: everything about a race in one response, made again at each changed poll."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.viewsets import ViewSet

from moneyflow.alerts.store import ALERTS, OF_RACE
from moneyflow.live.serializers import LiveSerializer
from moneyflow.live.silence import silent_because, until_it_matters
from moneyflow.polling import live_races
from raceday import clock
from raceday.api.description import describe
from raceday.published.resources import Body, resource, shown
from raceday.rows import many, read, together
from races.cadence import CadenceSeconds, cadence, is_frozen, until_next_tier
from races.neighbours import BY_SIDE, Neighbours, parameters
from races.rows import PARTS, Parts, whole
from races.views import race_body, until_start

BESIDE_SECONDS = 30  # what a live body shows about other races and its meeting, which are published on their own
LIVE = together(**PARTS, alerts=many(OF_RACE), navigation=BY_SIDE, polls=live_races.OF_RACE)
BESIDE = [("alerts", ALERTS), ("navigation", Neighbours), ("polls", str | None)]
Live = msgspec.defstruct("Live", BESIDE, bases=(Parts,), kw_only=True)
_live: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Live)


@extend_schema(tags=["races"])
class LiveViewSet(ViewSet):
    @describe("Everything about a race in one response", LiveSerializer, missing="no such race")
    @resource("race:{race_id}", always=True)
    def retrieve(self, race_id: str) -> Body:
        return live_body(race_id)


def live_body(race_id: str) -> Body:
    """Return a race's live body: race, meeting, entrants, pools, result, alerts, neighbours; all of the same poll."""
    now = clock.now()
    found = whole(read(LIVE, parameters(race_id, now) | live_races.instants(now), _live))
    race, freshness = found.race, _freshness(found.race, found.polls, now)
    shape = {
        **{name: getattr(found, name) for name in ("race", "meeting", "entrants", "pools", "alerts", "navigation")},
        **({"results": found.results} if found.results else {}),
        "silent_because": silent_because(
            race, found.entrants, pool_cents=_win_pool_cents(found.pools), now=now, is_stale=freshness["is_stale"]
        ),
        "freshness": freshness,
    }
    tier, silence = until_next_tier(race.status, race.start_time - now), until_it_matters(now, race.start_time)
    moves_in = min(BESIDE_SECONDS, until_start(found.navigation, now), tier, silence)
    return race_body(shown(LiveSerializer, shape), status=race.status, polled_at=race.polled, keep_seconds=moves_in)


def _win_pool_cents(pools: Any) -> int | None:
    return None if pools is None or pools.win_pool_total is None else int(100 * pools.win_pool_total)


def _freshness(race: Any, polls: str | None, now: datetime) -> dict[str, Any]:
    interval = cadence(race.status, race.start_time - now, CadenceSeconds(**settings.CADENCE_SECONDS))
    refresh = timedelta(seconds=settings.FEED_REFRESH_SECONDS)
    expected = live_races.expected_after(polls, now)
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
