"""Addresses of all floors; wiring only."""

from django.contrib import admin
from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from config.docs import TAGS
from raceday.api.index import index

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("board.urls")),
    re_path(r"^api/?$", index, name="api"),
    re_path(r"^api/schema/?$", SpectacularAPIView.as_view(custom_settings={"TAGS": TAGS}), name="schema"),
    re_path(r"^api/docs/?$", SpectacularSwaggerView.as_view(template_name="raceday/docs.html"), name="docs"),
    path("", include("operations.urls")),
    path("", include("meetings.urls")),
    path("", include("races.urls")),
    path("", include("moneyflow.urls")),
    path("", include("raceday.streams.urls")),
]
handler400 = "raceday.pages.errors.bad_request"
handler403 = "raceday.pages.errors.permission_denied"
handler404 = "raceday.pages.errors.page_not_found"
handler500 = "raceday.pages.errors.server_error"
