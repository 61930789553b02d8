"""Bodies that clients send: JSON of the exact types, nothing turned into another."""

from collections.abc import Mapping
from typing import IO, Any

import msgspec
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

MAX_PAYLOAD_BYTES = 16_384


class BadPayloadError(ValidationError):
    """A body that is not as described, by field."""


class JSONPayload(BaseParser):
    """JSON of at most 16 KiB, in UTF-8 whatever charset is claimed; DRF's own would read any amount."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        content = stream.read(MAX_PAYLOAD_BYTES + 1)
        if len(content) > MAX_PAYLOAD_BYTES:
            raise BadPayloadError({"body": [f"is larger than {MAX_PAYLOAD_BYTES} bytes"]})
        try:
            return msgspec.json.decode(content)
        except (ValueError, RecursionError):
            raise BadPayloadError({"body": ["is not JSON"]}) from None


class TextField(serializers.CharField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class WholeNumberField(serializers.IntegerField):
    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return data


class PercentageField(serializers.FloatField):
    """A number as it was sent: 5 stays 5."""

    def to_internal_value(self, data: Any) -> float:
        if type(data) not in {int, float}:
            self.fail("invalid")
        return data  # type: ignore[no-any-return]

    def to_representation(self, value: float) -> float:  # type: ignore[override]  # the stubs say str
        return value


class YesNoField(serializers.BooleanField):
    def to_internal_value(self, data: Any) -> bool:
        if type(data) is not bool:
            self.fail("invalid", input=data)
        return data


# No docstring: the API's description would repeat it under every body.
class PayloadSerializer(serializers.Serializer[Any]):
    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping) and (unknown := set(data) - set(self.fields)):
            raise ValidationError({name: ["unknown field"] for name in sorted(unknown)})
        return super().to_internal_value(data)


def read_payload(request: Request, shape: type[serializers.Serializer[Any]]) -> dict[str, Any]:
    """Return the checked body of a POST or PUT, or raise BadPayloadError by field."""
    payload = shape(data=request.data)
    if not payload.is_valid():
        raise BadPayloadError(payload.errors)
    return dict(payload.validated_data)
