"""SERVE: meetings."""

from django.db.models import Min, QuerySet
from django.http import HttpResponse
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from meetings.models import Meeting
from meetings.serializers import MeetingDetailSerializer, MeetingSerializer, MeetingsQuery
from raceday import published
from raceday.api import describe, read_query
from raceday.published import Body


def with_first_race_time() -> QuerySet[Meeting]:
    """This function will return the meetings, each with the advertised start of its first race."""
    return Meeting.objects.annotate(first_race_time=Min("races__start_time"))


class MeetingViewSet(ViewSet):
    @describe("Meetings of a racing day, by date and name", MeetingSerializer(many=True), query=MeetingsQuery)
    def list(self, request: Request) -> HttpResponse:
        query = read_query(request, MeetingsQuery)

        def body() -> Body:
            meetings = with_first_race_time().filter(**query).order_by("date", "meeting_name", "meeting_id")
            return Body(data=MeetingSerializer(meetings, many=True).data, keep_seconds=published.CARD_SECONDS)

        return published.answer(request, query, topics=["card"], body=body)

    @describe("One meeting", MeetingDetailSerializer, missing="when there is no such meeting")
    def retrieve(self, request: Request, meeting_id: str) -> HttpResponse:
        query = read_query(request)

        def body() -> Body:
            if (meeting := with_first_race_time().filter(meeting_id=meeting_id).first()) is None:
                raise NotFound("no such meeting")
            return Body(data=MeetingDetailSerializer(meeting).data, keep_seconds=published.CARD_SECONDS)

        return published.answer(request, query, topics=[f"meeting:{meeting_id}"], body=body)
