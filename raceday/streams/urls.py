"""Addresses of the log of events and of the stream."""

from django.urls import re_path

from raceday.streams.changes import ChangesViewSet

urlpatterns = [
    re_path(r"^api/changes/?$", ChangesViewSet.as_view({"get": "changes"}), name="changes"),
    re_path(r"^api/stream/?$", ChangesViewSet.as_view({"get": "stream"}), name="stream"),
]
