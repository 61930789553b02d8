"""SERVE: late-money alerts of a race or a day, and how often they were right."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.viewsets import ViewSet

from moneyflow.alerts.record import by_severity
from moneyflow.alerts.serializers import LateMoneyQuery, LateMoneyRecordSerializer, RaceAlertSerializer
from moneyflow.alerts.store import find_alerts, read_record
from raceday.api.description import describe
from raceday.published.resources import CARD_SECONDS, Body, resource, shown, shown_many


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
