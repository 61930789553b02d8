"""Addresses of live races, entrants with their histories, late money and alert settings."""

from django.urls import re_path

from moneyflow.alerts.late_money import LateMoneyViewSet
from moneyflow.alerts.views import AlertConfigViewSet
from moneyflow.history.views import EntrantViewSet, HistoryViewSet, TimelineViewSet
from moneyflow.live.views import LiveViewSet
from races.urls import RACE

urlpatterns = [
    re_path(rf"{RACE}/live/?$", LiveViewSet.as_view({"get": "retrieve"}), name="race-live"),
    re_path(r"^api/entrants/?$", EntrantViewSet.as_view({"get": "list"}), name="entrants"),
    re_path(rf"{RACE}/history/?$", HistoryViewSet.as_view({"get": "retrieve"}), name="race-history"),
    re_path(r"^api/money-flow-timeline/?$", TimelineViewSet.as_view({"get": "retrieve"}), name="money-flow-timeline"),
    re_path(r"^api/late-money/?$", LateMoneyViewSet.as_view({"get": "list"}), name="late-money"),
    re_path(r"^api/late-money/record/?$", LateMoneyViewSet.as_view({"get": "record"}), name="late-money-record"),
    re_path(
        r"^api/late-money/indicators/?$",
        LateMoneyViewSet.as_view({"get": "indicators"}),
        name="late-money-indicators",
    ),
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
