"""Imports the card of a racing day: its meetings and races. Entrants come with each race's first poll."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

import msgspec
from django.conf import settings
from django.db import connection, transaction
from msgspec import Struct

from meetings.store import write_meetings
from raceday.feed.client import PAGE, FeedAnswer, FeedClient, FeedError
from raceday.feed.parse import parse_meetings
from raceday.feed.records import MeetingCard, ParseFault
from raceday.models import PollRun
from raceday.published import shelf
from raceday.queue.broker import valkey
from raceday.racing_day import day_bounds, racing_day
from raceday.upsert import on_conflict

# Once a race is polled its status is the poll's: the list of meetings lags behind.
CARD = "name, race_number, start_time, status, meeting_id, race_date_nz, distance, track_condition, weather"
IS_NOT_POLLED = "NOT EXISTS (SELECT FROM poll_marks AS mark WHERE mark.race_id = race.race_id)"
WRITE_RACES = f"""
INSERT INTO races AS race (race_id, {CARD})
SELECT race_id, name, race_number, advertised_start, status, meeting_id, race_date_nz, distance,
    track_condition, weather
FROM json_to_recordset(%s::json) AS card (race_id text, name text, race_number integer, advertised_start timestamptz,
    status text, meeting_id text, race_date_nz date, distance integer, track_condition text, weather text)
{on_conflict("race_id", "race", CARD, where=IS_NOT_POLLED)}
"""  # noqa: S608  # every part of it is ours
WRITE_PROTESTS = """
WITH result AS (
    UPDATE race_results AS result SET protest_lodged = card.protest_lodged
    FROM json_to_recordset(%s::json) AS card (race_id text, protest_lodged boolean)
    WHERE result.race_id = card.race_id AND result.protest_lodged IS DISTINCT FROM card.protest_lodged
        AND card.protest_lodged IS NOT NULL
    RETURNING result.race_id)
UPDATE poll_marks AS mark SET changed_at = clock_timestamp() FROM result WHERE mark.race_id = result.race_id
"""
NEWEST = """
SELECT race.race_id, mark.changed_at FROM races AS race LEFT JOIN poll_marks AS mark USING (race_id)
WHERE race.race_id = ANY(%s)
"""
NOTED_SECONDS = 2 * 86_400
Versions = dict[str, str | None]  # by topic, as shelf.outdate takes them
_json = msgspec.json.Encoder()

SETTLE_MEETINGS = """
UPDATE meetings AS meeting SET status = settled.status
FROM (
    SELECT meeting_id, CASE
        WHEN bool_and(status = 'Abandoned') THEN 'abandoned'
        WHEN bool_and(status IN ('Final', 'Abandoned')) THEN 'completed'
        ELSE 'active' END AS status
    FROM races WHERE meeting_id = ANY(%s) GROUP BY meeting_id) AS settled
WHERE meeting.meeting_id = settled.meeting_id AND meeting.status <> settled.status
"""


class DayCard(Struct, frozen=True, kw_only=True):
    """What an import saw: meetings in our countries and codes, unreadable parts, and why the feed gave no more.

    pages: the answers that it was read from.
    """

    day: date
    meetings: tuple[MeetingCard, ...]
    faults: tuple[ParseFault, ...]
    error: FeedError | None
    pages: tuple[FeedAnswer, ...] = ()

    @property
    def race_ids(self) -> list[str]:
        return [race.race_id for meeting in self.meetings for race in meeting.races]


async def fetch_day_card(feed: FeedClient, day: date) -> DayCard:
    """Fetch and read the card of an NZ racing day, page by page."""
    pages: list[FeedAnswer] = []
    while True:
        offset = PAGE * len(pages)
        answer = await feed.fetch_meetings(date_from=day - timedelta(days=1), date_to=day, offset=offset)
        if isinstance(answer, FeedError):
            return read_day_card(day, pages, error=answer)
        pages.append(answer)
        if sum(map(len, _read(answer))) < PAGE:
            return read_day_card(day, pages)


def read_day_card(day: date, pages: Sequence[FeedAnswer], error: FeedError | None = None) -> DayCard:
    """Read the card of an NZ racing day from its pages.

    A meeting is dated by its own track's calendar, and its last races may start past the NZ midnight: meetings
    dated the day before belong to this card when a race of theirs starts on this racing day.
    """
    read = [_read(page) for page in pages]
    cards = [card for cards, _ in read for card in cards]
    faults = tuple(fault for _, faults in read for fault in faults)
    return DayCard(day=day, meetings=_of_day(cards, day), faults=faults, error=error, pages=tuple(pages))


def store_day_card(card: DayCard) -> Versions:
    """Store a card's meetings and races in one transaction; return what it outdates."""
    races = [
        {
            **msgspec.structs.asdict(race),
            "meeting_id": meeting.meeting_id,
            "race_date_nz": racing_day(race.advertised_start),
        }
        for meeting in card.meetings
        for race in meeting.races
    ]
    parameter = [_json.encode(races).decode()]
    with transaction.atomic(), connection.cursor() as cursor:
        write_meetings(card.meetings)
        cursor.execute(WRITE_RACES, parameter)
        cursor.execute(WRITE_PROTESTS, parameter)
        cursor.execute(SETTLE_MEETINGS, [[meeting.meeting_id for meeting in card.meetings]])
        cursor.execute(NEWEST, [card.race_ids])
        newest = cursor.fetchall()
    # A race that was polled has the instant of its last change as its version; if the card changed nothing, no other.
    versions: Versions = dict.fromkeys(["card", *(f"meeting:{each.meeting_id}" for each in card.meetings)])
    return versions | {f"race:{race_id}": at and shelf.version_of(at) for race_id, at in newest}


def note_import(day: date) -> None:
    """Note that the whole card of a day is stored; redis.RedisError when Valkey is away."""
    valkey().set(_note(day), 1, ex=NOTED_SECONDS)


def forget_import(day: date) -> None:
    """Mark a day's card to be imported again; redis.RedisError if Valkey is away."""
    valkey().delete(_note(day))


def is_imported(day: date) -> bool:
    """Tell whether `note_import` came after the last `forget_import`; redis.RedisError when Valkey is away."""
    return bool(valkey().exists(_note(day)))


def _note(day: date) -> str:
    return f"raceday:card:{day}"


def record_faults(card: DayCard, at: datetime) -> None:
    """Leave a PollRun for each part of a card that could not be had or read; the day goes on."""
    runs = [PollRun(polled_at=at, outcome=PollRun.Outcome.PARSE_ERROR, reason=str(fault)) for fault in card.faults]
    if error := card.error:
        runs.append(
            PollRun(
                polled_at=error.polled_at,
                outcome=PollRun.Outcome.FEED_ERROR,
                reason=f"meetings of {card.day}: {error.reason}",
                http_status=error.http_status,
                fetch_ms=error.fetch_ms,
            )
        )
    PollRun.objects.bulk_create(runs)


def _read(answer: FeedAnswer) -> tuple[Sequence[MeetingCard], Sequence[ParseFault]]:
    try:
        return parse_meetings(answer.content())
    except ValueError as error:
        return (), (ParseFault("$", str(error)),)


def _of_day(cards: Iterable[MeetingCard], day: date) -> tuple[MeetingCard, ...]:
    start, end = day_bounds(day)
    return tuple(
        card
        for card in cards
        if card.country in settings.COUNTRIES
        and card.race_type in settings.RACE_TYPES
        and (card.date == day or any(start <= race.advertised_start < end for race in card.races))
    )
