"""PUBLISH: the log of events in Valkey: names, entries and filters. The shelf writes it.

An entry has the fields race, meeting, kind and data (one line of JSON). Its id is `milliseconds-number` of Valkey's own
clock. Ids only rise, and clients resume from them.
"""

import re
from collections.abc import Iterable, Mapping, Set
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from raceday.api.queries import split_ids

LOG = "events"
MOST_EVENTS = 20_000  # Valkey trims approximately, so a few more may remain
MOST_RACES, MOST_MEETINGS = 50, 10
SNAPSHOT = "snapshot"
FLOW, PING = "flow", "ping"  # come to those who name them among their topics
ID = re.compile(r"(\d{1,19})-(\d{1,19})", re.ASCII)  # what fits into 64 bits

Position: TypeAlias = tuple[int, int]
Entry: TypeAlias = tuple[bytes, Mapping[bytes, bytes]]
START: Position = (0, 0)


class Topic(StrEnum):
    """Kinds of news that a client may choose from."""

    POOL = "pool"
    ODDS = "odds"
    STATUS = "status"
    ALERT = "alert"


class Event(NamedTuple):
    """One entry of the log: data is JSON in one line."""

    position: Position
    race_id: str
    meeting_id: str
    kind: str
    data: bytes

    @property
    def id(self) -> str:
        return write_id(self.position)


EVERYWHERE = frozenset({Topic.STATUS, Topic.ALERT})  # kinds that may be asked for of all races
OF_ALL = " and ".join(sorted(EVERYWHERE))


class Wanted(NamedTuple):
    """What a client asked for: these kinds of these races and these meetings' races, and kinds of all races."""

    races: frozenset[str]
    meetings: frozenset[str]
    kinds: frozenset[str]
    everywhere: frozenset[str] = frozenset()

    def includes(self, event: Event) -> bool:
        """Tell whether the client gets an event; snapshots of races that it named come whatever the kinds."""
        is_named = event.race_id in self.races or event.meeting_id in self.meetings
        return event.kind in self.everywhere or (is_named and event.kind in self.kinds)


def write_id(position: Position) -> str:
    """Write a position as clients see it."""
    return f"{position[0]}-{position[1]}"


def read_id(text: str) -> Position | None:
    """Read a position, None when it is not one.

    >>> read_id("1795271000123-0"), read_id("yesterday")
    ((1795271000123, 0), None)
    """
    found = ID.fullmatch(text)
    return (int(found[1]), int(found[2])) if found else None


def parse(entry: Entry) -> Event:
    """Read an entry of the log as Valkey returns it."""
    entry_id, fields = entry
    milliseconds, _, number = entry_id.partition(b"-")
    race_id, meeting_id, kind = (fields[name].decode() for name in (b"race", b"meeting", b"kind"))
    return Event((int(milliseconds), int(number)), race_id, meeting_id, kind, fields[b"data"])


def holds(since: Position, first: Position | None, *, length: int) -> bool:
    """Tell whether the log has everything after `since`, given its first entry from there on.

    Only an id that is still in the log proves it. A missing id may be too old, or from a tail that Valkey lost. The
    start of the log counts too while nothing has been trimmed.
    """
    return first == since or (since == START and length < MOST_EVENTS)


# ── Queries ─────────────────────────────────────────────────────────────────────────────────────
@extend_schema_field({"type": "string", "pattern": f"^{ID.pattern}$"})
class PositionField(serializers.CharField):
    default_error_messages = {"position": "must read 1795271000123-0, as the id of an event does"}

    def to_internal_value(self, data: Any) -> Any:
        position = read_id(super().to_internal_value(data))
        if position is None:
            self.fail("position")
        return position


class EventsQuery(serializers.Serializer[Any]):
    race_id = serializers.CharField(required=False, max_length=101 * MOST_RACES, help_text="a comma list of up to 50")
    meeting_id = serializers.CharField(
        required=False, max_length=101 * MOST_MEETINGS, help_text="all races of these; a comma list of up to 10"
    )
    topics = serializers.CharField(
        required=False,
        max_length=100,
        help_text=f"a comma list of {', '.join(Topic)}; these when left out. {FLOW} and {PING} come only if named. With"
        f" {PING} a stream tells the time. {OF_ALL} may be asked for without race_id and meeting_id, of all races",
    )
    all_races = serializers.CharField(
        required=False, max_length=100, help_text=f"{OF_ALL}, in a comma list: these come of all other races, too"
    )
    since = PositionField(required=False, help_text="the id of the last event seen")

    def validate_race_id(self, text: str) -> frozenset[str]:
        return frozenset(split_ids(text, MOST_RACES, "races"))

    def validate_meeting_id(self, text: str) -> frozenset[str]:
        return frozenset(split_ids(text, MOST_MEETINGS, "meetings"))

    def validate_topics(self, text: str) -> frozenset[str]:
        return _topics(text, {*Topic, FLOW, PING})

    def validate_all_races(self, text: str) -> frozenset[str]:
        return _topics(text, EVERYWHERE)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        is_day_wide = attrs.get("topics", frozenset(Topic)) <= {*EVERYWHERE, PING}
        if not attrs.keys() & {"race_id", "meeting_id"} and not is_day_wide:
            raise serializers.ValidationError({"race_id": ["ask for a race_id or a meeting_id"]})
        return attrs


class StreamQuery(EventsQuery):
    snapshot_of = serializers.CharField(
        required=False,
        max_length=101 * MOST_RACES,
        help_text="with `since`: those of the races named of which a snapshot comes first all the same; a comma list",
    )

    def validate_snapshot_of(self, text: str) -> frozenset[str]:
        return self.validate_race_id(text)


def _topics(text: str, known: Set[str]) -> frozenset[str]:
    topics = frozenset(split_ids(text, len(known), "topics"))
    if unknown := sorted(topics - known):
        raise serializers.ValidationError(f"unknown topic: {', '.join(unknown)}")
    return topics


def wanted(query: Mapping[str, Any]) -> Wanted:
    """Return what a checked EventsQuery asks for."""
    nothing: frozenset[str] = frozenset()
    races, meetings = query.get("race_id", nothing), query.get("meeting_id", nothing)
    topics, everywhere = query.get("topics", frozenset(Topic)), query.get("all_races", nothing)
    if not races and not meetings:
        return Wanted(races, meetings, topics, topics | everywhere)
    return Wanted(races, meetings, topics | {SNAPSHOT}, everywhere)


def chosen(events: Iterable[Event], asked: Wanted, limit: int) -> tuple[list[Event], Position | None]:
    """Return up to `limit` of the events that are wanted, and the last position looked at."""
    found: list[Event] = []
    last = None
    for event in events:
        last = event.position
        if asked.includes(event):
            found.append(event)
            if len(found) == limit:
                break
    return found, last
