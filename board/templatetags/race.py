"""How a race's page says when the race will close."""

from django import template

from board.silks import inks_of
from board.templatetags.board import dollars
from races.closing import Closing

register = template.Library()


@register.filter
def closing(found: Closing) -> str:
    """Say when races of a code usually close, after the advertised start, and how that is known.

    >>> closing(Closing(half_seconds=52, most_seconds=121, races=412))
    'usually closed by +0:52, 9 of 10 by +2:01 · of 412 races seen here'
    """
    half = "" if found.half_seconds is None else f"usually closed by {_after(found.half_seconds)}, "
    most = f"9 of 10{' of all codes' * found.is_most_of_all_codes} by {_after(found.most_seconds)}"
    known = "by published figures" if found.races is None else f"of {found.races:,} races seen here"
    return f"{half}{most} · {known}"


register.filter("inks", inks_of)


@register.filter
def signed(cents: int | None) -> str:
    """Write money that came, with its sign.

    >>> signed(4250), signed(-4200), signed(30), signed(None)
    ('+$42', '−$42', '$0', '–')
    """
    written = dollars(cents)
    return f"+{written}" if cents and cents > 0 and written != "$0" else written


def _after(seconds: int) -> str:
    return f"{'−' if seconds < 0 else '+'}{abs(seconds) // 60}:{abs(seconds) % 60:02}"
