"""The client's alert settings: what a body must look like, what a user has before choosing, where it is stored."""

from typing import Any

from django.db.models.functions import Now
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from moneyflow.models import UserAlertConfig
from raceday.api.payloads import PayloadSerializer, PercentageField, TextField, WholeNumberField, YesNoField

DEFAULT_USER = "Default User"
INDICATORS = 6
RANGES: list[tuple[int, int | None, str]] = [
    (5, 10, "#E5E7EB"),
    (10, 15, "#BFDBFE"),
    (15, 20, "#FEF3C7"),
    (20, 25, "#BBF7D0"),
    (25, 50, "#FECACA"),
    (50, None, "#F3E8FF"),
]
DEFAULTS: dict[str, Any] = {
    "indicators": [
        {
            "indicator_id": f"indicator-{order}",
            "display_order": order,
            "percentage_range_min": low,
            "percentage_range_max": high,
            "color": color,
            "is_default": True,
            "enabled": True,
            "indicator_type": "percentage_range",
        }
        for order, (low, high, color) in enumerate(RANGES, start=1)
    ],
    "toggle_all": True,
    "audible_alerts_enabled": True,
}


# ── Requests and responses ──────────────────────────────────────────────────────────────────────
class UserQuery(serializers.Serializer[Any]):
    user_id = TextField(default=DEFAULT_USER, max_length=100)


class WriterQuery(serializers.Serializer[Any]):
    user_id = TextField(required=False, max_length=100, help_text="here or in the body, alike if in both")


class IndicatorSerializer(PayloadSerializer):
    indicator_id = TextField(max_length=100)
    display_order = WholeNumberField(min_value=1, max_value=INDICATORS, help_text="each of 1–6 once")
    percentage_range_min = PercentageField(min_value=0, max_value=100)
    percentage_range_max = PercentageField(
        min_value=0, max_value=100, allow_null=True, help_text="above the minimum; null for no end"
    )
    color = serializers.RegexField(r"^#[0-9A-Fa-f]{6}\Z", trim_whitespace=False, help_text="#RRGGBB")
    is_default = YesNoField()
    enabled = YesNoField()
    indicator_type = serializers.ChoiceField(["percentage_range"])
    user_id = serializers.CharField(read_only=True, help_text="the body's")
    audible_alerts_enabled = serializers.BooleanField(read_only=True, help_text="the body's")


class IndicatorPayload(IndicatorSerializer):
    indicator_id = TextField(
        max_length=100, required=False, allow_null=True, help_text="null or left out: one that is free"
    )
    user_id = TextField(max_length=100, required=False, allow_null=True, help_text="the body's, if any")
    audible_alerts_enabled = YesNoField(required=False, allow_null=True, help_text="ignored: the body's counts")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        highest = attrs["percentage_range_max"]
        if highest is not None and attrs["percentage_range_min"] >= highest:
            raise ValidationError({"percentage_range_max": ["must be above percentage_range_min"]})
        return attrs


class AlertConfigSerializer(PayloadSerializer):
    user_id = TextField(max_length=100)
    indicators = serializers.ListField(child=IndicatorSerializer(), min_length=INDICATORS, max_length=INDICATORS)
    toggle_all = YesNoField()
    audible_alerts_enabled = YesNoField()

    def to_representation(self, config: UserAlertConfig) -> dict[str, Any]:
        told = super().to_representation(config)
        own = {"user_id": config.user_id, "audible_alerts_enabled": config.audible_alerts_enabled}
        return told | {"indicators": [indicator | own for indicator in told["indicators"]]}


class AlertConfigPayload(AlertConfigSerializer):
    user_id = TextField(required=False, max_length=100, help_text=f"here or in the query, else {DEFAULT_USER}")
    indicators = serializers.ListField(child=IndicatorPayload(), min_length=INDICATORS, max_length=INDICATORS)

    def validate_indicators(self, indicators: list[dict[str, Any]]) -> list[dict[str, Any]]:
        orders = sorted(indicator["display_order"] for indicator in indicators)
        if orders != list(range(1, INDICATORS + 1)):
            raise ValidationError(f"display_order must be each of 1–6 once, not {orders}")
        return indicators


class ResetPayload(AlertConfigPayload):
    indicators = serializers.ListField(
        child=IndicatorPayload(), min_length=INDICATORS, max_length=INDICATORS, required=False
    )
    toggle_all = YesNoField(required=False)
    audible_alerts_enabled = YesNoField(required=False)


class WrittenAlertConfigSerializer(AlertConfigSerializer):
    success = serializers.BooleanField(help_text="true")


def others_named(indicators: list[dict[str, Any]], user_id: str) -> dict[str, Any]:
    """Return what is wrong, by place in the list, with indicators that name another user."""
    fault = {"user_id": ["is not the user this body is for"]}
    return {
        str(place): fault
        for place, indicator in enumerate(indicators)
        if (indicator.get("user_id") or user_id) != user_id
    }


def to_store(indicators: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return checked indicators for the database; one without an id gets a default id that is free."""
    taken = {indicator.get("indicator_id") for indicator in indicators}
    free = (each["indicator_id"] for each in DEFAULTS["indicators"] if each["indicator_id"] not in taken)
    by_order = sorted(indicators, key=lambda indicator: int(indicator["display_order"]))
    given = {each["display_order"]: each.get("indicator_id") or next(free) for each in by_order}
    names = DEFAULTS["indicators"][0].keys()
    return [
        {name: given[each["display_order"]] if name == "indicator_id" else each[name] for name in names}
        for each in indicators
    ]


# ── Storage ─────────────────────────────────────────────────────────────────────────────────────
def read_config(user_id: str) -> UserAlertConfig:
    """Return a user's settings; the first request creates the defaults, even if several come at once."""
    config, _ = UserAlertConfig.objects.get_or_create(user_id=user_id, defaults=DEFAULTS)
    return config


def write_config(user_id: str, config: dict[str, Any]) -> UserAlertConfig:
    """Put `config`, a checked body without its user, in the place of a user's settings."""
    stored, _ = UserAlertConfig.objects.update_or_create(user_id=user_id, defaults={**config, "updated_at": Now()})
    return stored
