"""Polls many races once: fetches side by side, writes each answer as it comes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from django.conf import settings
from django.db import connections

from moneyflow.pipeline import PollReport, process_answer
from raceday.feed.client import FeedAnswer, FeedClient, FeedError


async def poll_each(race_ids: Sequence[str]) -> AsyncIterator[PollReport]:
    """Poll races side by side, FEED_CONCURRENCY at once, and yield each one's report as it is written."""

    async def fetch(race_id: str) -> tuple[str, FeedAnswer | FeedError]:
        async with places:
            return race_id, await feed.fetch_event(race_id)

    places = asyncio.Semaphore(settings.FEED_CONCURRENCY)  # who stands in the feed's line has a time limit
    loop = asyncio.get_running_loop()
    # A thread is a connection: one is enough.
    with ThreadPoolExecutor(max_workers=1) as writer:
        async with FeedClient.from_settings() as feed:
            for fetched in asyncio.as_completed([fetch(race_id) for race_id in race_ids]):
                race_id, found = await fetched
                yield await loop.run_in_executor(writer, process_answer, race_id, found)
        await loop.run_in_executor(writer, connections.close_all)
