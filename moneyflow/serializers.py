"""What the client reads of an entrant with its histories, and what it may ask."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from moneyflow.models import OddsHistory
from raceday.api import BodySerializer, InstantField
from races.models import Entrant


class EntrantsQuery(serializers.Serializer[Any]):
    race_id = serializers.CharField(max_length=100)
    history = serializers.IntegerField(
        default=50, min_value=0, max_value=2000, help_text="newest points of each history for each entrant"
    )


class OddsPointSerializer(serializers.Serializer[Any]):
    odds = serializers.FloatField()
    type = serializers.ChoiceField(OddsHistory.Type.choices)
    timestamp = InstantField()


class MoneyFlowPointSerializer(serializers.Serializer[Any]):
    hold_percentage = serializers.FloatField(allow_null=True)
    win_pool_amount = serializers.IntegerField(allow_null=True, help_text="cents")
    timestamp = InstantField()


# Histories come ready-made in the context: a serializer a point would cost more than the queries.
class EntrantSerializer(BodySerializer):
    odds_history = serializers.SerializerMethodField(help_text="newest first")
    money_flow_history = serializers.SerializerMethodField(help_text="newest first")

    class Meta:
        model = Entrant
        fields: ClassVar = [
            "entrant_id",
            "name",
            "runner_number",
            "win_odds",
            "place_odds",
            "hold_percentage",
            "is_scratched",
            "odds_history",
            "money_flow_history",
            "jockey",
            "trainer_name",
            "barrier",
            "weight",
            "silk_colours",
            "silk_url_64",
            "silk_url_128",
            "fixed_win_odds",
            "fixed_place_odds",
            "pool_win_odds",
            "pool_place_odds",
        ]
        read_only_fields = fields

    @extend_schema_field(OddsPointSerializer(many=True))
    def get_odds_history(self, entrant: Entrant) -> list[dict[str, Any]]:
        points: list[dict[str, Any]] = self.context["odds"].get(entrant.entrant_id, [])
        return points

    @extend_schema_field(MoneyFlowPointSerializer(many=True))
    def get_money_flow_history(self, entrant: Entrant) -> list[dict[str, Any]]:
        points: list[dict[str, Any]] = self.context["money"].get(entrant.entrant_id, [])
        return points
