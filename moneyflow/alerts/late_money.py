"""SERVE: late-money alerts, how often they were right, and the original client's colours to compare them with."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.viewsets import ViewSet

from moneyflow.alerts.indicators import indicator_of, moves
from moneyflow.alerts.record import by_severity
from moneyflow.alerts.serializers import (
    IndicatorsQuery,
    IndicatorsSerializer,
    LateMoneyQuery,
    LateMoneyRecordSerializer,
    RaceAlertSerializer,
)
from moneyflow.alerts.settings import read_config
from moneyflow.alerts.store import find_alerts, read_record
from moneyflow.history.columns import PoolType
from moneyflow.history.timeline import read_timeline
from raceday.api.description import describe
from raceday.published.resources import CARD_SECONDS, Body, resource, shown, shown_many
from races.rows import read_entrants, read_race

MOST_DOCUMENTS = 10_000


@extend_schema(tags=["late money"])
class LateMoneyViewSet(ViewSet):
    @describe("Alerts of unusual late money, newest first", RaceAlertSerializer(many=True), query=LateMoneyQuery)
    @resource("late-money", LateMoneyQuery, always=True)
    def list(self, **query: Any) -> Body:
        return Body(data=shown_many(RaceAlertSerializer, find_alerts(**query)), keep_seconds=CARD_SECONDS)

    @describe("How often alerts were right, by severity", LateMoneyRecordSerializer)
    @resource("late-money", always=True)
    def record(self) -> Body:
        data = {"buckets": by_severity(read_record())}
        return Body(data=shown(LateMoneyRecordSerializer, data), keep_seconds=CARD_SECONDS)

    @describe(
        "The colours of a race's money or odds by a user's own ranges, to compare with the alerts",
        IndicatorsSerializer,
        query=IndicatorsQuery,
        missing="no such race",
    )
    @resource("", IndicatorsQuery)
    def indicators(self, **query: Any) -> Body:
        return Body(data=shown(IndicatorsSerializer, _colours(**query)))


def _colours(race_id: str, user_id: str, pool_type: PoolType) -> dict[str, Any]:
    """Return a race's coloured columns; never stored, because the race and the user would outdate them."""
    race, config = read_race(race_id), read_config(user_id)
    entrants = tuple(entrant.entrant_id for entrant in read_entrants(race_id))
    asked = {"race_id": race_id, "entrants": entrants, "pool_type": pool_type, "limit": MOST_DOCUMENTS}
    found = moves(read_timeline(race.start_time, asked)["documents"], pool_type)
    indicators = config.indicators if config.toggle_all else []
    columns = [
        {"time_interval": bucket, "entrants": list(_coloured(column, indicators))} for bucket, column in found.items()
    ]
    return {"race_id": race_id, "user_id": user_id, "pool_type": pool_type, "columns": columns}


def _coloured(column: Mapping[str, float], indicators: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for entrant_id, value in column.items():
        if indicator := indicator_of(value, indicators):
            yield {"entrant_id": entrant_id, "value": value, **indicator}
