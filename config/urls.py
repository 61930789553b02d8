"""Which address leads to which room; wiring only."""

from django.contrib import admin
from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from operations.health import health, live, ready
from raceday.cache_views import CacheViewSet
from raceday.changes import ChangesViewSet
from raceday.db_health import DatabaseHealthViewSet

urlpatterns = [
    path("admin/", admin.site.urls),
    re_path(r"^api/schema/?$", SpectacularAPIView.as_view(), name="schema"),
    re_path(r"^api/docs/?$", SpectacularSwaggerView.as_view(), name="docs"),
    re_path(r"^api/health/?$", health, name="health"),
    re_path(r"^health/?$", health),
    re_path(r"^(?:api/)?health/live/?$", live, name="health-live"),
    re_path(r"^(?:api/)?health/ready/?$", ready, name="health-ready"),
    re_path(r"^api/changes/?$", ChangesViewSet.as_view({"get": "changes"}), name="changes"),
    re_path(r"^api/stream/?$", ChangesViewSet.as_view({"get": "stream"}), name="stream"),
    re_path(r"^api/db-health/stats/?$", DatabaseHealthViewSet.as_view({"get": "stats"}), name="db-health"),
    re_path(r"^api/cache/stats/?$", CacheViewSet.as_view({"get": "stats"}), name="cache-stats"),
    re_path(r"^api/cache/invalidate/?$", CacheViewSet.as_view({"post": "invalidate"}), name="cache-invalidate"),
    re_path(r"^api/cache/clear/?$", CacheViewSet.as_view({"post": "clear"}), name="cache-clear"),
    re_path(r"^api/cache/warm/?$", CacheViewSet.as_view({"post": "warm"}), name="cache-warm"),
    path("", include("meetings.urls")),
    path("", include("races.urls")),
    path("", include("moneyflow.urls")),
]
handler400 = "raceday.api.bad_request"
handler403 = "raceday.api.permission_denied"
handler404 = "raceday.api.page_not_found"
handler500 = "raceday.api.server_error"
