"""Addresses of live races, of entrants with their histories, and of alert settings."""

from django.urls import re_path

from moneyflow.alerts.views import AlertConfigViewSet
from moneyflow.history.views import EntrantViewSet, HistoryViewSet, TimelineViewSet
from moneyflow.live.views import LiveViewSet
from races.urls import RACE

urlpatterns = [
    re_path(rf"{RACE}/live/?$", LiveViewSet.as_view({"get": "retrieve"}), name="race-live"),
    re_path(r"^api/entrants/?$", EntrantViewSet.as_view({"get": "list"}), name="entrants"),
    re_path(rf"{RACE}/history/?$", HistoryViewSet.as_view({"get": "retrieve"}), name="race-history"),
    re_path(r"^api/money-flow-timeline/?$", TimelineViewSet.as_view({"get": "retrieve"}), name="money-flow-timeline"),
    re_path(
        r"^api/user-alert-configs/?$",
        AlertConfigViewSet.as_view({"get": "retrieve", "post": "create"}),
        name="user-alert-configs",
    ),
    re_path(
        r"^api/user-alert-configs/reset/?$",
        AlertConfigViewSet.as_view({"put": "reset"}),
        name="user-alert-configs-reset",
    ),
]
