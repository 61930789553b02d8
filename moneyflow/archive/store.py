"""Answers of the feed as they came: packed before a poll is written, stored by its own statement, read in order.

A writer remembers the newest answer of each race that it has stored, to pack the next one against it. It needs no
memory: without one, an answer is packed by itself.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import date, datetime
from typing import Any

from django.db import connection
from msgspec import Struct

from moneyflow.archive.packing import DamagedError, digest_of, pack, unpack
from raceday.feed.client import FeedAnswer
from raceday.racing_day import racing_day

MOST_DEEP = 200  # answers that must be unpacked for one, and that are lost with one
MOST_RACES = 200  # that a writer remembers, those polled last
CARD = "card:"
ARCHIVE_PAGE = """
INSERT INTO feed_answers (race_id, polled_at, fetch_ms, sha256, body) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT DO NOTHING
"""


class PackedAnswer(Struct, frozen=True, kw_only=True):
    """An answer on its way into the archive. base_at: of the answer it is packed against; depth: how many it needs."""

    polled_at: datetime
    fetch_ms: float
    body_bytes: int
    content: bytes
    sha256: bytes
    base_at: datetime | None
    depth: int
    body: bytes


class ArchivedAnswer(Struct, frozen=True, kw_only=True):
    """An answer from the archive. created_at: when its poll was written, by the database's clock."""

    race_id: str
    answer: FeedAnswer
    created_at: datetime


_newest: dict[str, tuple[int, PackedAnswer]] = {}  # by race, with the version of the race that it made


def pack_answer(race_id: str, answer: FeedAnswer, content: bytes, *, version: int) -> PackedAnswer:
    """Pack an answer against the one that made this version of its race, if that is at hand and of the same day.

    The days are partitions, and each can be read without the others.
    """
    made, base = _newest.get(race_id, (0, None))
    is_near = base and base.depth < MOST_DEEP and racing_day(base.polled_at) == racing_day(answer.polled_at)
    if made != version or not is_near:
        base = None
    return PackedAnswer(
        polled_at=answer.polled_at,
        fetch_ms=answer.fetch_ms,
        body_bytes=len(answer.body),
        content=content,
        sha256=digest_of(content),
        base_at=base.polled_at if base else None,
        depth=base.depth + 1 if base else 0,
        body=pack(content, base.content if base else None),
    )


def remember(race_id: str, packed: PackedAnswer, *, version: int, is_over: bool = False) -> None:
    """Note that an answer is stored and made this version of its race; of a race that is over forget it."""
    _newest.pop(race_id, None)
    if not is_over:
        _newest[race_id] = (version, packed)
    if len(_newest) > MOST_RACES:
        del _newest[next(iter(_newest))]


def archive_card(day: date, pages: Iterable[FeedAnswer]) -> None:
    """Store the pages of a day's card that can be unpacked, in the caller's transaction."""
    with connection.cursor() as cursor:
        for page in pages:
            with suppress(ValueError):  # the import has told of it
                content = page.content()
                packed = digest_of(content), pack(content)
                cursor.execute(ARCHIVE_PAGE, [name_of_card(day), page.polled_at, page.fetch_ms, *packed])


def name_of_card(day: date) -> str:
    """Return what stands in place of a race for the pages of a day's card.

    >>> name_of_card(date(2026, 11, 21))
    'card:2026-11-21'
    """
    return f"{CARD}{day}"


def day_of_card(name: str) -> date | None:
    """Return the day of the card that a page belongs to; None for an answer about a race."""
    return date.fromisoformat(name.removeprefix(CARD)) if name.startswith(CARD) else None


def read_answers(rows: Iterable[dict[str, Any]]) -> Iterator[ArchivedAnswer]:
    """Unpack rows of `feed_answers`, in their sequence; DamagedError names the answer that cannot be read."""
    newest: dict[str, tuple[datetime, bytes]] = {}
    for row in rows:
        race_id, polled_at, base_at = row["race_id"], row["polled_at"], row["base_at"]
        before_at, before = newest.get(race_id, (None, None))
        try:
            if base_at and base_at != before_at:
                raise DamagedError(f"the answer of {base_at:%H:%M:%S.%f} that it is packed against is missing")
            content = unpack(bytes(row["body"]), before if base_at else None, bytes(row["sha256"]))
        except DamagedError as fault:
            raise DamagedError(f"the answer about {race_id} polled at {polled_at}: {fault}") from None
        newest[race_id] = polled_at, content
        answer = FeedAnswer(body=content, encoding="identity", polled_at=polled_at, fetch_ms=row["fetch_ms"])
        yield ArchivedAnswer(race_id=race_id, answer=answer, created_at=row["created_at"])
