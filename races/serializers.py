"""What the client reads of races, their pools and results, and what it may ask."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from raceday.api import BodySerializer, CentsField
from races.models import Entrant, Race, RacePool, RaceResult

POOLS = ["win", "place", "quinella", "trifecta", "exacta", "first4"]


class RacesQuery(serializers.Serializer[Any]):
    meeting_id = serializers.CharField(max_length=100)


class RaceQuery(serializers.Serializer[Any]):
    race_id = serializers.CharField(max_length=100)


class RaceSerializer(BodySerializer):
    meeting_id = serializers.CharField(read_only=True)

    class Meta:
        model = Race
        fields: ClassVar = ["race_id", "name", "race_number", "start_time", "status", "meeting_id"]
        read_only_fields = fields


class RaceDetailSerializer(BodySerializer):
    meeting_id = serializers.CharField(read_only=True)
    race_type = serializers.CharField(source="meeting.race_type", read_only=True)
    runner_count = serializers.IntegerField(read_only=True, help_text="entrants that are not scratched")

    class Meta:
        model = Race
        fields: ClassVar = [
            "race_id",
            "meeting_id",
            "name",
            "race_number",
            "start_time",
            "actual_start",
            "status",
            "distance",
            "track_condition",
            "weather",
            "race_type",
            "runner_count",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields


class RacePoolSerializer(BodySerializer):
    """Totals in cents."""

    race_id = serializers.CharField(read_only=True)
    win_pool_total = CentsField(read_only=True, allow_null=True)
    place_pool_total = CentsField(read_only=True, allow_null=True)
    quinella_pool_total = CentsField(read_only=True, allow_null=True)
    trifecta_pool_total = CentsField(read_only=True, allow_null=True)
    exacta_pool_total = CentsField(read_only=True, allow_null=True)
    first4_pool_total = CentsField(read_only=True, allow_null=True)
    total_race_pool = CentsField(read_only=True, allow_null=True)
    currency = serializers.CharField(read_only=True, default="$")
    extracted_pools = serializers.SerializerMethodField(help_text="how many pools the feed has named")

    class Meta:
        model = RacePool
        fields: ClassVar = [
            "race_id",
            *(f"{name}_pool_total" for name in POOLS),
            "total_race_pool",
            "currency",
            "data_quality_score",
            "extracted_pools",
            "last_updated",
        ]
        read_only_fields = fields

    def get_extracted_pools(self, pool: RacePool) -> int:
        return sum(getattr(pool, f"{name}_pool_total") is not None for name in POOLS)


class PlacingSerializer(serializers.Serializer[Any]):
    position = serializers.IntegerField()
    runner_number = serializers.IntegerField()
    name = serializers.CharField()
    entrant_id = serializers.CharField()
    barrier = serializers.IntegerField(allow_null=True)
    margin_length = serializers.FloatField(allow_null=True)


class DividendPositionSerializer(serializers.Serializer[Any]):
    runner_number = serializers.IntegerField()
    position = serializers.IntegerField()


class DividendSerializer(serializers.Serializer[Any]):
    product_name = serializers.CharField()
    dividend = serializers.FloatField(help_text="per $1")
    positions = DividendPositionSerializer(many=True)
    pool_size = CentsField(allow_null=True, help_text="cents")
    status = serializers.CharField()
    description = serializers.CharField(allow_null=True)


class FinalPriceSerializer(BodySerializer):
    runner_name = serializers.CharField(source="name", read_only=True)

    class Meta:
        model = Entrant
        fields: ClassVar = ["fixed_win_odds", "fixed_place_odds", "runner_name", "entrant_id"]
        read_only_fields = fields


class RaceResultSerializer(BodySerializer):
    race_id = serializers.CharField(read_only=True)
    results_available = serializers.SerializerMethodField()
    results_data = PlacingSerializer(source="results", many=True, read_only=True)
    dividends_data = DividendSerializer(source="dividends", many=True, read_only=True)
    fixed_odds_data = serializers.SerializerMethodField(help_text="by runner number")

    class Meta:
        model = RaceResult
        fields: ClassVar = [
            "race_id",
            "results_available",
            "results_data",
            "dividends_data",
            "fixed_odds_data",
            "result_status",
            "photo_finish",
            "stewards_inquiry",
            "protest_lodged",
            "result_time",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields

    def get_results_available(self, result: RaceResult) -> bool:
        return bool(result.results)

    @extend_schema_field(serializers.DictField(child=FinalPriceSerializer()))
    def get_fixed_odds_data(self, result: RaceResult) -> dict[str, Any]:
        entrants = result.race.entrants.order_by("runner_number")
        return {
            str(entrant.runner_number): price
            for entrant, price in zip(entrants, FinalPriceSerializer(entrants, many=True).data, strict=True)
        }
