"""The state that a page brings for its script, in few bytes: `board/static/board/state.js` reads it. PURE."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

# What no event changes and no script shows.
STANDING = frozenset({"silk_colours", "silk_url_64", "silk_url_128", "trainer_name", "barrier", "weight"})
PRICES = frozenset({"fixed_win_odds", "pool_win_odds"})  # in steps of cents
NOT_IN_SCRIPTS = (("<", "\\u003C"), (">", "\\u003E"), ("&", "\\u0026"))  # as JSON may write them


def state_of(live: Mapping[str, Any], history: Mapping[str, Any], columns: Sequence[str]) -> str:
    """Return a live body and some columns of its history as JSON that may stand in a page."""
    entrants = [{name: value for name, value in each.items() if name not in STANDING} for each in live["entrants"]]
    packed = {
        "timestamps": steps(history["timestamps"]),
        "resets": history["resets"],
        "entrants": [
            {
                "entrant_id": entrant["entrant_id"],
                **{name: steps(_whole(name, entrant[name])) for name in columns if name in entrant},
            }
            for entrant in history["entrants"]
        ],
    }
    written = msgspec.json.encode({"live": {**live, "entrants": entrants}, "history": packed}).decode()
    for letter, code in NOT_IN_SCRIPTS:
        written = written.replace(letter, code)
    return written


def steps(values: Sequence[int | None]) -> list[int | None]:
    """Return each value less the one before it that is known, which takes fewer digits.

    >>> steps([1000, 1004, None, 1003])
    [1000, 4, None, -1]
    """
    found: list[int | None] = []
    before = 0
    for value in values:
        found.append(None if value is None else value - before)
        before = before if value is None else value
    return found


def _whole(name: str, values: Sequence[Any]) -> Sequence[int | None]:
    return values if name not in PRICES else [None if price is None else round(100 * price) for price in values]
