"""Addresses of races; a trailing slash is welcome and never needed."""

from django.urls import re_path

from races.views import RacePoolViewSet, RaceResultViewSet, RaceViewSet

urlpatterns = [
    re_path(r"^api/races/?$", RaceViewSet.as_view({"get": "list"}), name="races"),
    re_path(r"^api/races/(?P<race_id>[^/\x00]+)/?$", RaceViewSet.as_view({"get": "retrieve"}), name="race"),
    re_path(r"^api/race-pools/?$", RacePoolViewSet.as_view({"get": "retrieve"}), name="race-pools"),
    re_path(r"^api/race-results/?$", RaceResultViewSet.as_view({"get": "retrieve"}), name="race-results"),
]
