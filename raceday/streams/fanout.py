"""SERVE: one subscription of a process to the log of events, for many subscribers. No HTTP and no rendering here.

The process remembers the log, so a subscriber that comes back gets the rest without a request to Valkey. A subscriber
that is up to date is `placed` under its races and meetings, and gets frames as they come. A new or slow one catches up
in its own time: with the rest of the log, or with the latest bodies. Both are valid at `position`.
"""

import asyncio
import zlib
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec
import structlog
from django.db import Error as DatabaseFault
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from raceday import metrics, valkey
from raceday.published import events, shelf
from raceday.published.events import START, Event, Position, Wanted, write_id
from raceday.streams.pings import read_marks, write_ping
from raceday.streams.subscriber import MOST_PENDING_BYTES, RESYNC, Subscriber, up_to, write_frame

BLOCK_SECONDS = 4.0
ANSWER_SECONDS = 2.0
AHEAD_SECONDS = 0.5  # a client may have an id from another process before this one has read it
PAUSE_SECONDS = 0.1
READ_AT_ONCE = 200  # fewer than a subscriber may have pending: no burst alone puts it behind
REPLAY_AT_ONCE = 250
MOST_BODIES = 500
PING_SECONDS = 10  # a tenth of the subscribers each second
FAULTS = (*valkey.VALKEY_FAULTS, TimeoutError, DatabaseFault)

log = structlog.get_logger(__name__)


class RaceState(NamedTuple):
    """What the streams last said about a race, and the position at which it was read."""

    at: Position
    body: bytes


class Fanout:
    """All subscribers of one process. `find_races` returns the races of a meeting, None if there is no such meeting."""

    def __init__(self, url: str, find_races: Callable[[str], Awaitable[Iterable[str] | None]]) -> None:
        self.url, self.find_races = url, find_races
        self.name = valkey.key(events.LOG)
        self.log: list[Event] = []
        self.position = START
        self.is_live = False
        metrics.STREAMS.set(0)
        self.moved = asyncio.Event()
        self.asking = asyncio.Lock()
        self.bodies: dict[str, RaceState] = {}
        self.readings: dict[str, Event] = {}  # the newest of each race that the log has
        self.meetings: dict[str, set[str]] = {}
        self.subscribers: list[set[Subscriber]] = [set() for _ in range(PING_SECONDS)]
        self.by_race: defaultdict[str, set[Subscriber]] = defaultdict(set)
        self.by_meeting: defaultdict[str, set[Subscriber]] = defaultdict(set)
        self.day_wide: set[Subscriber] = set()
        self.questions = self._client(ANSWER_SECONDS)

    # ── Following the log ────────────────────────────────────────────────────────────────────────
    async def follow(self) -> None:
        """Read the log for ever; if Valkey is away, try again ten times a second."""
        while True:
            try:
                # A new connection each time: after any break the log is checked before it is trusted.
                async with self._client(BLOCK_SECONDS + ANSWER_SECONDS) as client:
                    await self._go_on(client)
                    self._set_live()
                    while True:
                        await self._read(client)
            except FAULTS as fault:
                if self.is_live:
                    log.warning("valkey_away", fault=type(fault).__name__)
                self.is_live = False
            await asyncio.sleep(PAUSE_SECONDS)

    async def _read(self, client: Redis) -> None:
        since = {self.name: write_id(self.position)}
        answer: Any = await client.xread(since, READ_AT_ONCE, int(BLOCK_SECONDS * 1000))  # type: ignore[arg-type]
        for _, entries in answer:
            self._take_all(entries)

    async def ping(self) -> None:
        """Ping every subscriber in turn that is not told the time, for ever."""
        turn = 0
        while True:
            for subscriber in self.subscribers[turn]:
                if not (self.is_live and self._is_told_time(subscriber)):
                    subscriber.is_pinged = True
                    subscriber.wake.set()
            turn = (turn + 1) % PING_SECONDS
            await asyncio.sleep(1)

    async def tell_time(self) -> None:
        """Tell the time every five seconds to those who asked for it, for ever; a fifth of them each second."""
        turn = 0
        while True:
            await self._tell_time(self.subscribers[turn] | self.subscribers[turn - PING_SECONDS // 2])
            turn = (turn + 1) % PING_SECONDS
            await asyncio.sleep(1)

    def _is_told_time(self, subscriber: Subscriber) -> bool:
        return subscriber.is_placed and events.PING in subscriber.wanted.kinds

    async def _tell_time(self, subscribers: Iterable[Subscriber]) -> None:
        """Tell the time, and when their races and any race were last polled; nothing if Valkey does not say."""
        asking = list(filter(self._is_told_time, subscribers))
        if not asking:
            return
        with suppress(*FAULTS):
            async with self.asking:
                newest, marks = await read_marks(
                    self.questions, {race for each in asking for race in each.wanted.races}
                )
            frames: dict[frozenset[str], bytes] = {}
            for each in filter(self._is_told_time, asking):  # one may have fallen behind
                races = each.wanted.races
                if races not in frames:
                    known = {race: marks[race] for race in races if race in marks}
                    frames[races] = write_ping(known, newest, position=self.position)
                self._give(each, frames[races])

    async def _go_on(self, client: Redis) -> None:
        """Whether the log still has the last event seen here decides whether it is the same log."""
        if self.log and not await client.xrange(self.name, write_id(self.position), write_id(self.position)):
            log.warning("events_lost", last_seen=write_id(self.position))
            self.log.clear()
            self.bodies.clear()
            self.readings.clear()
            self.position = START
            for subscriber in self._all():
                subscriber.needs_resync |= subscriber.is_placed
                self._displace(subscriber)
        while entries := await client.xrange(self.name, f"({write_id(self.position)}", count=READ_AT_ONCE):
            self._take_all(entries)

    def _set_live(self) -> None:
        self.is_live = True
        for subscriber in self._all():
            if not subscriber.is_placed:
                subscriber.wake.set()

    def _take_all(self, entries: Iterable[Any]) -> None:
        for entry in entries:
            self._take(events.parse(entry))
        if len(self.log) > events.MOST_EVENTS * 1.25:
            del self.log[: -events.MOST_EVENTS]
            since = self.log[0].position
            self.readings = {race: event for race, event in self.readings.items() if event.position >= since}
        self.moved.set()
        self.moved.clear()  # wake all who wait now

    def _take(self, event: Event) -> None:
        self.log.append(event)
        self.position = event.position
        told = self.bodies.get(event.race_id)
        if told and told.at < event.position:
            del self.bodies[event.race_id]
        if event.kind == events.FLOW:
            self.readings[event.race_id] = event
        if event.meeting_id in self.meetings:
            self.meetings[event.meeting_id].add(event.race_id)
        named = {*self.by_race.get(event.race_id, ()), *self.by_meeting.get(event.meeting_id, ())}
        subscribers = [each for each in named | self.day_wide if each.wanted.includes(event)]
        frame = write_frame(event)
        for subscriber in subscribers:
            self._give(subscriber, frame)
        metrics.STREAM_EVENTS.inc(len(subscribers))

    def _give(self, subscriber: Subscriber, frame: bytes) -> None:
        if not subscriber.give(frame):  # it goes on in its own time, from the log
            self._displace(subscriber)
            subscriber.since, subscriber.is_slow = subscriber.taken_at, True

    # ── Readers ──────────────────────────────────────────────────────────────────────────────────
    def add(self, subscriber: Subscriber) -> None:
        """Count and ping a subscriber; it gets no events until it has caught up."""
        min(self.subscribers, key=len).add(subscriber)
        metrics.STREAMS.set(sum(map(len, self.subscribers)))

    def remove(self, subscriber: Subscriber) -> None:
        """Forget a subscriber."""
        self._displace(subscriber)
        for bucket in self.subscribers:
            bucket.discard(subscriber)
        metrics.STREAMS.set(sum(map(len, self.subscribers)))

    def close(self) -> None:
        """End all streams."""
        for subscriber in self._all():
            subscriber.close()

    async def catch_up(self, subscriber: Subscriber) -> list[bytes]:
        """Return the frames that bring a subscriber forward; none if Valkey does not say.

        The subscriber is placed when these frames are all; otherwise there are more.
        """
        try:
            since = subscriber.since
            frames = await (self._latest(subscriber) if since is None else self._go_on_with(subscriber, since))
        except FAULTS as fault:
            log.warning("reader_waits", fault=type(fault).__name__)
            return []
        await self._tell_time([subscriber])  # a page's clock is right at once
        return frames

    async def _latest(self, subscriber: Subscriber) -> list[bytes]:
        """Return the latest readings and bodies, all true at `position`, and place the subscriber."""
        races = await self.races_of(subscriber.wanted)
        bodies = await self._latest_of(subscriber, races)
        # One id, with the last body: a subscriber cut off before it has not seen them all.
        here = f"id: {write_id(self.position)}\n\n".encode()
        frames = [*bodies[:-1], b"\n" + here] if races else [here] if self.position > START else []
        frames = [RESYNC, *frames] if subscriber.needs_resync else frames
        self._place(subscriber)
        return frames

    async def _latest_of(self, subscriber: Subscriber, races: Iterable[str]) -> list[bytes]:
        """Return the latest readings, if they are wanted, and then the latest bodies of these races, without ids."""
        named = sorted(races)
        await self._know(named)
        is_told = events.FLOW in subscriber.wanted.kinds
        readings = (self.readings[race].data for race in named if is_told and race in self.readings)
        frames = [b"event: flow\ndata: %s\n\n" % data for data in readings]
        for race in named:
            frames += [b"event: snapshot\ndata: ", self.bodies[race].body, b"\n\n"]  # all streams share the body
        return frames

    async def _go_on_with(self, subscriber: Subscriber, since: Position) -> list[bytes]:
        """Return the log after `since`; before it, once, the latest of races that are new to the client."""
        fresh = await self._latest_of(subscriber, subscriber.fresh & subscriber.wanted.races)
        rest = await self._replay(subscriber, since)
        subscriber.fresh = frozenset()
        return [*fresh, *rest]

    async def races_of(self, wanted: Wanted) -> set[str]:
        """Return all races wanted, those of the meetings that are known too."""
        races = set(wanted.races)
        for meeting_id in wanted.meetings:
            if meeting_id not in self.meetings:
                found = await self.find_races(meeting_id)
                if found is None:
                    continue
                self.meetings.setdefault(meeting_id, set()).update(found)
            races |= self.meetings[meeting_id]
        return races

    async def _replay(self, subscriber: Subscriber, since: Position) -> list[bytes]:
        """The log after `since`, a part at a time; a resync when it does not go back so far."""
        if since > self.position:
            with suppress(TimeoutError):
                await self._reach(since, seconds=AHEAD_SECONDS)
        at = bisect_left(self.log, since, key=lambda event: event.position)
        first = self.log[at].position if at < len(self.log) else None
        if not events.holds(since, first, length=len(self.log)):
            subscriber.since, subscriber.needs_resync = None, True
            return await self._latest(subscriber)
        rest, last = events.chosen(self.log[at + (first == since) :], subscriber.wanted, REPLAY_AT_ONCE)
        if subscriber.is_slow and len(rest) == REPLAY_AT_ONCE:
            metrics.STREAMS_CONFLATED.inc()
            subscriber.since, subscriber.is_slow = None, False
            return await self._latest(subscriber)
        frames = list(up_to(MOST_PENDING_BYTES, map(write_frame, rest)))
        if len(frames) < len(rest) or len(rest) == REPLAY_AT_ONCE:
            subscriber.since = rest[len(frames) - 1].position if len(frames) < len(rest) else last
            subscriber.wake.set()
        else:
            self._place(subscriber)
        return frames

    async def _know(self, races: Iterable[str]) -> None:
        """Have the bodies of these races at hand, all of them true at `position`."""
        while True:
            async with self.asking:
                if missing := [race for race in races if race not in self.bodies]:
                    await self._read_bodies(missing)
            read_at = max((self.bodies[race].at for race in races if race in self.bodies), default=START)
            await self._reach(read_at, seconds=ANSWER_SECONDS)
            if all(race in self.bodies for race in races):
                return

    async def _read_bodies(self, races: list[str]) -> None:
        """Bodies and the end of the log in one step: no event is between them."""
        async with self.questions.pipeline(transaction=True) as pipe:
            for race in races:
                pipe.hget(shelf.name_of(f"race:{race}"), "told")
            pipe.xrevrange(self.name, count=1)
            *told, end = await pipe.execute()
        at = events.parse(end[0]).position if end else START
        if len(self.bodies) > MOST_BODIES:
            self.bodies.clear()
        # What was read may be older than what was followed in the meantime, and then has to be read again.
        since = bisect_right(self.log, at, key=lambda event: event.position)
        newer = {event.race_id for event in self.log[since:]}
        for race, body in zip(races, told, strict=True):
            if race not in newer:
                self.bodies[race] = RaceState(at, _read_body(race, body))

    async def _reach(self, position: Position, *, seconds: float) -> None:
        """Wait until the log was followed up to a position; not for ever, because Valkey may have lost it."""
        async with asyncio.timeout(seconds):
            while self.position < position:
                await self.moved.wait()

    def _place(self, subscriber: Subscriber) -> None:
        subscriber.since, subscriber.needs_resync, subscriber.is_slow, subscriber.taken_at = (
            None,
            False,
            False,
            self.position,
        )
        if subscriber.is_closed:
            return
        subscriber.is_placed = True
        if subscriber.wanted.everywhere:
            self.day_wide.add(subscriber)
        for race_id in subscriber.wanted.races:
            self.by_race[race_id].add(subscriber)
        for meeting_id in subscriber.wanted.meetings:
            self.by_meeting[meeting_id].add(subscriber)

    def _displace(self, subscriber: Subscriber) -> None:
        if not subscriber.is_placed:
            return
        subscriber.is_placed = False
        self.day_wide.discard(subscriber)
        for index, names in ((self.by_race, subscriber.wanted.races), (self.by_meeting, subscriber.wanted.meetings)):
            for name in names:
                index[name].discard(subscriber)
                if not index[name]:
                    del index[name]

    def _all(self) -> list[Subscriber]:
        return [subscriber for bucket in self.subscribers for subscriber in bucket]

    def _client(self, seconds: float) -> Redis:
        # Without retries: a new connection behind its back may meet a Valkey that has lost events.
        return Redis.from_url(
            self.url,
            socket_connect_timeout=1,
            socket_timeout=seconds,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            single_connection_client=True,
        )


def _read_body(race_id: str, told: Any) -> bytes:
    if not told:
        return msgspec.json.encode({"race_id": race_id, "known": False})
    return zlib.decompress(told.partition(b"\n")[2])
