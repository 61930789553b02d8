"""Fields of bodies: instants with New Zealand's offset, numbers as JSON numbers, money in whole cents."""

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from django.db import models
from rest_framework import serializers

from raceday.racing_day import nz_iso


class InstantField(serializers.DateTimeField):
    def to_representation(self, value: datetime) -> str:
        return nz_iso(value)


class NumberField(serializers.DecimalField):
    def to_representation(self, value: Any) -> float:  # type: ignore[override]  # a JSON number, not DRF's string
        return float(value)


class CentsField(serializers.IntegerField):
    """Dollars in the database, whole cents for the client, converted exactly."""

    def to_representation(self, value: Any) -> int:
        return round(Decimal(str(value)) * 100)


# No docstring: the API's description would repeat it under every body.
class BodySerializer(serializers.ModelSerializer[Any]):
    serializer_field_mapping: ClassVar[dict[Any, Any]] = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.DateTimeField: InstantField,
        models.DecimalField: NumberField,
    }
