"""SERVE: meetings."""

from typing import Any

from django.db.models import Min, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.viewsets import ViewSet

from meetings.models import Meeting
from meetings.serializers import MeetingDetailSerializer, MeetingSerializer, MeetingsQuery
from raceday.api.description import describe
from raceday.published.resources import CARD_SECONDS, Body, resource, shown, shown_many


def with_first_race_time() -> QuerySet[Meeting]:
    """Return the meetings, each with the advertised start of its first race."""
    return Meeting.objects.annotate(first_race_time=Min("races__start_time"))


@extend_schema(tags=["meetings"])
class MeetingViewSet(ViewSet):
    @describe("Meetings of a racing day, by date and name", MeetingSerializer(many=True), query=MeetingsQuery)
    @resource("card", MeetingsQuery, always=True, is_far=True)
    def list(self, **query: Any) -> Body:
        meetings = with_first_race_time().filter(**query).order_by("date", "meeting_name", "meeting_id")
        return Body(data=shown_many(MeetingSerializer, meetings), keep_seconds=CARD_SECONDS)

    @describe("One meeting", MeetingDetailSerializer, missing="no such meeting")
    @resource("meeting:{meeting_id}", always=True)
    def retrieve(self, meeting_id: str) -> Body:
        if (meeting := with_first_race_time().filter(meeting_id=meeting_id).first()) is None:
            raise NotFound("no such meeting")
        return Body(data=shown(MeetingDetailSerializer, meeting), keep_seconds=CARD_SECONDS)
