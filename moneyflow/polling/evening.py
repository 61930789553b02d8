"""When the evening's second look at the day's ended races is due."""

import asyncio
from contextlib import suppress
from datetime import date, datetime, timedelta
from datetime import time as clock_time

from redis.exceptions import RedisError

from raceday import clock
from raceday.queue import cluster
from raceday.queue.broker import StreamBroker
from raceday.racing_day import nz_instant, racing_day

RECONCILE = "moneyflow.tasks.reconcile"
AT = clock_time(21)
AGAIN = timedelta(minutes=10)  # for races without an answer; with none left the task does nothing
LOOK_SECONDS = 1.0


async def ask_each_evening() -> None:
    """Queue the reconcile on taking over, at 21:00 NZ and each ten minutes after it until midnight, for ever."""
    queue, due = StreamBroker(list_key="default"), clock.now()
    while True:
        if clock.now() >= due:
            with suppress(RedisError):
                await asyncio.to_thread(cluster.enqueue_once, queue, RECONCILE)
                due = next_evening(clock.now())
        await asyncio.sleep(LOOK_SECONDS)


def next_evening(now: datetime) -> datetime:
    """Return when to ask next: at 21:00 NZ, or ten minutes after `now` if that is past."""
    evening = nz_instant(racing_day(now), AT)
    return evening if now < evening else now + AGAIN


def last_evening(now: datetime) -> tuple[date, datetime]:
    """Return the racing day whose 21:00 NZ was the last one before `now`, and that instant."""
    day = racing_day(now)
    if now < nz_instant(day, AT):
        day -= timedelta(days=1)
    return day, nz_instant(day, AT)
