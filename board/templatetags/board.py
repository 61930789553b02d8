"""How the pages write figures."""

from django import template

register = template.Library()


@register.filter
def countdown(seconds: int) -> str:
    """Write the time to an advertised start, with + once it is past.

    >>> countdown(42), countdown(-83), countdown(3725)
    ('−0:42', '+1:23', '−1:02:05')
    """
    sign = "−" if seconds > 0 else "+"
    minutes, rest = divmod(abs(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{sign}{hours}:{minutes:02}:{rest:02}" if hours else f"{sign}{minutes}:{rest:02}"
