"""Elects the poller that leads: whoever holds the advisory lock polls the races, all others stand by."""

import asyncio
import os
import select
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import psycopg
import structlog
from django.conf import settings
from django.db import DatabaseError, connections
from redis.exceptions import RedisError

from moneyflow.polling import stalls
from moneyflow.polling.budget import REPORT_SECONDS
from moneyflow.polling.evening import ask_each_evening
from moneyflow.polling.leader import DAILY, Leader
from moneyflow.polling.outbox import Outbox
from moneyflow.store.partitions import LEAST_RUNWAY_DAYS, runway_days
from raceday import clock
from raceday.feed.client import FeedClient
from raceday.queue import cluster
from raceday.queue.broker import StreamBroker
from raceday.racing_day import racing_day

LOCK = 0x7261636564617931  # "raceday1", the advisory lock of the leader
SESSION = "-c statement_timeout=2000 -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=3"
# The process that holds the advisory lock, if it has sent no statement for so many seconds.
STOPPED_LEADER = """
SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND pg_locks.database = pg_stat_activity.datid
    AND datname = current_database() AND classid = %s AND objid = %s
    AND state = 'idle' AND state_change < clock_timestamp() - make_interval(secs => %s)
"""
STOPPED_SECONDS, STOPPED_LOOKS = 1.5, 2
TICK_SECONDS = 0.2
READ_SECONDS, SEND_EVERY_SECONDS = 0.5, 5.0  # alerts that are due, or whose writer died before it could ask
SEND = "moneyflow.tasks.send_alerts"

log = structlog.get_logger(__name__)


class Over(Exception):  # noqa: N818
    """The cluster stops, or the connection that holds the lock is lost."""


def run() -> None:
    """Poll the races, or stand by for the leader, until the cluster stops; each worker of `control` runs this."""
    daily = StreamBroker(list_key="default")
    while not cluster.is_stopping():
        cluster.show_life(cluster.OUTAGE_SECONDS)
        try:
            with _connect() as connection:
                if _wins_leadership(connection) and _has_runway(daily):
                    asyncio.run(lead(connection, daily))
        except (psycopg.Error, DatabaseError) as fault:
            log.warning("poller_without_database", fault=str(fault).partition("\n")[0])
            time.sleep(TICK_SECONDS)


def _connect() -> psycopg.Connection[Any]:
    return psycopg.connect(
        settings.DATABASE_URL,
        autocommit=True,
        connect_timeout=2,
        application_name="raceday-poller",
        options=SESSION,
        tcp_user_timeout=3000,
    )


def _wins_leadership(connection: psycopg.Connection[Any]) -> bool:
    """Wait for the lock. If the leader sends no statements because it is stopped or hangs, end its connection."""
    looks_stopped = 0
    while not cluster.is_stopping():
        cluster.show_life(cluster.OUTAGE_SECONDS)
        if connection.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone() == (True,):
            return True
        stopped = connection.execute(STOPPED_LEADER, [LOCK >> 32, LOCK & 0xFFFFFFFF, STOPPED_SECONDS]).fetchone()
        # Look twice: when PostgreSQL itself stood still, its leader seems to have been silent for as long.
        looks_stopped = looks_stopped + 1 if stopped else 0
        if stopped and looks_stopped >= STOPPED_LOOKS:
            log.warning("leader_stands_still", backend=stopped[0])
            connection.execute("SELECT pg_terminate_backend(%s)", stopped)
        time.sleep(TICK_SECONDS)
    return False


def _has_runway(daily: StreamBroker) -> bool:
    """Tell whether there are partitions; polls without one would be lost, so the daily work must create some first."""
    try:
        runway = runway_days(racing_day(clock.now()))
    finally:
        connections.close_all()  # a poller holds one connection, its own
    if runway >= LEAST_RUNWAY_DAYS:
        return True
    log.error("poller_refuses_to_start", runway_days=runway, needed_days=LEAST_RUNWAY_DAYS)
    try:
        cluster.enqueue_once(daily, DAILY)
    except RedisError as fault:
        log.warning("poller_without_valkey", fault=str(fault))
    time.sleep(1)
    return False


async def lead(connection: psycopg.Connection[Any], daily: StreamBroker) -> None:
    """Poll the races until the cluster stops or the connection is lost."""
    log.info("poller_leads", pid=os.getpid())
    outbox = Outbox()
    try:
        async with FeedClient.from_settings() as feed, asyncio.TaskGroup() as group:
            leader = Leader(feed, group, outbox, daily)
            group.create_task(outbox.hand_over())
            group.create_task(stalls.watch())
            group.create_task(_every(READ_SECONDS, partial(leader.read, connection)))
            group.create_task(_every(1.0, leader.ask_for_daily))
            group.create_task(_every(1.0, leader.hold_when_behind))
            group.create_task(_every(REPORT_SECONDS, leader.stretched.report))
            group.create_task(ask_each_evening())
            group.create_task(cluster.enqueue_every(SEND_EVERY_SECONDS, StreamBroker(list_key="default"), SEND))
            await _until_over(connection)
            raise Over
    except* (Over, psycopg.OperationalError) as faults:
        log.info("poller_leads_no_more", faults=[repr(fault) for fault in faults.exceptions])
    finally:
        outbox.flush()


async def _every(seconds: float, duty: Callable[[], Awaitable[None]]) -> None:
    while True:
        await duty()
        await asyncio.sleep(seconds)


async def _until_over(connection: psycopg.Connection[Any]) -> None:
    """Wait until the server has cut the connection: the lock is lost then. A query would notice it later."""
    cut = select.poll()
    cut.register(connection.fileno(), select.POLLRDHUP)
    while not cut.poll(0) and not cluster.is_stopping():
        cluster.show_life()
        await asyncio.sleep(TICK_SECONDS)
