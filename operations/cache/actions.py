"""PUBLISH: staff remove published bodies by resource, race or pattern, or all of them. Nothing is rendered here.

Removing takes away a topic's bodies and gives the topic another version. So a request that read the database before
cannot store an old body, and a publication in progress notices and starts again. A new version alone is not enough: a
race's next poll sets the instant of its last change again, and bodies of that version would be current once more. The
next request makes a new body while others wait. A race's next poll, also an unchanged one, publishes all of them.

The hash itself stays, because parts of it cannot be made again. Without `mark` nothing says how old the bodies are and
when they are no longer fresh. Without `told` a new stream would find no race to begin with, and open streams would get
whole races again. Only topics change: queues, limits, login waits and the log of events have names of their own, and
sessions are in PostgreSQL.

A resource goes with its topic, because its bodies are made from the same rows and versions belong to topics. Web
processes send what they have in memory for another quarter of a second.
"""

import re
import secrets
import time
from collections.abc import Callable, Iterable
from fnmatch import translate
from typing import Any, NamedTuple, TypeVar

import structlog
from rest_framework.exceptions import APIException

from raceday import valkey
from raceday.published import resources, shelf
from raceday.published.resources import ResourceRequest

SCAN_NAMES = 500  # that Valkey looks at in one step
MOST_SECONDS = 5.0
ORIGIN = re.compile(r"^https?://[^/]+")
GLOB = re.compile(r"([*?\[\]\\])")
DROP = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[1])
local bodies = 0
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    if string.find(field, ' ', 1, true) then
        redis.call('HDEL', KEYS[1], field)
        if string.sub(field, -3) ~= ' br' then bodies = bodies + 1 end
    end
end
return bodies
"""

log = structlog.get_logger(__name__)
T = TypeVar("T")


class ValkeyAwayError(APIException):
    """Valkey did not answer: a 503, and what was to be done may be half done."""

    status_code = 503
    default_detail = "Valkey does not answer; try again in a moment"


class Done(NamedTuple):
    """Topics whose bodies were removed, bodies that were named, and whether there was time for all of them."""

    topics: int
    bodies: int
    is_complete: bool = True


def page_at(address: str) -> ResourceRequest | None:
    """Find the resource that has this address or this key; None if there is none."""
    return resources.find_address(ORIGIN.sub("", address))


def invalidate_page(asked: ResourceRequest) -> Done:
    """Remove the bodies of a resource's topic; bodies: 1 if the named one was among them."""
    return _told("page", asked.key, _invalidate(asked.topic, lambda key: key == asked.key))


def invalidate_race(race_id: str) -> Done:
    """Drop all bodies of a race, whatever their queries; those of its meeting and the card stay."""
    return _told("race", race_id, _invalidate(f"race:{race_id}", lambda _: True))


def invalidate_pattern(pattern: str) -> Done:
    """Remove the bodies of each topic that has a body whose key the glob matches: `/api/entrants*`."""
    matches = re.compile(translate(pattern)).match
    bodies: list[int] = []

    def visit(client: Any, topics: list[str]) -> None:
        kept = {topic: sum(map(bool, map(matches, keys))) for topic, keys in _keys(client, topics).items()}
        _drop(client, [topic for topic, number in kept.items() if number])
        bodies.extend(filter(None, kept.values()))

    is_complete = ask(lambda client: walk(client, visit))
    return _told("pattern", pattern, Done(len(bodies), sum(bodies), is_complete))


def clear() -> Done:
    """Remove all bodies of all topics; marks, and what the streams were told, stay."""
    bodies: list[int] = []

    def visit(client: Any, topics: list[str]) -> None:
        bodies.extend(_drop(client, topics))

    is_complete = ask(lambda client: walk(client, visit))
    return _told("clear", None, Done(len(bodies), sum(bodies), is_complete))


def ask(question: Callable[[Any], T]) -> T:
    """Return Valkey's answer, or raise ValkeyAwayError."""
    answer = valkey.ask(question)
    if answer is None:
        raise ValkeyAwayError
    return answer


def walk(client: Any, visit: Callable[[Any, list[str]], None]) -> bool:
    """Show `visit` every topic on the shelf, in groups; return False if the time ran out.

    It uses SCAN, whose steps are short, so nobody else waits for Valkey.
    """
    prefix = shelf.name_of("")
    pattern = GLOB.sub(r"\\\1", prefix) + "*"
    give_up = time.monotonic() + MOST_SECONDS
    seen: set[str] = set()  # SCAN may name one twice
    cursor = None
    while cursor != 0:
        if time.monotonic() > give_up:
            return False
        cursor, names = client.scan(cursor or 0, match=pattern, count=SCAN_NAMES)
        topics = {name.decode()[len(prefix) :] for name in names} - seen
        seen |= topics
        if topics:
            visit(client, sorted(topics))
    return True


def _invalidate(topic: str, is_meant: Callable[[str], bool]) -> Done:
    keys = ask(lambda client: _keys(client, [topic])).get(topic)
    if keys is None:  # not on the shelf, and no name of a client's choice comes there
        return Done(0, 0)
    ask(lambda client: _drop(client, [topic]))
    return Done(1, sum(map(is_meant, keys)))


def _drop(client: Any, topics: Iterable[str]) -> list[int]:
    """Remove the bodies of topics on the shelf; return how many each had, not counting encodings."""
    drop = client.register_script(DROP)
    with client.pipeline(transaction=False) as pipe:
        for topic in topics:
            drop(keys=[shelf.name_of(topic)], args=[secrets.token_hex(8)], client=pipe)
        return list(pipe.execute())


def _keys(client: Any, topics: list[str]) -> dict[str, set[str]]:
    """Return the keys of each topic's bodies, without topics that do not exist; `shelf.MOST_FIELDS` limits them."""
    with client.pipeline(transaction=False) as pipe:
        for topic in topics:
            pipe.hkeys(shelf.name_of(topic))
        found = zip(topics, pipe.execute(), strict=True)
    return {
        topic: {field.decode().rpartition(" ")[0] for field in fields if b" " in field}
        for topic, fields in found
        if fields
    }


def _told(by: str, what: str | None, done: Done) -> Done:
    log.info("bodies_invalidated", by=by, what=what, **done._asdict())
    return done
