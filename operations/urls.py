"""Addresses of what staff and machines ask of the running product."""

from django.urls import path, re_path

from operations.cache.views import CacheViewSet
from operations.database.health import DatabaseHealthViewSet
from operations.health import health, ready
from operations.metrics import scrape
from operations.status import StatusPage

urlpatterns = [
    re_path(r"^api/health/?$", health, name="health"),
    re_path(r"^health/?$", health),
    re_path(r"^(?:api/)?health/ready/?$", ready, name="health-ready"),
    re_path(r"^api/db-health/stats/?$", DatabaseHealthViewSet.as_view({"get": "stats"}), name="db-health"),
    re_path(r"^api/cache/stats/?$", CacheViewSet.as_view({"get": "stats"}), name="cache-stats"),
    re_path(r"^api/cache/invalidate/?$", CacheViewSet.as_view({"post": "invalidate"}), name="cache-invalidate"),
    re_path(r"^api/cache/clear/?$", CacheViewSet.as_view({"post": "clear"}), name="cache-clear"),
    re_path(r"^api/cache/warm/?$", CacheViewSet.as_view({"post": "warm"}), name="cache-warm"),
    re_path(r"^status/?$", StatusPage.as_view({"get": "retrieve"}), name="status-page"),
    path("metrics", scrape, name="metrics"),
]
