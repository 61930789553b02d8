"""The Django app `raceday`."""

from django.apps import AppConfig


class RacedayConfig(AppConfig):
    name = "raceday"
