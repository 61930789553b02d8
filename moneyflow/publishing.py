"""Room 5, PUBLISH: after a commit, each body it changed is made once, by its page, and the streams are told."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from heapq import nlargest
from urllib.parse import quote

import msgspec
import structlog
from django.conf import settings
from django.db.models import QuerySet

from raceday import clock, pages, shelf
from raceday.feed.records import ENDED
from raceday.pages import ROUNDS, Asked, Body, find_address
from raceday.racing_day import racing_day
from raceday.shelf import TOPIC_SECONDS, Finished, Standing, Told
from races.deltas import deltas
from races.models import Race
from races.views import race_mark

DAY_SECONDS = 86_400
MOST_REMADE = 60  # bodies of a topic, the newest first: one client's many queries must not keep the workers busy
TRIES = 3  # each means that a poll of the same race came in between
log = structlog.get_logger("raceday.publish")
Bodies = Iterator[tuple[str, Finished, int]]

# What is always there; of the rest, what somebody asked for lately.
LIVE = "/api/races/{0}/live"
PARTS = {"race": "/api/races/{0}", "pools": "/api/race-pools?race_id={0}", "results": "/api/race-results?race_id={0}"}
CORE = {
    "race": (LIVE, PARTS["race"], "/api/entrants?race_id={0}", PARTS["pools"]),
    "meeting": (
        "/api/meetings/{0}",
        "/api/meetings/{0}/races",
        "/api/meetings/{0}/status",
        "/api/races?meeting_id={0}",
    ),
    "card": ("/api/meetings", "/api/races/upcoming", "/api/races/next-scheduled"),
}
AT_THE_END = (PARTS["results"], "/api/races/{0}/history")


def publish(topic: str) -> bool:
    """This function will make the topic's bodies anew and put them in place of the outdated ones, all in one step.

    False when nothing was put there: another publication was first, or Valkey is away, and the next poll will see.
    """
    began = time.perf_counter()
    kind, _, name = topic.partition(":")
    for _ in range(TRIES):
        if (found := shelf.standing(topic)) is None:
            return False
        if kind == "race":
            if found.is_made:
                return False
            is_published = _publish_race(name, found)
        else:
            is_published = shelf.publish(topic, found, _bodies(CORE[kind], name, found.rounds, {}))
        if is_published:
            log.info("published", topic=topic, ms=round(1000 * (time.perf_counter() - began), 3))
            return True
    return False


def warm_card() -> int:
    """This function will publish today's card and its meetings anew; returns how many topics."""
    meetings = _today().order_by().values_list("meeting_id", flat=True).distinct()
    topics = ["card", *(f"meeting:{meeting_id}" for meeting_id in meetings)]
    shelf.outdate(dict.fromkeys(topics))
    return sum(publish(topic) for topic in topics)


def warm() -> int:
    """This function will publish today's card, and those of its races that have no current bodies."""
    return warm_card() + sum(publish(topic) for topic in _outdated_races(_today()))


def _today() -> QuerySet[Race]:
    return Race.objects.filter(race_date_nz=racing_day(clock.now()))


def _outdated_races(races: QuerySet[Race]) -> Iterator[str]:
    for race in races.filter(mark__isnull=False).select_related("mark"):
        mark = race_mark(race.status, race.mark.polled_at)
        topic = f"race:{race.race_id}"
        if any(shelf.outdate({topic: shelf.version_of(race.mark.changed_at)}, mark)):
            yield topic


def _publish_race(race_id: str, found: Standing) -> bool:
    if (live := _asked(LIVE, race_id)) is None or (body := pages.make(live)).status != 200:
        return False  # there is no such race any more
    state = pages.render(body.data)
    page = msgspec.json.decode(state)
    is_ended = page["race"]["status"] in ENDED
    told = Told(
        race_id=race_id,
        meeting_id=page["race"]["meeting_id"],
        state=state,
        events=[
            (kind, msgspec.json.encode(data))
            for kind, data in deltas(msgspec.json.decode(found.told) if found.told else None, page)
        ],
    )
    known = {live.key: replace(body, data=state), **dict(_parts(race_id, body))}
    addresses = CORE["race"] + (AT_THE_END if is_ended else ())
    bodies = _bodies(addresses, race_id, found.rounds, known)
    keep_seconds = settings.HISTORY_RETENTION_DAYS * DAY_SECONDS if is_ended else TOPIC_SECONDS
    return shelf.publish(f"race:{race_id}", found, bodies, keep_seconds=keep_seconds, told=told)


def _parts(race_id: str, body: Body) -> Iterator[tuple[str, Body]]:
    """The bodies that the race page has within it: made with it, and true as long as polls say so."""
    assert isinstance(body.data, dict)  # noqa: S101 the page of a race that stands
    keep_seconds = None if body.mark else body.keep_seconds
    for name, address in PARTS.items():
        if (part := body.data.get(name)) and (asked := _asked(address, race_id)):
            yield asked.key, replace(body, data=part, keep_seconds=keep_seconds)


def _bodies(addresses: tuple[str, ...], name: str, rounds: Mapping[str, int], known: Mapping[str, Body]) -> Bodies:
    """The bodies that are always there, and those that somebody asked for lately; what is known is not made again."""
    lately = nlargest(MOST_REMADE, ((left, key) for key, left in rounds.items() if left))
    wanted = {asked.key: (asked, left - 1) for left, key in lately if (asked := find_address(key))}
    always = [asked for address in addresses if (asked := _asked(address, name))]
    for asked, left in (wanted | {asked.key: (asked, ROUNDS) for asked in always}).values():
        body = known.get(asked.key) or pages.make(asked)
        if body.keep_seconds != 0:
            yield asked.key, pages.finish(body), left


def _asked(address: str, name: str) -> Asked | None:
    return find_address(address.format(quote(name)))
