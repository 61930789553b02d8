"""Room 5, PUBLISH: after a commit, each body it changed is made once, by its page, and the streams are told."""

import time
from collections.abc import Iterator, Mapping
from heapq import nlargest
from urllib.parse import quote

import msgspec
import structlog
from django.conf import settings
from django.db.models import QuerySet

from raceday import clock, pages, shelf
from raceday.feed.records import ENDED
from raceday.pages import ROUNDS, find_address
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
CORE = {
    "race": ("/api/races/{0}", "/api/entrants?race_id={0}", "/api/race-pools?race_id={0}"),
    "meeting": (
        "/api/meetings/{0}",
        "/api/meetings/{0}/races",
        "/api/meetings/{0}/status",
        "/api/races?meeting_id={0}",
    ),
    "card": ("/api/meetings", "/api/races/upcoming", "/api/races/next-scheduled"),
}
AT_THE_END = ("/api/race-results?race_id={0}", "/api/races/{0}/history")


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
            is_published = shelf.publish(topic, found, _bodies(CORE[kind], name, found.rounds))
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
    live = find_address(LIVE.format(quote(race_id)))
    if live is None or (body := pages.make(live)).status != 200:
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
    addresses = CORE["race"] + (AT_THE_END if is_ended else ())
    beside = {key: rounds for key, rounds in found.rounds.items() if key != live.key}
    bodies = [(live.key, pages.finish(body), ROUNDS), *_bodies(addresses, race_id, beside)]
    keep_seconds = settings.HISTORY_RETENTION_DAYS * DAY_SECONDS if is_ended else TOPIC_SECONDS
    return shelf.publish(f"race:{race_id}", found, bodies, keep_seconds=keep_seconds, told=told)


def _bodies(addresses: tuple[str, ...], name: str, rounds: Mapping[str, int]) -> Bodies:
    """The bodies that are always there, and those that somebody asked for lately."""
    lately = nlargest(MOST_REMADE, ((left, key) for key, left in rounds.items() if left))
    wanted = {asked.key: (asked, left - 1) for left, key in lately if (asked := find_address(key))}
    always = [asked for address in addresses if (asked := find_address(address.format(quote(name))))]
    for asked, left in (wanted | {asked.key: (asked, ROUNDS) for asked in always}).values():
        if (body := pages.make(asked)).keep_seconds != 0:
            yield asked.key, pages.finish(body), left
