"""Room 5, PUBLISH: after a commit, make each body that it changed once, and tell the streams."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from heapq import nlargest
from typing import Any

import msgspec
import structlog
from django.conf import settings
from django.db.models import QuerySet

from moneyflow.alerts.serializers import AlertSerializer
from moneyflow.alerts.store import read_alerts
from moneyflow.live.deltas import Event, deltas
from moneyflow.live.readings import reading_data
from moneyflow.transform.records import MoneyFlow
from raceday import clock, metrics
from raceday.feed.records import ENDED, RaceSnapshot
from raceday.published import resources, shelf
from raceday.published.events import FLOW
from raceday.published.resources import (
    ROUNDS,
    Body,
    Resource,
    ResourceRequest,
    find_address,
    request_for,
    routes,
    shown_many,
)
from raceday.published.shelf import NO_NEWS, TOPIC_SECONDS, RaceNews, StoredBody, TopicState
from raceday.racing_day import nz_iso, racing_day
from races.models import Race
from races.views import race_mark

DAY_SECONDS = 86_400
READ_SECONDS = 35 * 60  # of Raceday, after a request; far from a start clients look every half hour
MOST_REMADE = 60  # bodies of a topic, newest first: one client's many queries must not occupy the workers
WHOLE_RACE = "race-live"  # the route of the body that has all parts of a race
TRIES = 3  # each means that a poll of the same race came in between
log = structlog.get_logger("raceday.publish")
Bodies = Iterator[tuple[str, StoredBody, int]]
_flow = msgspec.json.Encoder(decimal_format="number")


def publish(topic: str) -> bool:
    """Make the topic's bodies and put them in place of the outdated ones, all in one step.

    Return False if nothing was stored: another publication was first, or Valkey is away, and the next poll notices.
    """
    began = time.perf_counter()
    kind, _, name = topic.partition(":")
    for _ in range(TRIES):
        if (found := shelf.topic_state(topic)) is None:
            return False
        if kind == "race":
            if found.is_made:
                return False
            is_published = _publish_race(name, found)
        else:
            is_published = shelf.publish(topic, found, _bodies(topic, found, {}))
        if is_published:
            metrics.PUBLISH_SECONDS.observe(seconds := time.perf_counter() - began)
            log.info("published", topic=topic, ms=round(1000 * seconds, 3))
            return True
    return False


def announce(race_id: str, polled_at: datetime) -> bool:
    """Tell the streams of the race's new alerts at once, ahead of all bodies; the publication does not repeat them.

    Return False if nothing was told. Then the publication tells them.
    """
    topic, alerts = f"race:{race_id}", shown_many(AlertSerializer, read_alerts(race_id))
    for _ in range(TRIES):
        if (found := shelf.read_told(topic)) is None:
            return False
        version, told = found[0], msgspec.json.decode(found[1])
        freshness = {**told["freshness"], "polled_at": nz_iso(polled_at)}
        page = {**told, "alerts": msgspec.json.decode(resources.render(alerts)), "freshness": freshness}
        if not (events := deltas(told, page)):
            return False
        if shelf.announce(topic, version, _news(page, resources.render(page), events)):
            return True
    return False


def reading_news(snapshot: RaceSnapshot, flow: MoneyFlow, *, polled_at: datetime) -> RaceNews:
    """Return what the streams are told of a poll's reading as soon as it is committed; no news if it brought none."""
    if not flow.points:
        return NO_NEWS
    written = _flow.encode(reading_data(snapshot, flow, polled_at=polled_at))
    return RaceNews(snapshot.race_id, snapshot.meeting_id, b"", [(FLOW, written)])


def warm_card() -> int:
    """Publish today's card and its meetings again; return the number of topics."""
    meetings = _today().order_by().values_list("meeting_id", flat=True).distinct()
    topics = ["card", *(f"meeting:{meeting_id}" for meeting_id in meetings)]
    shelf.outdate(dict.fromkeys(topics))
    return sum(publish(topic) for topic in topics)


def warm() -> int:
    """Publish today's card, and those of its races that have no current bodies."""
    return warm_card() + sum(publish(topic) for topic in _outdated_races(_today()))


def _today() -> QuerySet[Race]:
    return Race.objects.filter(race_date_nz=racing_day(clock.now()))


def _outdated_races(races: QuerySet[Race]) -> Iterator[str]:
    for race in races.filter(mark__isnull=False).select_related("mark"):
        mark = race_mark(race.status, race.mark.polled_at, race.mark.generated_at)
        topic = f"race:{race.race_id}"
        if any(shelf.outdate({topic: shelf.version_of(race.mark.changed_at)}, mark)):
            yield topic


def _publish_race(race_id: str, found: TopicState) -> bool:
    topic = f"race:{race_id}"
    if (live := _whole_race(topic)) is None or (body := resources.make(live)).status != 200:
        return False  # there is no such race any more
    state = resources.render(body.data)
    page = msgspec.json.decode(state)
    is_ended = page["race"]["status"] in ENDED
    told = _news(page, state, deltas(msgspec.json.decode(found.told) if found.told else None, page))
    known = {live.key: replace(body, data=state), **dict(_parts(topic, body))}
    bodies = _bodies(topic, found, known, is_ended=is_ended)
    keep_seconds = settings.HISTORY_RETENTION_DAYS * DAY_SECONDS if is_ended else TOPIC_SECONDS
    return shelf.publish(topic, found, bodies, keep_seconds=keep_seconds, told=told)


def _news(page: dict[str, Any], state: bytes, events: Iterable[Event]) -> RaceNews:
    race = page["race"]
    written = [(kind, msgspec.json.encode(data)) for kind, data in events]
    return RaceNews(race["race_id"], race["meeting_id"], state, written)


def _parts(topic: str, body: Body) -> Iterator[tuple[str, Body]]:
    """Yield the bodies inside the whole race's body: made with it, and correct as long as polls say so."""
    assert isinstance(body.data, dict)  # noqa: S101 the body of a race that exists
    keep_seconds = None if body.mark else body.keep_seconds
    for route in routes("race"):
        part = body.data.get(route.resource.part)
        if part and (asked := request_for(route, topic)):
            yield asked.key, replace(body, data=part, keep_seconds=keep_seconds)


def _bodies(topic: str, state: TopicState, known: Mapping[str, Body], *, is_ended: bool = False) -> Bodies:
    """Yield the bodies that are always made, and those recently requested; known ones are not made again."""
    lately = nlargest(MOST_REMADE, ((left, key) for key, left in state.rounds.items() if left))
    wanted = {asked.key: (asked, left - 1) for left, key in lately if (asked := find_address(key))}
    is_read = time.time() - state.read < clock.real_seconds(READ_SECONDS)
    kinds = routes(topic.partition(":")[0])
    found = [route for route in kinds if _is_there(route.resource, is_read=is_read, is_ended=is_ended)]
    always = [asked for route in found if (asked := request_for(route, topic))]
    for asked, left in (wanted | {asked.key: (asked, ROUNDS) for asked in always}).values():
        body = known.get(asked.key) or resources.make(asked)
        if body.keep_seconds != 0:
            yield asked.key, resources.finish(body), left


def _is_there(made: Resource, *, is_read: bool, is_ended: bool) -> bool:
    return made.always or (made.while_read and is_read) or (made.at_end and is_ended)


def _whole_race(topic: str) -> ResourceRequest | None:
    return next((request_for(route, topic) for route in routes("race") if route.name == WHOLE_RACE), None)
