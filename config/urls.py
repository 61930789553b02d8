"""Which address leads to which room; wiring only."""

from django.contrib import admin
from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from raceday.health import health

urlpatterns = [
    path("admin/", admin.site.urls),
    re_path(r"^api/schema/?$", SpectacularAPIView.as_view(), name="schema"),
    re_path(r"^api/docs/?$", SpectacularSwaggerView.as_view(), name="docs"),
    re_path(r"^api/health/?$", health, name="health"),
    re_path(r"^health/?$", health),
    path("", include("meetings.urls")),
    path("", include("races.urls")),
    path("", include("moneyflow.urls")),
]
handler400 = "raceday.api.bad_request"
handler403 = "raceday.api.permission_denied"
handler404 = "raceday.api.page_not_found"
handler500 = "raceday.api.server_error"
