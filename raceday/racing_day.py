"""NZ racing days ↔ instants. PURE, and the only module that knows Pacific/Auckland."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

NZ = ZoneInfo("Pacific/Auckland")


def racing_day(instant: datetime) -> date:
    """Return the NZ calendar day an aware instant falls on."""
    return instant.astimezone(NZ).date()


def nz_instant(day: date, at: time = time()) -> datetime:
    """Return, in UTC, the instant the NZ clock shows `at` on `day`.

    One worked: 2026-11-21 00:00 NZDT (+13) is 2026-11-20T11:00Z.
    """
    return datetime.combine(day, at, NZ).astimezone(UTC)


def day_bounds(day: date) -> tuple[datetime, datetime]:
    """Return the racing day as [start, end), two UTC instants 23, 24 or 25 hours apart."""
    return nz_instant(day), nz_instant(day + timedelta(days=1))


def nz_time(instant: datetime) -> time:
    """Return the time of day that the NZ clock shows at an instant."""
    return instant.astimezone(NZ).time()


def nz_iso(instant: datetime) -> str:
    """Write an instant as the client reads it: `2026-11-21T15:30:00.000+13:00`."""
    return instant.astimezone(NZ).isoformat(timespec="milliseconds")
