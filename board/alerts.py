"""Alerts as the pages show them: as the API has them, and when each was seen in relation to the close."""

from datetime import date
from typing import Any

from moneyflow.alerts.serializers import RaceAlertSerializer
from moneyflow.alerts.store import find_alerts
from raceday.published.resources import shown


def shown_alerts(min_severity: int, day: date) -> list[dict[str, Any]]:
    """Return a day's alerts, the newest first."""
    return [{**shown(RaceAlertSerializer, alert), **_close(alert)} for alert in find_alerts(min_severity, date=day)]


def _close(alert: Any) -> dict[str, Any]:
    """Tell how many seconds after the close an alert was raised; None while the race has not closed."""
    after = None if alert.actual_start is None else round((alert.raised_at - alert.actual_start).total_seconds())
    return {"seconds_after_close": after, "close": "after" if after is not None and after > 0 else "before"}
