"""Rooms 2 to 5 in a row: an answer in hand → parsed, transformed, written, to be published. Reads like the picture."""

import time
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import IntegrityError, OperationalError, transaction
from msgspec import Struct
from msgspec.structs import replace
from psycopg.errors import CheckViolation
from redis.exceptions import ConnectionError as Unreachable

from moneyflow.archive.store import pack_answer, remember
from moneyflow.publishing import announce, reading_news
from moneyflow.store.partitions import PAST_DAYS
from moneyflow.store.poll import Written, read_state, write_poll
from moneyflow.transform.flow import money_flow, own_field
from moneyflow.transform.late_money import Judge, judge_live, with_late_money
from moneyflow.transform.records import MoneyFlow
from raceday import clock, metrics
from raceday.feed.client import FeedAnswer, FeedError
from raceday.feed.parse import parse_event
from raceday.feed.records import ENDED, ParseFault, RaceSnapshot
from raceday.models import FeedPayload, PollRun
from raceday.outage import is_outage, sqlstate
from raceday.published import resources, shelf
from races.cadence import CadenceSeconds, cadence

# Each try means that another poll of the same race was written in between: more than a few is a fault.
TRIES = 8
LATE_MONEY = "late-money"  # the topic of alerts and their record
MISSED_POLLS = 3  # without which a race's bodies are stale
CANCELLED, CANCELLED_TRIES = "57014", 3  # a server that stood still cancels what it was doing when it goes on
LONGEST_REASON = 300
log = structlog.get_logger("raceday.poll")
for each in PollRun.Outcome:
    metrics.POLLS.labels(outcome=each)  # from 0, or the first of a kind is no increase


class PollReport(Struct, frozen=True, kw_only=True):
    """What one answer of the feed came to; milliseconds of wall time, None for a room that was not reached.

    transform_ms: parse and transform. write_ms: read what is stored, write and commit changes.
    outdated: the topics whose bodies must be made again.
    """

    race_id: str
    outcome: str
    reason: str | None = None
    snapshot: RaceSnapshot | None = None
    outdated: tuple[str, ...] = ()
    points: int = 0
    odds: int = 0
    alerts: int = 0
    fetch_ms: float
    transform_ms: float | None = None
    write_ms: float | None = None
    publish_ms: float | None = None


class Parsed(Struct, frozen=True, kw_only=True):
    """An answer that could be read. content: its body, unpacked; seconds: that reading it took."""

    answer: FeedAnswer
    content: bytes
    snapshot: RaceSnapshot
    seconds: float


class ContentionError(RuntimeError):
    """A race was written by others each time this poll was about to be."""


def process_answer(
    race_id: str,
    found: FeedAnswer | FeedError,
    *,
    is_again: bool = False,
    is_replay: bool = False,
    judge: Judge = judge_live,
) -> PollReport:
    """Take one answer of the feed through parse, transform and write, outdate bodies, and leave exactly one PollRun.

    It is safe to run twice on the same answer. It raises only faults that `is_outage` knows: then run it again with
    `is_again` once the server is back. What was committed in the first run may not have been published; then it is
    published now. A replay writes the same and tells nobody: no log, no client.
    """
    began = time.perf_counter()
    try:
        walked = _through_the_rooms(race_id, found, is_again=is_again, is_replay=is_replay, judge=judge)
    except Exception as fault:
        if is_outage(fault):
            raise
        walked = crashed(race_id, found, fault)
    if not is_replay:
        _tell(walked, time.perf_counter() - began)
    return walked


def _through_the_rooms(
    race_id: str, found: FeedAnswer | FeedError, *, is_again: bool, is_replay: bool, judge: Judge
) -> PollReport:
    if isinstance(found, FeedError):
        return _refused(race_id, found)
    parsed = _parse(race_id, found)
    if isinstance(parsed, ParseFault):
        return _kept(race_id, found, PollRun.Outcome.PARSE_ERROR, reason=str(parsed))
    for left in reversed(range(CANCELLED_TRIES)):
        try:
            return _written(parsed, is_again=is_again, is_replay=is_replay, judge=judge)
        except OperationalError as fault:
            if sqlstate(fault) != CANCELLED or not left:
                raise
    raise AssertionError("the last try returns or raises")


def _parse(race_id: str, answer: FeedAnswer) -> Parsed | ParseFault:
    began = time.perf_counter()
    try:
        content = answer.content()
        snapshot = parse_event(content, polled_at=answer.polled_at)
    except ValueError as error:
        return ParseFault("$", str(error))
    if isinstance(snapshot, ParseFault):
        return snapshot
    if snapshot.race_id != race_id:
        return ParseFault("$.data.race.event_id", f"asked for {race_id}, got {snapshot.race_id}")
    return Parsed(answer=answer, content=content, snapshot=snapshot, seconds=time.perf_counter() - began)


def _written(parsed: Parsed, *, is_again: bool, is_replay: bool, judge: Judge) -> PollReport:
    answer, snapshot = parsed.answer, parsed.snapshot
    odds_since = answer.polled_at - timedelta(days=PAST_DAYS)
    for _ in range(TRIES):
        began = time.perf_counter()
        state = read_state(snapshot, answer.polled_at)
        read = time.perf_counter()
        own = own_field(snapshot, state)
        flow = money_flow(own, state, odds_since=odds_since)
        flow = with_late_money(flow, own, state, polled_at=answer.polled_at, judge=judge)
        transformed = time.perf_counter()
        transform_ms = _ms(parsed.seconds + transformed - read)
        packed = pack_answer(snapshot.race_id, answer, parsed.content, version=state.version)
        try:
            written = write_poll(own, flow, packed, version=state.version, transform_ms=transform_ms)
        except IntegrityError as error:
            cause = error.__cause__
            # One with a name is a table's own constraint, not a day without a partition.
            if not isinstance(cause, CheckViolation) or cause.diag.constraint_name:
                raise
            return _without_partition(snapshot, answer, cause, transform_ms)
        if not written.is_applied:
            continue
        remember(snapshot.race_id, packed, version=state.version + 1, is_over=snapshot.status in ENDED)
        wrote = time.perf_counter()
        if flow.alerts and not is_replay:
            announce(snapshot.race_id, answer.polled_at)
        outdated = () if is_replay else _outdate(own, answer, flow, written, is_again=is_again)
        return PollReport(
            race_id=snapshot.race_id,
            outcome=flow.outcome,
            snapshot=own,
            outdated=outdated,
            points=len(flow.points),
            odds=len(flow.odds),
            alerts=len(flow.alerts),
            fetch_ms=answer.fetch_ms,
            transform_ms=transform_ms,
            write_ms=_ms(read - began + wrote - transformed),
            publish_ms=_ms(time.perf_counter() - wrote),
        )
    raise ContentionError(f"race {snapshot.race_id} was written by others {TRIES} times in a row")


def _outdate(
    snapshot: RaceSnapshot, answer: FeedAnswer, flow: MoneyFlow, written: Written, *, is_again: bool
) -> tuple[str, ...]:
    """Outdate the bodies that this poll changed, tell the streams of its reading, and move the race's mark.

    Return the topics to publish.

    The version of a race's topic is the instant of its last change. So an unchanged poll notices if an earlier
    publication was lost.
    """
    assert written.changed_at is not None  # noqa: S101 of every applied write
    race = f"race:{snapshot.race_id}"
    versions: dict[str, str | None] = {race: shelf.version_of(written.changed_at)}
    if written.is_race_changed or is_again:
        versions |= {f"meeting:{snapshot.meeting_id}": None, "card": None}
    if is_again or flow.alerts or flow.outcomes:
        versions |= {LATE_MONEY: None, "card": None}  # what shows the day marks the race
    interval = cadence(
        snapshot.status, snapshot.advertised_start - clock.now(), CadenceSeconds(**settings.CADENCE_SECONDS)
    )
    keep_seconds = MISSED_POLLS * interval.total_seconds() if interval else 0
    mark = resources.mark_of(answer.polled_at, keep_seconds=keep_seconds, generated_at=snapshot.generated_at)
    if not (changed := shelf.outdate(versions, mark, told=reading_news(snapshot, flow, polled_at=answer.polled_at))):
        raise Unreachable("what this poll changed could not be marked as outdated")
    return tuple(topic for topic, is_new in zip(versions, changed, strict=True) if is_new or is_again)


def _refused(race_id: str, error: FeedError) -> PollReport:
    return _ended(race_id, error, PollRun.Outcome.FEED_ERROR, reason=error.reason, http_status=error.http_status)[0]


def crashed(race_id: str, found: FeedAnswer | FeedError, fault: Exception) -> PollReport:
    """Leave a PollRun and the answer of a poll that raised an unforeseen fault."""
    log.error("poll_crashed", race_id=race_id, exc_info=fault)
    first_line = str(fault).partition("\n")[0].replace("\0", "")
    reason = f"{type(fault).__name__}: {first_line}"[:LONGEST_REASON]
    return _kept(race_id, found, PollRun.Outcome.CRASHED, reason=reason)


def _without_partition(
    snapshot: RaceSnapshot, answer: FeedAnswer, error: CheckViolation, transform_ms: float
) -> PollReport:
    walked = _kept(
        snapshot.race_id,
        answer,
        PollRun.Outcome.NO_PARTITION,
        reason=error.diag.message_primary or "",
        generated_at=snapshot.generated_at,
        transform_ms=transform_ms,
    )
    return replace(walked, snapshot=snapshot, transform_ms=transform_ms)


def _kept(
    race_id: str, found: FeedAnswer | FeedError, outcome: PollRun.Outcome, *, reason: str, **columns: Any
) -> PollReport:
    """Store an answer that ended early, so that it can be processed again, and return its report."""
    if isinstance(found, FeedError):
        return _ended(race_id, found, outcome, reason=reason, http_status=found.http_status)[0]
    columns |= {"http_status": 200, "body_bytes": len(found.body)}
    with transaction.atomic():
        walked, run = _ended(race_id, found, outcome, reason=reason, **columns)
        FeedPayload.objects.get_or_create(poll_run=run, defaults={"body": found.body, "encoding": found.encoding})
    return walked


def _ended(
    race_id: str, found: FeedAnswer | FeedError, outcome: PollRun.Outcome, *, reason: str, **columns: Any
) -> tuple[PollReport, PollRun]:
    """Return the report of an answer that ended before anything was written, and the PollRun for it."""
    told: dict[str, Any] = {"outcome": outcome, "reason": reason, "fetch_ms": found.fetch_ms}
    run, _ = PollRun.objects.get_or_create(race_id=race_id, polled_at=found.polled_at, defaults={**told, **columns})
    return PollReport(race_id=race_id, **told), run


def _tell(walked: PollReport, seconds: float) -> None:
    metrics.POLLS.labels(outcome=walked.outcome).inc()
    metrics.ALERTS.inc(walked.alerts)
    metrics.NZTAB_FETCH_SECONDS.observe(walked.fetch_ms / 1000)
    metrics.RACE_PROCESSING_SECONDS.observe(seconds)
    if walked.transform_ms is not None:
        metrics.TRANSFORM_SECONDS.observe(walked.transform_ms / 1000)
    if walked.write_ms is not None:
        metrics.DB_WRITE_SECONDS.observe(walked.write_ms / 1000)
    tell = log.info if walked.reason is None else log.warning
    tell(
        "poll",
        race_id=walked.race_id,
        outcome=str(walked.outcome),
        reason=walked.reason,
        status=walked.snapshot.status if walked.snapshot else None,
        money_tracker=walked.snapshot.has_money_tracker if walked.snapshot else None,
        left_out=len(walked.snapshot.left_out) if walked.snapshot else 0,
        points=walked.points,
        alerts=walked.alerts,
        fetch_ms=walked.fetch_ms,
        transform_ms=walked.transform_ms,
        write_ms=walked.write_ms,
        publish_ms=walked.publish_ms,
    )


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
