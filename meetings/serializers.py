"""What the API shows of a meeting, and which query it takes."""

from typing import Any, ClassVar

from django.core.validators import RegexValidator
from rest_framework import serializers

from meetings.examples import MEETING, MEETING_DETAIL
from meetings.models import Meeting
from raceday import clock
from raceday.api.description import example
from raceday.api.fields import BodySerializer, InstantField
from raceday.feed.records import RaceType
from raceday.racing_day import racing_day


class MeetingsQuery(serializers.Serializer[Any]):
    date = serializers.DateField(default=lambda: racing_day(clock.now()), help_text="default: today in New Zealand")
    race_type = serializers.ChoiceField([kind.value for kind in RaceType], required=False)
    country = serializers.CharField(required=False, validators=[RegexValidator(r"^[A-Z]{2,3}\Z", "NZ, AUS, …")])


@example(MEETING)
class MeetingSerializer(BodySerializer):
    first_race_time = InstantField(allow_null=True, read_only=True)

    class Meta:
        model = Meeting
        fields: ClassVar = [
            "meeting_id",
            "meeting_name",
            "country",
            "race_type",
            "date",
            "status",
            "first_race_time",
            "track_condition",
            "weather",
        ]
        read_only_fields = fields


@example(MEETING_DETAIL)
class MeetingDetailSerializer(MeetingSerializer):
    class Meta(MeetingSerializer.Meta):
        fields: ClassVar = [*MeetingSerializer.Meta.fields, "created_at", "updated_at"]
        read_only_fields = fields
