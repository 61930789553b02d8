"""Addresses of the pages that a person looks at."""

from django.conf import settings
from django.urls import path, re_path
from django.views.generic import RedirectView

from board.views import LateMoneyPage, RacePage, TodayPage, WelcomePage

urlpatterns = [
    path("", TodayPage.as_view({"get": "retrieve"}), name="today"),
    re_path(r"^races/(?P<race_id>[^/\x00]{1,100})/?$", RacePage.as_view({"get": "retrieve"}), name="race-page"),
    re_path(r"^races/(?P<race_id>[^/\x00]{1,100})/replay/?$", RacePage.as_view({"get": "replay"}), name="replay-page"),
    re_path(r"^late-money/?$", LateMoneyPage.as_view({"get": "list"}), name="late-money-page"),
    re_path(r"^record/?$", LateMoneyPage.as_view({"get": "record"}), name="record-page"),
    path("favicon.ico", RedirectView.as_view(url="/static/board/favicon.svg"), name="favicon"),
]
WELCOME = re_path(r"^welcome/?$", WelcomePage.as_view({"get": "retrieve"}), name="welcome")
if settings.DEMO:
    urlpatterns.append(WELCOME)
