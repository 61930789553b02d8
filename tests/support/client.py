"""A browserless client made from the contract of the client API alone; it believes no answer it has not looked over."""

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count, pairwise
from typing import Any, Protocol
from zlib import crc32

import brotli

from tests.support.contract import (
    ENTRANT,
    ERROR,
    LIVE,
    POOLS,
    RACE,
    RESULTS,
    TIMELINE,
    WRITTEN_ALERTS,
    Check,
    expect,
    instant,
    rows,
)

ENDED = {"Final", "Abandoned"}
ENCODINGS = ("br, gzip", "gzip", "identity", "gzip;q=0.5, br;q=0.9")
SHOWN_FROM = 5.0  # points


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came over the wire; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Ask(Protocol):
    """The client's door: one request, one answer."""

    def __call__(
        self, method: str, path: str, *, params: Mapping[str, str], headers: Mapping[str, str], content: bytes
    ) -> Answer: ...


class Client:
    """Follows races as the customer's app does: keeps ETags, pages the timeline, lets go of a race that has ended."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._turns = count()
        self._kept: dict[str, tuple[str, Any]] = {}
        self._created_after: dict[str, str] = {}
        self.documents: dict[str, dict[str, Any]] = {}  # by race and id
        self.polled_at: dict[str, dict[str, str]] = {}  # by race and path: what X-Polled-At said last
        self.ended: set[str] = set()
        self.outcomes: dict[str, int] = {}  # answers by status and X-Cache

    def read(
        self,
        path: str,
        check: Check,
        params: Mapping[str, str] | None = None,
        *,
        about: str = "",
        may_lack: bool = False,
    ) -> Any:
        """GET a body, or learn from a 304 that the last one still stands; return None for an allowed 404.

        about: the race whose last poll the body shows.
        """
        params = params or {}
        key = f"{path}?{sorted(params.items())}"
        etag, known = self._kept.get(key, ("", None))
        conditional = {"If-None-Match": etag} if etag else {}
        answer = self._send("GET", path, params, {**conditional, "Accept-Encoding": ENCODINGS[crc32(key.encode()) % 4]})
        if may_lack and answer.status == 404:
            ERROR(json.loads(unpacked(answer, path)), path)
            return None
        expect(answer.status == 200 or (etag and answer.status == 304), path, answer)
        check_read(answer, path)
        if about and ("x-polled-at" in answer.headers or about in self.polled_at):
            check_polled(answer, path)
            self.polled_at.setdefault(about, {})[path] = answer.headers["x-polled-at"]
        if answer.status == 304:
            expect(not answer.content, path, answer)
            return known
        found = json.loads(unpacked(answer, path))
        check(found, path)
        self._kept[key] = answer.headers["etag"], found
        return found

    def refused(self, path: str, status: int, *, method: str = "GET", content: Any = None, **params: str) -> Any:
        """Ask for what must be refused, and return the error's body."""
        answer = self._send(method, path, params, {}, b"" if content is None else json.dumps(content).encode())
        expect(answer.status == status, path, answer)
        found = json.loads(unpacked(answer, path))
        ERROR(found, path)
        return found

    def page(self, race_id: str) -> dict[str, Any] | None:
        """Read all of a race's page; None once the race has ended and its page is complete."""
        if race_id in self.ended:
            return None
        live = self.read(f"/api/races/{race_id}/live", LIVE, about=race_id)
        asked = {"race_id": race_id}
        entrants = self.read("/api/entrants", rows(ENTRANT), asked, about=race_id)
        page = {
            "live": live,
            "race": self.read(f"/api/races/{race_id}", RACE, about=race_id),
            "entrants": entrants,
            "pools": self.read("/api/race-pools", POOLS, asked, about=race_id, may_lack=True),
            "results": self.read("/api/race-results", RESULTS, asked, about=race_id, may_lack=True),
            "documents": self.follow(race_id, entrants) if entrants else [],
        }
        if page["race"]["status"] in ENDED:
            self.ended.add(race_id)
        return page

    def follow(self, race_id: str, entrants: list[Any]) -> list[Any]:
        """Bring its documents of a race up to date by what changed since it last did."""
        entrant_ids = [entrant["entrant_id"] for entrant in entrants]
        for page in self.timeline(race_id, entrant_ids, created_after=self._created_after.get(race_id)):
            self.documents.setdefault(race_id, {}).update({each["id"]: each for each in page["documents"]})
            if page["next_created_at"]:
                self._created_after[race_id] = page["next_created_at"]
        return sorted(self.documents.get(race_id, {}).values(), key=lambda each: each["event_timestamp"])

    def timeline(
        self, race_id: str, entrant_ids: list[str], *, limit: int = 200, created_after: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """Walk the pages of a race's timeline; a document that comes twice is a fault."""
        params = {"race_id": race_id, "entrants": ",".join(entrant_ids), "limit": str(limit)}
        params |= {"created_after": created_after} if created_after else {}
        seen: set[str] = set()
        while True:
            page = self.read("/api/money-flow-timeline", TIMELINE, params, about=race_id)
            ids = {document["id"] for document in page["documents"]}
            times = [document["event_timestamp"] for document in page["documents"]]
            expect(len(ids) == len(times) <= limit and not ids & seen, "documents", "the same document twice")
            expect(times == sorted(times), "documents", times)
            expect((page["entrant_ids"], page["limit"]) == (entrant_ids, limit), "timeline", page)
            seen |= ids
            yield page
            if page["next_cursor"] is None:
                return
            params["cursor_after"] = page["next_cursor"]

    def write(self, method: str, path: str, content: Any, **params: str) -> Any:
        """Send alert settings, and return what is stored now."""
        answer = self._send(method, path, params, {}, json.dumps(content).encode())
        expect(answer.status == 200, path, answer)
        found = json.loads(unpacked(answer, path))
        WRITTEN_ALERTS(found, path)
        return found

    def _send(
        self, method: str, path: str, params: Mapping[str, str], headers: Mapping[str, str], content: bytes = b""
    ) -> Answer:
        """Names in snake_case and camelCase, addresses with and without their slash, /api once and twice, in turn."""
        turn = next(self._turns)
        spelled = {camel(name): value for name, value in params.items()} if turn & 1 else params
        always = {"X-Race-Polling": "true", "Accept": "application/json", "Accept-Encoding": "identity"}
        kind = {"Content-Type": "application/json"} if content else {}
        address = ("/api" if turn & 4 else "") + path + ("/" if turn & 2 else "")
        answer = self._ask(method, address, params=spelled, headers={**always, **kind, **headers}, content=content)
        check_always(answer, path)
        name = f"{answer.status} {answer.headers.get('x-cache', '')}".strip()
        self.outcomes[name] = self.outcomes.get(name, 0) + 1
        return answer


def camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)


def unpacked(answer: Answer, at: str) -> bytes:
    encoding = answer.headers.get("content-encoding", "identity")
    expect(encoding in {"br", "gzip", "identity"}, at, encoding)
    expect(answer.headers["content-type"].startswith("application/json"), at, answer.headers)
    if encoding == "br":
        return bytes(brotli.decompress(answer.content))
    return gzip.decompress(answer.content) if encoding == "gzip" else answer.content


# ── What every answer carries ───────────────────────────────────────────────────────────────────
def check_always(answer: Answer, at: str) -> None:
    headers = answer.headers
    expect(headers.get("cache-control"), at, headers)
    expect("accept-encoding" in headers.get("vary", "").lower(), at, headers)
    expect(headers.get("x-content-type-options") == "nosniff", at, headers)
    expect(headers.get("x-frame-options") and headers.get("referrer-policy"), at, headers)


def check_read(answer: Answer, at: str) -> None:
    headers = answer.headers
    expect(re.fullmatch(r'(W/)?"[^"]+"', headers.get("etag", "")), at, headers)
    expect(headers.get("x-cache") in {"HIT", "MISS", "STALE"}, at, headers)
    if headers["x-cache"] == "MISS":
        for name in ("x-query-count", "x-query-time", "x-query-avg"):
            expect(re.fullmatch(r"\d+(\.\d+)?", headers.get(name, "")), f"{at} {name}", headers)


def check_polled(answer: Answer, at: str) -> None:
    instant(answer.headers.get("x-polled-at"), f"{at} X-Polled-At")
    expect(answer.headers.get("age", "").isdecimal(), f"{at} Age", answer.headers)


# ── The arithmetic the client shows ─────────────────────────────────────────────────────────────
def shares_by_column(documents: list[Any]) -> dict[float, dict[str, float]]:
    """share_k(i) = max(0, increment_i)/Σ increments in column k, from the columns where money came in."""
    columns: dict[float, dict[str, int]] = {}
    for document in documents:
        if document["incremental_win_amount"] is not None:
            column = columns.setdefault(document["time_interval"], {})
            column[document["entrant_id"]] = max(0, document["incremental_win_amount"])
    return {
        interval: {entrant_id: cents / sum(column.values()) for entrant_id, cents in column.items()}
        for interval, column in sorted(columns.items(), reverse=True)
        if any(column.values())
    }


def indicators(documents: list[Any]) -> dict[tuple[float, str], float]:
    """value = share_k − share_{k−1} in points, by column and entrant, where it is enough to be shown."""
    columns = shares_by_column(documents)
    values = {
        (interval, entrant_id): 100 * (share - columns[before].get(entrant_id, 0.0))
        for before, interval in pairwise(columns)
        for entrant_id, share in columns[interval].items()
    }
    return {where: value for where, value in values.items() if value >= SHOWN_FROM}
