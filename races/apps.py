"""The Django app `races`."""

from django.apps import AppConfig


class RacesConfig(AppConfig):
    name = "races"
