"""Which address leads to which room; wiring only."""

from django.contrib import admin
from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

urlpatterns = [
    path("admin/", admin.site.urls),
    re_path(r"^api/schema/?$", SpectacularAPIView.as_view(), name="schema"),
    re_path(r"^api/docs/?$", SpectacularSwaggerView.as_view(), name="docs"),
    path("", include("operations.urls")),
    path("", include("meetings.urls")),
    path("", include("races.urls")),
    path("", include("moneyflow.urls")),
    path("", include("raceday.streams.urls")),
]
handler400 = "raceday.api.errors.bad_request"
handler403 = "raceday.api.errors.permission_denied"
handler404 = "raceday.api.errors.page_not_found"
handler500 = "raceday.api.errors.server_error"
