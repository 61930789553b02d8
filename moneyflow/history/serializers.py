"""What the API shows of entrants with their histories, and which queries it takes."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from moneyflow.history.columns import PoolType
from moneyflow.history.examples import ENTRANT_HISTORIES, HISTORY, TIMELINE
from moneyflow.history.timeline import Cursor
from moneyflow.models import OddsHistory
from raceday.api.description import example
from raceday.api.fields import InstantField
from raceday.api.queries import InstantParameter, split_ids
from races.models import Entrant
from races.serializers import LiveEntrantSerializer

MOST_ENTRANTS = 50
INCREMENT = "cents since the entrant's document before; of its first document the whole amount"
POOL_TYPES = [(pool_type.value, pool_type.value) for pool_type in PoolType]


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


# Histories come ready-made on the entrant: a serializer a point would cost more than the queries.
@example(ENTRANT_HISTORIES)
class EntrantSerializer(LiveEntrantSerializer):
    odds_history = serializers.SerializerMethodField(help_text="newest first")
    money_flow_history = serializers.SerializerMethodField(help_text="newest first")

    class Meta(LiveEntrantSerializer.Meta):
        fields: ClassVar = [*LiveEntrantSerializer.Meta.fields, "odds_history", "money_flow_history"]
        read_only_fields = fields

    @extend_schema_field(OddsPointSerializer(many=True))
    def get_odds_history(self, entrant: Entrant) -> list[dict[str, Any]]:
        points: list[dict[str, Any]] = entrant.odds_points  # type: ignore[attr-defined]
        return points

    @extend_schema_field(MoneyFlowPointSerializer(many=True))
    def get_money_flow_history(self, entrant: Entrant) -> list[dict[str, Any]]:
        points: list[dict[str, Any]] = entrant.money_points  # type: ignore[attr-defined]
        return points


# ── Columns ─────────────────────────────────────────────────────────────────────────────────────
class HistoryQuery(serializers.Serializer[Any]):
    since = InstantParameter(required=False, help_text="only what the feed dates after this instant")
    pool_type = serializers.ChoiceField(POOL_TYPES, required=False, help_text="only these columns; default: all")

    def validate_pool_type(self, name: str) -> PoolType:
        return PoolType(name)


class PricesSerializer(serializers.Serializer[Any]):
    timestamps = serializers.ListField(child=serializers.IntegerField(), help_text="milliseconds since 1970, UTC")
    odds = serializers.ListField(child=serializers.FloatField())


class _Numbers(serializers.ListField):
    child = serializers.FloatField(allow_null=True)


class _Cents(serializers.ListField):
    child = serializers.IntegerField(allow_null=True)


class EntrantColumnsSerializer(serializers.Serializer[Any]):
    """Each column has one value a timestamp of the race; null: no reading, or not known."""

    entrant_id = serializers.CharField()
    runner_number = serializers.IntegerField()
    hold_percentage = _Numbers(required=False)
    win_pool_amount = _Cents(required=False)
    win_pool_percentage = _Numbers(required=False)
    incremental_win_amount = _Cents(required=False)
    place_pool_amount = _Cents(required=False)
    place_pool_percentage = _Numbers(required=False)
    incremental_place_amount = _Cents(required=False)
    odds = serializers.DictField(
        child=PricesSerializer(), required=False, help_text="by fixed_win, fixed_place, pool_win, pool_place"
    )


@example(HISTORY)
class HistorySerializer(serializers.Serializer[Any]):
    race_id = serializers.CharField()
    pool_type = serializers.ChoiceField(POOL_TYPES, allow_null=True)
    timestamps = serializers.ListField(
        child=serializers.IntegerField(), help_text="of the readings, oldest first; milliseconds since 1970, UTC"
    )
    entrants = EntrantColumnsSerializer(many=True)


# ── Documents in buckets ────────────────────────────────────────────────────────────────────────
class TimelineQuery(serializers.Serializer[Any]):
    race_id = serializers.CharField(max_length=100)
    entrants = serializers.CharField(max_length=MOST_ENTRANTS * 101, help_text="entrant_ids with commas between them")
    pool_type = serializers.ChoiceField(
        POOL_TYPES, default=PoolType.WIN, help_text="whose values interval_coverage looks for"
    )
    limit = serializers.IntegerField(default=200, min_value=1, max_value=2000)
    cursor_after = serializers.CharField(required=False, max_length=1000, help_text="next_cursor of the page before")
    created_after = InstantParameter(
        required=False, help_text="next_created_at of an earlier answer: only documents that changed since"
    )

    def validate_entrants(self, text: str) -> tuple[str, ...]:
        return split_ids(text, MOST_ENTRANTS, "entrants")

    def validate_pool_type(self, name: str) -> PoolType:
        return PoolType(name)

    def validate_cursor_after(self, word: str) -> Cursor:
        try:
            cursor = Cursor.read(word)
        except ValueError as fault:
            raise ValidationError(str(fault)) from None
        if cursor.race_id != self.initial_data.get("race_id"):
            raise ValidationError("a cursor of another race")
        return cursor


class DocumentSerializer(serializers.Serializer[Any]):
    id = serializers.CharField(help_text="stays the same while the bucket fills")
    race_id = serializers.CharField()
    entrant_id = serializers.CharField()
    type = serializers.ChoiceField([("bucketed_aggregation", "bucketed_aggregation")])
    time_interval = serializers.FloatField(help_text="the bucket: minutes to the start")
    time_to_start = serializers.IntegerField(help_text="whole minutes")
    interval_type = serializers.CharField(help_text="5m, 2m, 30s or live")
    hold_percentage = serializers.FloatField(allow_null=True)
    incremental_win_amount = serializers.IntegerField(allow_null=True, help_text=INCREMENT)
    incremental_place_amount = serializers.IntegerField(allow_null=True, help_text=INCREMENT)
    win_pool_amount = serializers.IntegerField(allow_null=True, help_text="cents")
    place_pool_amount = serializers.IntegerField(allow_null=True, help_text="cents")
    win_pool_percentage = serializers.FloatField(allow_null=True)
    place_pool_percentage = serializers.FloatField(allow_null=True)
    fixed_win_odds = serializers.FloatField(allow_null=True)
    fixed_place_odds = serializers.FloatField(allow_null=True)
    pool_win_odds = serializers.FloatField(allow_null=True)
    pool_place_odds = serializers.FloatField(allow_null=True)
    event_timestamp = InstantField(help_text="the feed's own time")
    polling_timestamp = InstantField()
    created_at = InstantField()


class GapSerializer(serializers.Serializer[Any]):
    entrant_id = serializers.CharField()
    missing_intervals = serializers.ListField(child=serializers.FloatField())


class CoverageSummarySerializer(serializers.Serializer[Any]):
    total_documents = serializers.IntegerField(help_text="of these entrants, whatever the page")
    entrants_covered = serializers.IntegerField()
    intervals_covered = serializers.ListField(child=serializers.FloatField())
    critical_period_gaps = GapSerializer(
        many=True, help_text="buckets without a document within 5 minutes of the start"
    )
    coverage_report = serializers.CharField()


class EntrantCoverageSerializer(serializers.Serializer[Any]):
    entrant_id = serializers.CharField()
    document_count = serializers.IntegerField()
    intervals_covered = serializers.ListField(child=serializers.FloatField())
    critical_period_coverage = serializers.ListField(child=serializers.FloatField())
    missing_critical_intervals = serializers.ListField(child=serializers.FloatField())


class CoverageSerializer(serializers.Serializer[Any]):
    summary = CoverageSummarySerializer()
    entrants = EntrantCoverageSerializer(many=True)


@example(TIMELINE)
class TimelineSerializer(serializers.Serializer[Any]):
    success = serializers.BooleanField()
    documents = DocumentSerializer(many=True)
    total = serializers.IntegerField(help_text="documents on all pages")
    race_id = serializers.CharField()
    entrant_ids = serializers.ListField(child=serializers.CharField())
    pool_type = serializers.ChoiceField(POOL_TYPES)
    bucketed_data = serializers.BooleanField()
    interval_coverage = CoverageSerializer()
    next_cursor = serializers.CharField(allow_null=True, help_text="null: this was the last page")
    next_created_at = serializers.DateTimeField(allow_null=True, help_text="for created_after, to the microsecond")
    limit = serializers.IntegerField()
    created_after = serializers.DateTimeField(allow_null=True)
    message = serializers.CharField(required=False, help_text="why there are no documents")
