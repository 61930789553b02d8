"""What the API shows of races, pools and results, and which queries it takes."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from raceday.api.description import example
from raceday.api.fields import BodySerializer, CentsField, InstantField
from raceday.api.queries import split_ids
from raceday.published.resources import shown
from races import examples
from races.models import Entrant, Race, RacePool, RaceResult

POOLS = ["win", "place", "quinella", "trifecta", "exacta", "first4"]
BATCH = 50


class RacesQuery(serializers.Serializer[Any]):
    meeting_id = serializers.CharField(max_length=100)


class RaceQuery(serializers.Serializer[Any]):
    race_id = serializers.CharField(max_length=100)


class UpcomingQuery(serializers.Serializer[Any]):
    window_minutes = serializers.IntegerField(default=120, min_value=0, max_value=480, help_text="from now on")
    lookback_minutes = serializers.IntegerField(default=5, min_value=0, max_value=120, help_text="before now")
    limit = serializers.IntegerField(default=50, min_value=1, max_value=100)


class BatchQuery(serializers.Serializer[Any]):
    ids = serializers.CharField(max_length=101 * BATCH, help_text=f"race ids, a comma list of 1 to {BATCH}")

    def validate_ids(self, ids: str) -> str:
        """Return the list as every spelling of it is kept: no blanks, each id once, in order."""
        return ",".join(split_ids(ids, BATCH, "races"))


@example(examples.RACE)
class RaceSerializer(BodySerializer):
    meeting_id = serializers.CharField(read_only=True)

    class Meta:
        model = Race
        fields: ClassVar = ["race_id", "name", "race_number", "start_time", "status", "meeting_id"]
        read_only_fields = fields


@example(examples.RACE_DETAIL)
class RaceDetailSerializer(BodySerializer):
    meeting_id = serializers.CharField(read_only=True)
    race_type = serializers.CharField(source="meeting.race_type", read_only=True)
    type = serializers.CharField(source="meeting.race_type", read_only=True, help_text="race_type")
    runner_count = serializers.IntegerField(read_only=True, help_text="entrants that are neither scratched nor gone")

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
            "type",
            "runner_count",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields


@example(examples.POOLS)
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


@example(examples.RESULT)
class RaceResultSerializer(BodySerializer):
    race_id = serializers.CharField(read_only=True)
    results_available = serializers.SerializerMethodField()
    results_data = PlacingSerializer(source="results", many=True, read_only=True)
    dividends_data = DividendSerializer(source="dividends", many=True, read_only=True)
    fixed_odds_data = serializers.SerializerMethodField(
        help_text="by runner number; a second runner of a number by its entrant_id"
    )

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
        entrants: list[Entrant] = result.runners  # type: ignore[attr-defined]  # which its reader has added
        prices: dict[str, Any] = {}
        for entrant in entrants:
            number = str(entrant.runner_number)
            prices[entrant.entrant_id if number in prices else number] = shown(FinalPriceSerializer, entrant)
        return prices


@example(examples.MEETING_RACES)
class MeetingRacesSerializer(serializers.Serializer[Any]):
    races = RaceSerializer(many=True)
    total = serializers.IntegerField()
    timestamp = InstantField(help_text="when this body was made")


# Here and in NavigationSerializer the client's names are camelCase.
@example(examples.MEETING_STATUS)
class MeetingStatusSerializer(serializers.Serializer[Any]):
    isCompleted = serializers.SerializerMethodField()  # noqa: N815
    totalRaces = serializers.IntegerField(source="total_races")  # noqa: N815
    finalizedRaces = serializers.IntegerField(source="finalized_races", help_text="Final or Abandoned")  # noqa: N815

    def get_isCompleted(self, meeting: Any) -> bool:  # noqa: N802
        return bool(0 < meeting.total_races == meeting.finalized_races)


@example(examples.NEIGHBOUR)
class NeighbourSerializer(BodySerializer):
    meeting_name = serializers.CharField(read_only=True)

    class Meta:
        model = Race
        fields: ClassVar = ["race_id", "name", "start_time", "meeting_name"]
        read_only_fields = fields


@example(examples.NAVIGATION)
class NavigationSerializer(serializers.Serializer[Any]):
    previousRace = NeighbourSerializer(source="previous", allow_null=True)  # noqa: N815
    nextRace = NeighbourSerializer(source="next", allow_null=True)  # noqa: N815
    nextScheduledRace = NeighbourSerializer(source="scheduled", allow_null=True)  # noqa: N815


@example(examples.UPCOMING_RACE)
class UpcomingRaceSerializer(RaceSerializer):
    meeting_name = serializers.CharField(source="meeting.meeting_name", read_only=True)
    country = serializers.CharField(source="meeting.country", read_only=True)
    race_type = serializers.CharField(source="meeting.race_type", read_only=True)
    type = serializers.CharField(source="meeting.race_type", read_only=True, help_text="race_type")

    class Meta(RaceSerializer.Meta):
        fields: ClassVar = [*RaceSerializer.Meta.fields, "meeting_name", "country", "race_type", "type"]
        read_only_fields = fields


class WindowSerializer(serializers.Serializer[Any]):
    lower_bound = InstantField()
    upper_bound = InstantField()
    window_minutes = serializers.IntegerField()
    lookback_minutes = serializers.IntegerField()


@example(examples.UPCOMING)
class UpcomingSerializer(serializers.Serializer[Any]):
    races = UpcomingRaceSerializer(many=True)
    total = serializers.IntegerField(help_text="in the window, those beyond `limit` too")
    timestamp = InstantField(help_text="when this body was made")
    window = WindowSerializer()


@example(examples.BATCH)
class BatchSerializer(serializers.Serializer[Any]):
    races = RaceDetailSerializer(many=True, help_text="in the order asked")
    missing = serializers.ListField(child=serializers.CharField(), help_text="ids of no race, in the order asked")


@example(examples.ENTRANT)
class LiveEntrantSerializer(BodySerializer):
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
