"""Addresses of the pages that a person looks at."""

from django.urls import path
from django.views.generic import RedirectView

from board.views import today

urlpatterns = [
    path("", today, name="today"),
    path("favicon.ico", RedirectView.as_view(url="/static/board/favicon.svg"), name="favicon"),
]
