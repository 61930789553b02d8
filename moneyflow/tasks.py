"""What the cluster `default` runs: transform and write, imports, and the day's housekeeping. All idempotent."""

import asyncio
import time
from collections.abc import Iterable
from datetime import date, timedelta

import structlog
from django_q.tasks import async_task

from moneyflow import partitions, publishing
from moneyflow.pipeline import Walk, walk
from raceday import clock, valkey
from raceday.broker import StreamBroker
from raceday.feed.client import FeedAnswer, FeedClient, FeedError
from raceday.models import PollRun
from raceday.racing_day import racing_day
from races.day_card import DayCard, fetch_day_card, record_faults, write_day_card

PUBLISH = "moneyflow.tasks.publish_after_polls"
POLLS_FIRST_SECONDS = 0.2
LOOK_SECONDS = 0.002
POLL_RUNS_KEPT = timedelta(days=7)
log = structlog.get_logger(__name__)


def process_poll(race_id: str, found: FeedAnswer | FeedError) -> None:
    """This function will take an answer the poller has in hand to its commit, and ask for its bodies to be made.

    A cluster of its own makes them, so that no answer waits for a body before it is committed.
    """
    ask_to_publish(walk(race_id, found).outdated)


def ask_to_publish(topics: Iterable[str]) -> None:
    """This function will have the bodies of these topics made by the cluster `publish`."""
    for topic in topics:
        async_task(PUBLISH, topic, time.time(), q_options={"cluster": "publish", "save": False})


def publish_after_polls(topic: str, asked_at: float) -> None:
    """This function will make a topic's bodies once no poll is on its way to a commit, or 0.2 s after it was asked.

    On two cores a race's bodies would cost the races polled in the same moment half as much time again. `asked_at`:
    Unix seconds of the machine.
    """
    polls = StreamBroker(list_key="default").stream
    while time.time() < asked_at + POLLS_FIRST_SECONDS and valkey.ask(lambda client: client.xlen(polls)):
        time.sleep(LOOK_SECONDS)
    publishing.publish(topic)


def poll_now(race_id: str) -> str:
    """This function will poll one race from fetch to publish, out of turn; returns its outcome."""
    return poll_race(race_id).outcome


def poll_race(race_id: str) -> Walk:
    """This function will fetch one race and take its answer through every room."""

    async def fetch() -> FeedAnswer | FeedError:
        async with FeedClient.from_settings() as feed:
            return await feed.fetch_event(race_id)

    walked = walk(race_id, asyncio.run(fetch()))
    for topic in walked.outdated:
        publishing.publish(topic)
    return walked


def import_card(day: date) -> DayCard:
    """This function will fetch and store the meetings and races of a racing day; its faults become PollRuns."""

    async def fetch() -> DayCard:
        async with FeedClient.from_settings() as feed:
            return await fetch_day_card(feed, day)

    card = asyncio.run(fetch())
    write_day_card(card)
    record_faults(card, clock.now())
    log.info("day_card", day=str(day), meetings=len(card.meetings), races=len(card.race_ids), faults=len(card.faults))
    return card


def import_day(day: str | None = None) -> str:
    """This function will import a racing day, `YYYY-MM-DD` or today; the poller then polls what is new."""
    card = import_card(date.fromisoformat(day) if day else racing_day(clock.now()))
    publishing.warm_card()
    return f"{len(card.meetings)} meetings, {len(card.race_ids)} races"


def daily() -> None:
    """This function will do the day's housekeeping: the card, the partitions, and what is past its retention."""
    partitions.keep(racing_day(clock.now()))
    PollRun.objects.filter(polled_at__lt=clock.now() - POLL_RUNS_KEPT).delete()
    import_day()
