"""Addresses of entrants with their histories, and of the metrics."""

from django.urls import path, re_path

from moneyflow.metrics import scrape
from moneyflow.views import EntrantViewSet

urlpatterns = [
    re_path(r"^api/entrants/?$", EntrantViewSet.as_view({"get": "list"}), name="entrants"),
    path("metrics", scrape, name="metrics"),
]
