"""The Django app `operations`."""

from django.apps import AppConfig


class OperationsConfig(AppConfig):
    name = "operations"
