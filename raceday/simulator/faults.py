"""The simulator's controls: which misbehaviour is switched on, for which race, and how many times more."""

import json
from datetime import datetime, timedelta

import msgspec

from raceday.simulator.envelope import ROOT, Answer, RefusedError, Request, refusal

MISTYPED = ("data.race.race_number", "data.runners", "data.meetings", "data.races")
REFUSALS = {
    "429": RefusedError(429, "RESOURCE_EXHAUSTED", "requesting data too fast"),
    "500": RefusedError(500, "INTERNAL", "internal server error"),
    "503": RefusedError(503, "UNAVAILABLE", "down for maintenance"),
}
SPOILT = ("wrong_types", "unknown_fields", "future_stamp")  # the body is another one
FAULTS = {*REFUSALS, *SPOILT, "latency", "hang", "truncate", "freeze", "older_stamp", "other_race"}


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One switched-on misbehaviour, as POST /_control names it; `fault` null switches off what holds for `race_id`."""

    fault: str | None
    race_id: str | None = None  # None: every answer of the feed
    seconds: float = 1.0  # of latency, on the wall's clock; of an older or a future stamp, on Raceday's
    retry_after: int | str | None = None  # seconds, or a date as HTTP writes it
    times: int | None = None  # answers left; None: until switched off
    path: str | None = None  # wrong_types: the one field to spoil, as data.race.race_number
    at: datetime | None = None  # freeze: the instant the answers stay at
    other: str | None = None  # other_race: the race whose answer is sent instead

    def __post_init__(self) -> None:
        if self.fault is not None and self.fault not in FAULTS:
            raise ValueError(f"fault must be one of {', '.join(sorted(FAULTS))} or null")


Controls = dict[str | None, Fault]


def switch(controls: Controls, body: bytes, now: datetime) -> None:
    """Switch a fault on or off; msgspec.ValidationError if the body names none."""
    fault = msgspec.json.decode(body, type=Fault)
    if fault.fault is None and fault.race_id is None:
        controls.clear()
    elif fault.fault is None:
        controls.pop(fault.race_id, None)
    else:
        fault.at = fault.at or now
        controls[fault.race_id] = fault


def take(controls: Controls, request: Request) -> Fault | None:
    """Return the fault that holds for a request, and count it down; its race's own comes first."""
    race_id = request.path.rsplit("/", 1)[1] if request.path.startswith(f"{ROOT}/events/") else None
    fault = controls.get(race_id) or controls.get(None)
    if fault is not None and fault.times is not None:
        fault.times -= 1
        if fault.times <= 0:
            del controls[fault.race_id]
    return fault


def refused(fault: Fault | None, request: Request, now: datetime) -> Answer | None:
    """Return the error that a fault causes, or None."""
    if fault is None or fault.fault not in REFUSALS:
        return None
    return refusal("Affiliates API", request, now, REFUSALS[fault.fault])


def instant(fault: Fault | None, now: datetime) -> datetime:
    """Return the instant whose state is shown: another one while the feed is frozen or sends old answers."""
    if fault is not None and fault.fault == "freeze":
        return fault.at or now
    return now - timedelta(seconds=fault.seconds) if fault is not None and fault.fault == "older_stamp" else now


def meant(fault: Fault | None, request: Request) -> Request:
    """Return the request that is answered: another race's, if the fault says so."""
    if fault is None or fault.fault != "other_race" or not request.path.startswith(f"{ROOT}/events/"):
        return request
    return Request(path=f"{ROOT}/events/{fault.other}", query=request.query)


def spoiled(fault: Fault | None, answer: Answer) -> Answer:
    """Give an answer wrong types, unknown fields or a future stamp, if the fault says so."""
    if fault is None or fault.fault not in SPOILT:
        return answer
    body = json.loads(answer.body)
    if fault.fault == "unknown_fields":
        _surprise(body)
    elif fault.fault == "future_stamp":
        made = datetime.fromisoformat(body["header"]["generated_time"])  # to microseconds: the rest is cut off
        body["header"]["generated_time"] = (made + timedelta(seconds=fault.seconds)).isoformat()
    else:
        for path in (fault.path,) if fault.path else MISTYPED:
            _mistype(body, path.split("."))
    return Answer(answer.status, json.dumps(body).encode())


def _mistype(body: object, path: list[str]) -> None:
    """Turn the field at a path into what it should not be; nothing if it is not there."""
    for name in path[:-1]:
        body = _inside(body, name)
    if isinstance(body, dict) and path[-1] in body:
        body[path[-1]] = ["wrong"] if isinstance(body[path[-1]], str) else "wrong"


def _inside(body: object, name: str) -> object:
    if isinstance(body, list):
        return body[int(name)] if name.isdecimal() and int(name) < len(body) else None
    return body.get(name) if isinstance(body, dict) else None


def _surprise(body: object) -> None:
    """Add an unknown field to every object, at any depth."""
    for child in list(body.values() if isinstance(body, dict) else body if isinstance(body, list) else ()):
        _surprise(child)
    if isinstance(body, dict):
        body["not_seen_before"] = {"since": "today"}
