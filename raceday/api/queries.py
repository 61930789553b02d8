"""Queries: parameters are checked by name, and an unknown name is an error."""

import re
from datetime import UTC, datetime
from typing import Any, ClassVar

from django.http import QueryDict
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
MOST_OF_AN_INSTANT = 40  # letters
MOST_OF_AN_ID = 100


class NoQuery(serializers.Serializer[Any]):
    """A query without parameters."""


def plain_path(path: str) -> str:
    """Return a path without its second /api: the original client's base URL ends in one, half of its paths begin so.

    >>> plain_path("/api/api/races"), plain_path("/api/races"), plain_path("/api/apiary")
    ('/api/races', '/api/races', '/api/apiary')
    """
    return path.removeprefix("/api") if path.startswith("/api/api/") else path


# No docstring: the API's description would repeat it at every parameter.
class InstantParameter(serializers.DateTimeField):
    default_error_messages: ClassVar = dict.fromkeys(
        ("invalid", "overflow"),
        "must be an instant with its offset, as 2026-11-21T15:30:00%2B13:00 or 2026-11-21T02:30:00Z",
    )

    def to_internal_value(self, value: Any) -> datetime:
        if len(value) > MOST_OF_AN_INSTANT:
            self.fail("invalid")
        # The + of an offset comes as a space unless it was encoded.
        asked = super().to_internal_value(re.sub(r"(T\S+) (?=\d\d:?\d\d$)", r"\1+", value))
        # No reading is older or newer than these, and New Zealand's offset of 1867, in seconds, fits no answer.
        return min(max(asked, EARLIEST), LATEST)

    def enforce_timezone(self, value: datetime) -> datetime:
        if value.tzinfo is None:
            self.fail("invalid")
        return super().enforce_timezone(value)


def snake_case(name: str) -> str:
    """Return the snake_case of a camelCase name: `raceId` → `race_id`."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda capital: "_" + capital[0].lower(), name)


def read_query(request: Request, shape: type[serializers.Serializer[Any]] = NoQuery) -> dict[str, Any]:
    """Return the checked query of a request, as `checked_query` does."""
    return checked_query(request.query_params, shape)


def checked_query(params: QueryDict, shape: type[serializers.Serializer[Any]]) -> dict[str, Any]:
    """Return the checked query with its defaults, or raise ValidationError by name.

    Names may come in snake_case or camelCase; a name that is unknown or comes twice is refused.
    """
    query = shape(data={snake_case(name): value for name, value in params.items()})
    given = [snake_case(name) for name, values in params.lists() for _ in values]
    faults = {name: ["unknown query parameter"] for name in params if snake_case(name) not in query.fields} | {
        name: ["given more than once"] for name in given if given.count(name) > 1
    }
    if faults:
        raise ValidationError(faults)
    query.is_valid(raise_exception=True)
    return dict(query.validated_data)


def split_ids(text: str, most: int, what: str) -> tuple[str, ...]:
    """Return the ids of a comma list, each once, in order; ValidationError for no ids, too many or too long ones."""
    names = tuple(dict.fromkeys(filter(None, map(str.strip, text.split(",")))))
    if not 1 <= len(names) <= most:
        raise ValidationError(f"ask for 1 to {most} {what}, not {len(names)}")
    if any(len(name) > MOST_OF_AN_ID for name in names):
        raise ValidationError(f"an id has {MOST_OF_AN_ID} letters at most")
    return names
