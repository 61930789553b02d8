"""Compare what two servers of the client API say, field by field and over time. PURE: their bodies are arguments.

Two servers ask the feed at different moments, so one of them is often a poll ahead. A value that the other one said in
the look before, or says in the next, is late and not different. While the values of both move, each may have seen other
steps: that is late, too. What differs for good does so when nothing moves any more.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

# What says who an item of a list is; without one it is its place in the list.
IDENTITIES = ("entrant_id", "race_id", "meeting_id")
# Times of the server itself, and lists of its own readings: two servers never have the same.
OWN = frozenset(
    {"timestamp", "window", "created_at", "updated_at", "last_updated", "result_time"}
    | {"odds_history", "money_flow_history"}
)
ITEM = re.compile(r"\[[^]]*\]")
MISSING = object()  # what a body does not have; null is a value

Value = Any
Fields = Mapping[str, Value]


class Verdict(StrEnum):
    """What a field's values at one look are to each other."""

    EQUAL = "equal"
    LATE = "late"
    DIFFERENT = "different"
    ONLY_OURS = "only ours"
    ONLY_THEIRS = "only theirs"


class Look(NamedTuple):
    """What both servers said at one moment, by the path of each field."""

    ours: Fields
    theirs: Fields


def fields_of(body: object, own: frozenset[str] = OWN, path: str = "") -> Iterator[tuple[str, Value]]:
    """Yield the values of a body by their paths, without those that are a server's own.

    >>> dict(fields_of([{"entrant_id": "e1", "win_odds": 4.2, "created_at": "now"}]))
    {'[e1].entrant_id': 'e1', '[e1].win_odds': 4.2}
    """
    if isinstance(body, dict):
        for name, value in body.items():
            if name not in own:
                below = f"{path}[{name}]" if name.isdecimal() else f"{path}.{name}".lstrip(".")
                yield from fields_of(value, own, below)
    elif isinstance(body, list):
        for place, item in enumerate(body):
            yield from fields_of(item, own, f"{path}[{_identity(item, place)}]")
    else:
        yield path, _instant(body) if isinstance(body, str) else body


def _identity(item: object, place: int) -> object:
    names = (name for name in IDENTITIES if isinstance(item, dict) and name in item)
    return item[name] if (name := next(names, None)) and isinstance(item, dict) else place


def _instant(text: str) -> Value:
    """Read an instant with an offset, however it is written; leave any other text as it is."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return text
    return instant.astimezone(UTC) if instant.tzinfo else text


def judge(ours: Sequence[Value], theirs: Sequence[Value], at: int) -> Verdict:
    """Judge a field at look `at`, knowing the looks before and after it.

    >>> judge([4.2, 4.0, 4.0], [4.2, 4.2, 4.0], 1), judge([4.0, 4.0], [4.1, 4.1], 1)
    (<Verdict.LATE: 'late'>, <Verdict.DIFFERENT: 'different'>)
    """
    own, other = ours[at], theirs[at]
    if own == other:
        return Verdict.EQUAL
    if all(value is MISSING for value in theirs):
        return Verdict.ONLY_OURS
    if all(value is MISSING for value in ours):
        return Verdict.ONLY_THEIRS
    do_both_move = len(set(ours)) > 1 and len(set(theirs)) > 1
    return Verdict.LATE if own in theirs or other in ours or do_both_move else Verdict.DIFFERENT


class Drift:
    """Counts verdicts by resource and field, as looks come in; `examples` has the last difference of each."""

    def __init__(self, own: frozenset[str] = OWN) -> None:
        self.counts: dict[tuple[str, str], Counter[Verdict]] = defaultdict(Counter)
        self.examples: dict[tuple[str, str], str] = {}
        self._own = own
        self._looks: dict[tuple[str, str], list[Look]] = defaultdict(list)

    def look(self, resource: str, about: str, *, ours: object, theirs: object) -> None:
        """Add what both say of a resource about a race or a day, and judge the look before."""
        looks = self._looks[resource, about]
        looks.append(Look(dict(fields_of(ours, self._own)), dict(fields_of(theirs, self._own))))
        if len(looks) > 1:
            self._judge(resource, about, looks, at=len(looks) - 2)
            del looks[:-2]

    def end(self) -> None:
        """Judge the last looks, which no other follows."""
        for (resource, about), looks in self._looks.items():
            self._judge(resource, about, looks, at=len(looks) - 1)
        self._looks.clear()

    def _judge(self, resource: str, about: str, looks: Sequence[Look], *, at: int) -> None:
        for path in looks[at].ours.keys() | looks[at].theirs.keys():
            ours = [look.ours.get(path, MISSING) for look in looks]
            theirs = [look.theirs.get(path, MISSING) for look in looks]
            verdict, field = judge(ours, theirs, at), (resource, ITEM.sub("", path).strip("."))
            self.counts[field][verdict] += 1
            if verdict is Verdict.DIFFERENT:
                self.examples[field] = f"{about} {path}: ours {ours[at]!r}, theirs {theirs[at]!r}"

    def is_good(self) -> bool:
        """Tell whether a client would miss nothing here: no field is different, and none is only theirs."""
        return not any(found[Verdict.DIFFERENT] or found[Verdict.ONLY_THEIRS] for found in self.counts.values())
