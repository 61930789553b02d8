"""The colours of a rider's silks, read from the feed's words. Pages ask no other host for pictures. PURE."""

import re

INKS = {
    **{
        "royal blue": "#1f3fae",
        "navy blue": "#16224d",
        "navy": "#16224d",
        "sky blue": "#7cc4f2",
        "light blue": "#7cc4f2",
    },
    **{"pale blue": "#a9d5f2", "dark blue": "#16224d", "blue": "#2456c9", "turquoise": "#22b8b0", "teal": "#0f7b7b"},
    **{
        "aqua": "#4fd0d0",
        "emerald green": "#0b8f4d",
        "bottle green": "#0a4a2a",
        "lime green": "#8bd423",
        "lime": "#8bd423",
    },
    **{"dark green": "#0a4a2a", "green": "#1c8a3a", "gold": "#d9a514", "yellow": "#f2d21b", "orange": "#ee7d16"},
    **{"cerise": "#d81e6a", "hot pink": "#f0339b", "pink": "#f48fb8", "maroon": "#6d1226", "red": "#cf1f2c"},
    **{
        "purple": "#6a2a9c",
        "mauve": "#a783c9",
        "lilac": "#c3a6dd",
        "violet": "#7a3fc1",
        "brown": "#6e4524",
        "tan": "#b98d5a",
    },
    **{"grey": "#8b939c", "silver": "#b9c0c8", "white": "#ffffff", "cream": "#f4ecd2", "black": "#15181c"},
}
WORDS = re.compile(rf"\b({'|'.join(sorted(INKS, key=len, reverse=True))})\b")


def inks_of(silks: str | None) -> tuple[str, str] | None:
    """Return the colours of jacket and trim; None where the words name none.

    >>> inks_of("Royal blue, white sash & cap"), inks_of("Red"), inks_of(None)
    (('#1f3fae', '#ffffff'), ('#cf1f2c', '#cf1f2c'), None)
    """
    found = [INKS[name] for name in WORDS.findall((silks or "").lower())]
    return (found[0], next((ink for ink in found if ink != found[0]), found[0])) if found else None
