"""What the API shows of late-money alerts, and which queries it takes."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from moneyflow.alerts import examples
from moneyflow.alerts.settings import UserQuery
from moneyflow.history.columns import PoolType
from moneyflow.history.serializers import POOL_TYPES
from moneyflow.models import LateMoneyAlert
from raceday import clock
from raceday.api.description import example
from raceday.api.fields import BodySerializer, InstantField
from raceday.api.queries import InstantParameter
from raceday.published.resources import shown
from raceday.racing_day import racing_day

SEVERITY = "1, 2, 3: about 10, 4, 1 false alerts a race day"
EXPECTED = "winners, by the shares of the Win pool at the end"
EXPECTED_WHEN_RAISED = "winners, by the shares of the Win pool when the alerts were raised"


class LateMoneyQuery(serializers.Serializer[Any]):
    race_id = serializers.CharField(required=False, max_length=100)
    date = serializers.DateField(required=False, help_text="default: today, if there is no race_id and no since")
    min_severity = serializers.IntegerField(default=1, min_value=1, max_value=3, help_text=SEVERITY)
    since = InstantParameter(required=False, help_text="only alerts raised after this instant")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs.keys() & {"race_id", "date", "since"}:
            attrs["date"] = racing_day(clock.now())
        return attrs


class RecordSerializer(serializers.Serializer[Any]):
    """Of the alerts of one severity whose races have ended."""

    settled = serializers.IntegerField(help_text="alerts whose races have ended")
    won = serializers.IntegerField()
    expected = serializers.FloatField(allow_null=True, help_text=EXPECTED)
    expected_when_raised = serializers.FloatField(allow_null=True, help_text=EXPECTED_WHEN_RAISED)


class OutcomeSerializer(BodySerializer):
    pool_moved_cents = serializers.SerializerMethodField(help_text="what came into the Win pool after the alert")

    class Meta:
        model = LateMoneyAlert
        fields: ClassVar = [
            "won",
            "placed",
            "final_dividend",
            "final_odds",
            "final_share_percentage",
            "final_pool_cents",
            "pool_moved_cents",
        ]
        read_only_fields = fields

    def get_pool_moved_cents(self, alert: LateMoneyAlert) -> int | None:
        return None if alert.final_pool_cents is None else alert.final_pool_cents - alert.win_pool_cents


@example(examples.ALERT)
class AlertSerializer(BodySerializer):
    """An alert as its race shows it; its runner's number and name come with it."""

    entrant_id = serializers.CharField(read_only=True)
    runner_number = serializers.IntegerField(read_only=True)
    name = serializers.CharField(read_only=True, help_text="the runner's")
    severity = serializers.IntegerField(read_only=True, help_text=SEVERITY)
    falls = serializers.DictField(
        child=serializers.FloatField(), read_only=True, help_text="how much the score falls without a group of numbers"
    )
    record = RecordSerializer(read_only=True, help_text="of earlier alerts of this severity, when it was raised")
    outcome = serializers.SerializerMethodField(help_text="null until the race has ended")

    class Meta:
        model = LateMoneyAlert
        fields: ClassVar = [
            *["entrant_id", "name", "runner_number", "severity", "raised_at", "reading_at", "seconds_since_start"],
            *["window_seconds", "seen_cents", "expected_cents", "win_pool_cents", "share_before_percentage"],
            *["share_after_percentage", "tote_odds_before", "tote_odds_after", "fixed_odds_before", "fixed_odds_after"],
            *["score", "one_in_races", "e_value", "falls", "artefact", "record", "outcome"],
        ]
        read_only_fields = fields

    @extend_schema_field(OutcomeSerializer(allow_null=True))
    def get_outcome(self, alert: LateMoneyAlert) -> Any:
        return None if alert.won is None else shown(OutcomeSerializer, alert)


@example(examples.RACE_ALERT)
class RaceAlertSerializer(AlertSerializer):
    """An alert among those of many races; what it says of its race comes with it."""

    race_id = serializers.CharField(read_only=True)
    race_name = serializers.CharField(read_only=True)
    race_number = serializers.IntegerField(read_only=True)
    start_time = InstantField(read_only=True)
    meeting_id = serializers.CharField(read_only=True)
    meeting_name = serializers.CharField(read_only=True)
    country = serializers.CharField(read_only=True)
    race_type = serializers.CharField(read_only=True)

    class Meta(AlertSerializer.Meta):
        fields: ClassVar = [
            *[
                "race_id",
                "race_name",
                "race_number",
                "start_time",
                "meeting_id",
                "meeting_name",
                "country",
                "race_type",
            ],
            *AlertSerializer.Meta.fields,
        ]
        read_only_fields = fields


class RatioSerializer(serializers.Serializer[Any]):
    ratio = serializers.FloatField()
    low = serializers.FloatField(help_text="of the 95 % interval")
    high = serializers.FloatField(help_text="of the 95 % interval")


class BucketSerializer(RecordSerializer):
    severity = serializers.IntegerField(help_text=SEVERITY)
    alerts_a_day = serializers.IntegerField(help_text="the budget of false alerts")
    won_over_expected = RatioSerializer(allow_null=True)
    won_over_expected_when_raised = RatioSerializer(allow_null=True)


@example(examples.RECORD)
class LateMoneyRecordSerializer(serializers.Serializer[Any]):
    buckets = BucketSerializer(many=True, help_text="one for each severity")


class IndicatorsQuery(UserQuery):
    race_id = serializers.CharField(max_length=100)
    pool_type = serializers.ChoiceField(POOL_TYPES, default=PoolType.WIN)

    def validate_pool_type(self, name: str) -> PoolType:
        return PoolType(name)


class ColourSerializer(serializers.Serializer[Any]):
    entrant_id = serializers.CharField()
    value = serializers.FloatField(help_text="points of share, or percent of a price that shortened")
    indicator_id = serializers.CharField()
    color = serializers.CharField()


class ColumnSerializer(serializers.Serializer[Any]):
    time_interval = serializers.FloatField(help_text="the bucket: minutes to the start")
    entrants = ColourSerializer(many=True, help_text="those whose value is in one of the user's ranges")


@example(examples.INDICATORS)
class IndicatorsSerializer(serializers.Serializer[Any]):
    race_id = serializers.CharField()
    user_id = serializers.CharField()
    pool_type = serializers.ChoiceField(POOL_TYPES)
    columns = ColumnSerializer(many=True, help_text="the earliest first, without the first of all")
