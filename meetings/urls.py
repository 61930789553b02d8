"""Addresses of meetings; a trailing slash is welcome and never needed."""

from django.urls import re_path

from meetings.views import MeetingViewSet

urlpatterns = [
    re_path(r"^api/meetings/?$", MeetingViewSet.as_view({"get": "list"}), name="meetings"),
    re_path(
        r"^api/meetings/(?P<meeting_id>[^/\x00]{1,100})/?$", MeetingViewSet.as_view({"get": "retrieve"}), name="meeting"
    ),
]
