"""Addresses of races; a trailing slash is welcome and never needed."""

from django.urls import re_path

from races.views import MeetingRacesViewSet, RacePoolViewSet, RaceResultViewSet, RaceViewSet

MEETING = r"^api/meetings/(?P<meeting_id>[^/\x00]{1,100})"
RACE = r"^api/races/(?P<race_id>[^/\x00]{1,100})"

# Addresses about all races come before RACE, which any word would match.
urlpatterns = [
    re_path(rf"{MEETING}/races/?$", MeetingRacesViewSet.as_view({"get": "races"}), name="meeting-races"),
    re_path(rf"{MEETING}/status/?$", MeetingRacesViewSet.as_view({"get": "status"}), name="meeting-status"),
    re_path(r"^api/races/?$", RaceViewSet.as_view({"get": "list"}), name="races"),
    re_path(r"^api/races/navigation/?$", RaceViewSet.as_view({"get": "navigation"}), name="race-navigation"),
    re_path(r"^api/races/upcoming/?$", RaceViewSet.as_view({"get": "upcoming"}), name="races-upcoming"),
    re_path(
        r"^api/races/next-scheduled/?$", RaceViewSet.as_view({"get": "next_scheduled"}), name="race-next-scheduled"
    ),
    re_path(r"^api/races/batch/?$", RaceViewSet.as_view({"get": "batch"}), name="races-batch"),
    re_path(rf"{RACE}/?$", RaceViewSet.as_view({"get": "retrieve"}), name="race"),
    re_path(r"^api/race-pools/?$", RacePoolViewSet.as_view({"get": "retrieve"}), name="race-pools"),
    re_path(r"^api/race-results/?$", RaceResultViewSet.as_view({"get": "retrieve"}), name="race-results"),
]
