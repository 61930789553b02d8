"""What every answer of the feed shares: the request's parameters, the header, and its way to refuse. PURE."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import urlencode

import msgspec

from raceday.simulator.wire_pools import Json

ROOT = "/affiliates/v1/racing"
TRUE, FALSE = ("1", "t", "T", "TRUE", "true", "True"), ("0", "f", "F", "FALSE", "false", "False")
SPANS = {"today": 0, "week": 7, "month": 30, "all": 30}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A GET of the feed: path without query, and the query's last value by name, blanks left out."""

    path: str
    query: Mapping[str, str]

    @property
    def url(self) -> str:
        return self.path + (f"?{urlencode(sorted(self.query.items()))}" if self.query else "")


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


class RefusedError(Exception):
    """An error of the feed: an HTTP status with a code and a sentence."""

    def __init__(self, status: int, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.code, self.sentence = status, code, sentence


def header(title: str, request: Request, now: datetime) -> Json:
    """Make the header of an answer generated at `now`."""
    nanoseconds = f"{now:%f}{now.microsecond * 7919 % 1000:03d}".rstrip("0") or "0"
    return {"title": title, "generated_time": f"{now:%Y-%m-%dT%H:%M:%S}.{nanoseconds}Z", "url": request.url}


def refusal(title: str, request: Request, now: datetime, refused: RefusedError) -> Answer:
    """Make an error answer: the feed puts its errors into the header and sends nothing else."""
    error: Json = {"error": refused.sentence, "error_code": refused.code}
    return Answer(refused.status, msgspec.json.encode({"header": header(title, request, now) | error}))


def ok(head: Json, params: Json, data: bytes) -> Answer:
    """Make a 200 of a header, the echoed parameters and encoded data."""
    return Answer(200, msgspec.json.encode({"header": head, "params": params, "data": msgspec.Raw(data)}))


def flag(request: Request, name: str) -> bool:
    """Read a boolean parameter, false when absent; RefusedError(400) for anything else."""
    text = request.query.get(name, "false")
    if text not in TRUE + FALSE:
        raise RefusedError(400, "INVALID_ARGUMENT", f"{name} must be true or false, not {text!r}")
    return text in TRUE


def number(request: Request, name: str, default: int, most: int) -> int:
    """Read a whole number from 0 to `most`; RefusedError(400) for anything else."""
    text = request.query.get(name, str(default))
    if not text.isascii() or not text.isdecimal() or int(text) > most:
        raise RefusedError(400, "INVALID_ARGUMENT", f"{name} must be a number from 0 to {most}, not {text!r}")
    return int(text)


def day(request: Request, name: str, today: date) -> date:
    """Read YYYY-MM-DD, today, week, month or all; RefusedError(400) for anything else."""
    text = request.query.get(name, "today")
    if text in SPANS:
        return today if name == "date_from" else today + timedelta(days=SPANS[text])
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise RefusedError(400, "INVALID_ARGUMENT", f"{name} must be YYYY-MM-DD or today, not {text!r}") from None


def echoed_day(request: Request, name: str, day: date, now: datetime) -> str:
    """Write a date parameter as the feed echoes it: today becomes this minute."""
    is_today = request.query.get(name, "today") == "today"
    return f"{now:%Y-%m-%dT%H:%M:00Z}" if is_today else f"{day}T00:00:00Z"
