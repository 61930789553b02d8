"""What the API shows of a race in one response."""

from typing import Any

from rest_framework import serializers

from meetings.serializers import MeetingDetailSerializer
from moneyflow.alerts.serializers import AlertSerializer
from moneyflow.live.examples import LIVE
from raceday.api.description import example
from raceday.api.fields import InstantField
from races.serializers import (
    LiveEntrantSerializer,
    NavigationSerializer,
    RaceDetailSerializer,
    RacePoolSerializer,
    RaceResultSerializer,
)


class FreshnessSerializer(serializers.Serializer[Any]):
    polled_at = InstantField(allow_null=True, help_text="null before the first poll")
    generated_at = InstantField(allow_null=True, help_text="the feed's own stamp of what is shown")
    feed_age_seconds = serializers.FloatField(allow_null=True, help_text="since generated_at when this body was made")
    refresh_seconds = serializers.IntegerField(allow_null=True, help_text="between polls; null: polled no more")
    feed_refresh_seconds = serializers.FloatField(
        allow_null=True, help_text="between the feed's refreshes of this race, as learned from polls; null: unclear"
    )
    next_refresh_at = InstantField(allow_null=True, help_text="when the next of them is expected")
    is_stale = serializers.BooleanField(help_text="the feed missed two of its refreshes when this body was made")


@example(LIVE)
class LiveSerializer(serializers.Serializer[Any]):
    race = RaceDetailSerializer()
    meeting = MeetingDetailSerializer()
    entrants = LiveEntrantSerializer(many=True)
    pools = RacePoolSerializer(allow_null=True)
    results = RaceResultSerializer(required=False, help_text="left out until there are any")
    navigation = NavigationSerializer()
    alerts = AlertSerializer(many=True, help_text="of unusual late money, in the order in which they were raised")
    silent_because = serializers.CharField(
        allow_null=True, help_text="why late money cannot be seen now; null: the detector is looking"
    )
    freshness = FreshnessSerializer()
