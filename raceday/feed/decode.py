"""The feed's bytes → its own shapes. What of them is bad is left out, with what cannot be without it. PURE."""

import re
from typing import Any, NoReturn, TypeVar

import msgspec
from msgspec import Struct

from raceday.feed import wire
from raceday.feed.records import ParseFault

T = TypeVar("T")

ROWS: dict[str, type[Struct]] = {
    "runners": wire.Runner,
    "tote_pools": wire.Pool,
    "results": wire.Result,
    "dividends": wire.Dividend,
}

_event = msgspec.json.Decoder(wire.Event)
_meetings = msgspec.json.Decoder(wire.Meetings)
_headed = msgspec.json.Decoder(wire.Headed)
# A number beyond any float makes its own field bad, not the whole answer.
_plain = msgspec.json.Decoder(float_hook=float)


class UnreadableError(ValueError):
    """Carries a path and a reason out of the depth of one answer; never leaves room 2."""


UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, UnreadableError)


def decode_event(body: bytes, faults: list[ParseFault]) -> wire.Event:
    """Return an event answer without its bad parts, a fault for each; raise one of UNREADABLE if nothing is left."""
    try:
        return _event.decode(body)
    except msgspec.ValidationError:
        answer = _plain.decode(body)
    data = _part(answer, "data")
    for name, kind in ROWS.items():
        rows = _part(data, name)
        _salvage_rows(data, name, kind, f"$.data.{name}", faults)
        if name == "runners" and rows and _part(data, name) == []:
            refuse(faults[0].path, faults[0].reason)  # of a race without a readable runner nothing is known
    _salvage_rows(_part(data, "money_tracker"), "entrants", wire.Slice, "$.data.money_tracker.entrants", faults)
    return _salvaged(answer, wire.Event, "$", faults) or refuse(faults[-1].path, faults[-1].reason)


def decode_meetings(body: bytes, faults: list[ParseFault]) -> list[wire.Meeting]:
    """Return a card less its bad parts, a fault for each; raises one of UNREADABLE when it is no JSON."""
    try:
        return _meetings.decode(body).data.meetings or []
    except msgspec.ValidationError:
        answer = _plain.decode(body)
    data = _part(answer, "data")
    meetings = _part(data, "meetings")
    for index, meeting in enumerate(meetings if isinstance(meetings, list) else []):
        _salvage_rows(meeting, "races", wire.CardRace, f"$.data.meetings[{index}].races", faults)
    _salvage_rows(data, "meetings", wire.Meeting, "$.data.meetings", faults)
    whole = _salvaged(answer, wire.Meetings, "$", faults)
    return (whole and whole.data.meetings) or []


def decode_header(body: bytes) -> wire.Header:
    """Return the header that every answer has; raises one of UNREADABLE."""
    return _headed.decode(body).header


def _salvaged(value: Any, kind: type[T], path: str, faults: list[ParseFault]) -> T | None:
    """Return `value` as `kind`, less its bad parts; None when it cannot be without one of them.

    value: as `_plain` decodes JSON; its bad parts are taken out of it. Each adds a fault; a refusal adds only its own.
    """
    found: list[ParseFault] = []
    missed: tuple[str | int, ...] = ()
    while True:
        try:
            whole = msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            steps = _steps(error)
            # Whoever misses what was taken out a moment ago is left out with it, by the same fault.
            if not missed or steps != missed[:-1] or f"missing required field `{missed[-1]}`" not in str(error):
                found.append(fault_of(error, within=path))
            if not steps:
                faults.append(found[-1])
                return None
            _take_out(value, steps)
            missed = steps
        else:
            faults += found
            return whole


def _salvage_rows(holder: Any, name: str, kind: type[T], path: str, faults: list[ParseFault]) -> None:
    """Put in place of a list of rows, where the holder has one, those that can be read."""
    rows = _part(holder, name)
    if isinstance(rows, list):
        read = [_salvaged(row, kind, f"{path}[{index}]", faults) for index, row in enumerate(rows)]
        holder[name] = [row for row in read if row is not None]


def fault_of(error: Exception, within: str = "$") -> ParseFault:
    """Return what msgspec says about an answer, as the fault of the part at `within`."""
    reason, _, path = str(error).partition(" - at `")
    return ParseFault(within + path.rstrip("`").removeprefix("$"), re.sub("`", "'", reason))


def refuse(path: str, reason: str) -> NoReturn:
    """Raise that the part at a path is bad."""
    raise UnreadableError(f"{reason} - at `{path}`")


def _part(holder: Any, name: str) -> Any:
    return holder.get(name) if isinstance(holder, dict) else None


def _steps(error: msgspec.ValidationError) -> tuple[str | int, ...]:
    steps = re.findall(r"\.(\w+)|\[(\d+)\]", str(error).partition(" - at `")[2])
    return tuple(name or int(index) for name, index in steps)


def _take_out(value: Any, steps: tuple[str | int, ...]) -> None:
    for step in steps[:-1]:
        value = value[step]
    del value[steps[-1]]
