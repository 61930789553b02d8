"""Fields of bodies: instants with New Zealand's offset, numbers as JSON numbers, money in whole cents."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from operator import attrgetter
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

    # REST framework looks for mappings, methods and what may be left out at each field of each row. Rows have all.
    def to_representation(self, instance: Any) -> dict[str, Any]:
        return {
            name: None if (value := read(instance)) is None else write(value) for name, read, write in self._written
        }

    @cached_property
    def _written(self) -> list[tuple[str, Callable[[Any], Any], Callable[[Any], Any]]]:
        return [(str(field.field_name), _reader(field), field.to_representation) for field in self._readable_fields]


def _reader(field: Any) -> Callable[[Any], Any]:
    is_plain = field.source != "*" and field.default is serializers.empty
    return attrgetter(field.source) if is_plain else field.get_attribute
