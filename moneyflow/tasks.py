"""What the cluster `default` runs: imports, deliveries and the day's housekeeping. All idempotent."""

import asyncio
import time
from datetime import date, timedelta
from functools import partial

import structlog
from django.db import transaction
from django_q.tasks import async_task

from moneyflow import publishing
from moneyflow.alerts import calibrating, delivery
from moneyflow.archive.store import archive_card
from moneyflow.late_money.artefact import shipped
from moneyflow.models import LateMoneyCalibration
from moneyflow.pipeline import PollReport, process_answer
from moneyflow.polling.evening import RECONCILE, last_evening
from moneyflow.publisher import ask_to_publish
from moneyflow.reconcile import read_again
from moneyflow.store import partitions
from raceday import clock
from raceday.feed.client import FeedAnswer, FeedClient, FeedError
from raceday.models import PollRun
from raceday.outage import outlast
from raceday.published import shelf
from raceday.racing_day import racing_day
from races.day_card import DayCard, fetch_day_card, note_import, record_faults, store_day_card

SEND = "moneyflow.tasks.send_alerts"
CALIBRATE = "moneyflow.tasks.calibrate"
SENDING_SECONDS = 5.0  # after which a task sends no more; the last send takes up to 10 s, and a task may take 20
OUTAGE_SECONDS = 6.0  # that a task waits for a server; it is delivered again after that
POLL_RUNS_KEPT = timedelta(days=7)
log = structlog.get_logger(__name__)


class NoCardError(RuntimeError):
    """The feed did not give a day's card."""


def ask_to_send() -> None:
    """Have the cluster `default` send new alerts at once; the poller asks for those that are due later."""
    async_task(SEND, q_options={"cluster": "default", "save": False})


def send_alerts() -> None:
    """Send the alerts that are due to their targets."""
    give_up = time.monotonic() + SENDING_SECONDS
    while delivery.send_due() and time.monotonic() < give_up:
        pass


def poll_now(race_id: str) -> str:
    """Poll one race from fetch to publish, out of turn; returns its outcome."""
    return poll_race(race_id).outcome


def poll_race(race_id: str) -> PollReport:
    """Fetch one race and take its answer through every room."""

    async def fetch() -> FeedAnswer | FeedError:
        async with FeedClient.from_settings() as feed:
            return await feed.fetch_event(race_id)

    found, give_up = asyncio.run(fetch()), time.monotonic() + OUTAGE_SECONDS
    walked = outlast(
        partial(process_answer, race_id, found, judge=calibrating.judge_calibrated),
        is_over=lambda: time.monotonic() > give_up,
    )
    for topic in walked.outdated:
        publishing.publish(topic)
    if walked.alerts:
        ask_to_send()
    return walked


def import_card(day: date) -> DayCard:
    """Fetch and store the meetings and races of a racing day; its faults become PollRuns."""

    async def fetch() -> DayCard:
        async with FeedClient.from_settings() as feed:
            return await fetch_day_card(feed, day)

    card = asyncio.run(fetch())
    with transaction.atomic():
        versions = store_day_card(card)
        archive_card(card.day, card.pages)
    shelf.outdate(versions)
    record_faults(card, clock.now())
    log.info("day_card", day=str(day), meetings=len(card.meetings), races=len(card.race_ids), faults=len(card.faults))
    return card


def import_day(day: str | None = None) -> str:
    """Import a racing day, `YYYY-MM-DD` or today; the poller then polls what is new."""
    card = import_card(date.fromisoformat(day) if day else racing_day(clock.now()))
    publishing.warm_card()
    if card.error:  # a failed task runs again, and after that the poller queues another
        raise NoCardError(f"the feed did not give the whole card of {card.day}: {card.error.reason}")
    note_import(card.day)
    return f"{len(card.meetings)} meetings, {len(card.race_ids)} races"


def daily() -> None:
    """Do the day's housekeeping: the card, the partitions, and what is past its retention."""
    partitions.keep(racing_day(clock.now()))
    PollRun.objects.filter(polled_at__lt=clock.now() - POLL_RUNS_KEPT).delete()
    import_day()
    async_task(CALIBRATE, q_options={"cluster": "default"})


def reconcile(after: str = "") -> str:
    """Read the next of the last evening's ended races again, after a race id, and queue this task for the rest."""
    day, since = last_evening(clock.now())
    reports = read_again(day, since, after=after)
    ask_to_publish(topic for report in reports for topic in report.outdated)
    if reports:
        async_task(RECONCILE, reports[-1].race_id, q_options={"cluster": "default", "save": False})
    return f"{day}: {len(reports)} races read again"


def calibrate() -> str:
    """Score the races that ended, some at a time, and then calibrate the detector, once a racing day."""
    artefact = shipped()
    if artefact is None:
        return "no artefact fits"
    if (scored := calibrating.note_maxima(artefact)) == calibrating.RACES_AT_ONCE:
        async_task(CALIBRATE, q_options={"cluster": "default"})
        return f"{scored} races scored, and more to come"
    newest = LateMoneyCalibration.objects.filter(artefact=artefact.name).first()
    if newest and racing_day(newest.made_at) == racing_day(clock.now()):
        return "calibrated today already"
    made = calibrating.calibrate(artefact)
    return str(made or "too few races have ended")
