"""How the pages write figures; what is not known is a dash, never 0."""

from datetime import datetime
from typing import Any

from django import template

from moneyflow.alerts.record import BUDGETS
from raceday.money import UNKNOWN, cents

register = template.Library()
# Lower ends of the client app's default ranges, in points.
RANGES = (50, 25, 20, 15, 10, 5)


@register.filter
def dollars(amount: float | None) -> str:
    """Write cents as whole dollars."""
    return cents(amount, decimals=0)


@register.filter
def percent(share: Any) -> str:
    """Write a percentage with one decimal."""
    return UNKNOWN if share is None else f"{float(share):.1f} %"


@register.filter
def odds(price: Any) -> str:
    """Write odds with two decimals, and from 100 on with none.

    >>> odds(8.5), odds(408.7), odds(None)
    ('8.50', '408', '–')
    """
    if price is None:
        return UNKNOWN
    return f"{float(price):.2f}" if price < 100 else str(int(price))


@register.filter
def slot(minutes: Any) -> str:
    """Write a slot of time to start as the client app does: 15m … 0, −0.5."""
    return f"{minutes:g}m" if minutes > 0 else f"{minutes:g}".replace("-", "−")


@register.filter
def indicator(points: float | None) -> str:
    """Return the class of the colour that the client app gives a rise of so many points, "" below 5."""
    return next((f"rise-{low}" for low in RANGES if points is not None and points >= low), "")


@register.filter
def since_start(seconds: int) -> str:
    """Say when something was in relation to the advertised start."""
    return f"{abs(seconds)} s {'before' if seconds < 0 else 'after'} the advertised start"


@register.filter
def since_close(seconds: int) -> str:
    """Say when something was in relation to the close."""
    return f"{abs(seconds)} s {'after' if seconds > 0 else 'before'} the close"


@register.filter
def budget(severity: int) -> int:
    """Return how many alerts of a severity come by chance in a race day."""
    return BUDGETS[severity]


@register.filter
def clock_time(text: str) -> str:
    """Write the time of day of an instant as the API writes it."""
    return f"{datetime.fromisoformat(text):%H:%M:%S}"


@register.filter
def rounded(number: float | None) -> str:
    """Write a large number with two significant figures, such as 900."""
    if number is None:
        return UNKNOWN
    return f"{float(f'{number:.2g}'):,.0f}"


@register.filter
def in_dictionary(mapping: Any, key: Any) -> Any:
    return mapping.get(key)


@register.filter
def to_start(start: datetime, now: datetime) -> str:
    """Write the time to an advertised start, with + once it is past.

    >>> from datetime import UTC, timedelta
    >>> start = datetime(2026, 11, 21, tzinfo=UTC)
    >>> to_start(start, start - timedelta(seconds=42)), to_start(start, start + timedelta(seconds=3725))
    ('−0:42', '+1:02:05')
    """
    seconds = round((now - start).total_seconds())
    minutes, rest = divmod(abs(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
    return f"{'−' if seconds < 0 else '+'}{clock}"


@register.filter
def age(text: str | None, now: datetime) -> str:
    """Write how long ago an instant was, as the API writes it, in the unit that people would take."""
    if not text:
        return "never"
    seconds = round(max(0, (now - datetime.fromisoformat(text)).total_seconds()))
    minutes = seconds // 60
    return f"{seconds} s ago" if minutes < 2 else f"{minutes} min ago" if minutes < 120 else f"{minutes // 60} h ago"


@register.filter
def part(share: Any) -> str:
    """Write a share with its interval, in percent."""
    return UNKNOWN if share is None else f"{100 * share.value:.0f} % ({100 * share.low:.0f} to {100 * share.high:.0f})"


@register.filter
def rate(found: Any) -> str:
    """Write a number a day with its interval."""
    return UNKNOWN if found is None else f"{found.ratio:.1f} ({found.low:.1f} to {found.high:.1f})"


@register.filter
def ratio(found: Any) -> str:
    """Write a ratio with its interval."""
    return UNKNOWN if found is None else f"{found.ratio:.2f} ({found.low:.2f} to {found.high:.2f})"
