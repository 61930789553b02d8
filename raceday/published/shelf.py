"""PUBLISH: the shelf of finished bodies in Valkey, one hash for each topic. It renders nothing and knows no request.

A topic (`race:ID`, `meeting:ID`, `card`, `alerts:USER`) has a version, a word that a commit replaces. A body is current
while the version under which it was read is the topic's. Fields of the hash:

    version                      the word
    outdated                     Unix seconds of the commit, until a publication comes
    mark                         `polled_at|epoch|fresh_until|generated_at`, moved by each poll of a race, also an
                                 unchanged one
    read                         Unix seconds of a request for a body that is made while it is read
    told                         `version` newline, then the race as the streams last described it, deflated
    <key> <identity|gzip|br>     `version|status|etag|fresh_until|rounds|polled_at|epoch` newline, then the bytes
"""

import secrets
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from raceday import valkey
from raceday.published.events import LOG, MOST_EVENTS

NEWEST = "newest-poll"  # the mark of whichever race was polled last
NAME = "published:4:"  # the number is the fields' format: what another Raceday left is not read
TOPIC_SECONDS = 2 * 86_400
NOTE_SECONDS = 30  # between the requests that are noted
UNKNOWN_SECONDS = 60  # that is remembered of a topic somebody asked for, until it turns out to be one
MOST_FIELDS = 600  # of a topic; queries of endless variety must not fill Valkey
IDENTITY, GZIP, BR = "identity", "gzip", "br"

OUTDATE = """
local is_new = redis.call('HGET', KEYS[1], 'version') ~= ARGV[1]
if is_new then
    redis.call('HSET', KEYS[1], 'version', ARGV[1])
    redis.call('HSETNX', KEYS[1], 'outdated', ARGV[2])
end
if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'mark', ARGV[3]) end
redis.call('EXPIRE', KEYS[1], ARGV[4], 'NX')
redis.call('EXPIRE', KEYS[1], ARGV[4], 'GT')
return is_new and 1 or 0
"""
# Nothing is done unless the streams were last told what the caller knows; else it looks again.
IS_TOLD = """
local told = redis.call('HGET', KEYS[1], 'told')
if (told and string.match(told, '^[^\\n]*') or '') ~= ARGV[1] then return 0 end
"""
TELL = """
while ARGV[at] do
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], '*', 'race', ARGV[3], 'meeting', ARGV[4],
        'kind', ARGV[at], 'data', ARGV[at + 1])
    at = at + 2
end
return 1
"""
# Bodies made under another version are not stored; the caller renders again.
PUBLISH = f"""{IS_TOLD}
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[5] then return 0 end
local kept = redis.call('HMGET', KEYS[1], 'mark', 'read')
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'version', ARGV[5])
if kept[1] then redis.call('HSET', KEYS[1], 'mark', kept[1]) end
if kept[2] then redis.call('HSET', KEYS[1], 'read', kept[2]) end
redis.call('EXPIRE', KEYS[1], ARGV[6])
local at = 8
for _ = 1, tonumber(ARGV[7]) do
    redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1])
    at = at + 2
end
{TELL}"""
ANNOUNCE = f"""{IS_TOLD}
redis.call('HSET', KEYS[1], 'told', ARGV[5])
local at = 6
{TELL}"""


class Mark(NamedTuple):
    """A race's last poll as headers show it, and until when its bodies are fresh without another poll; 0: for ever.

    generated_at: the feed's own stamp of what the poll brought; "": not known here.
    """

    polled_at: str
    epoch: float
    fresh_until: float
    generated_at: str = ""


class Copy(NamedTuple):
    """One finished body in one encoding. fresh_until 0 sets no limit; rounds: publications it is still remade for.

    mark: the poll it was made after, without a limit; a later poll that changed nothing is known to the topic alone.
    """

    version: str
    status: int
    etag: str
    fresh_until: float
    rounds: int
    mark: Mark | None
    encoding: str
    content: bytes


class Lookup(NamedTuple):
    """What is on the shelf for a body: the topic's version and mark, and a copy, current or not.

    outdated: Unix seconds of the commit that outdated the copy and whose publication is still to come; 0: none.
    read: Unix seconds of the newest request that was noted; 0: none.
    """

    version: str | None
    mark: Mark | None
    copy: Copy | None
    outdated: float = 0.0
    read: float = 0.0

    @property
    def is_current(self) -> bool:
        return self.copy is not None and self.copy.version == self.version

    @property
    def polled(self) -> Mark | None:
        """Return the newest poll that the copy is known to show."""
        return self.mark if self.is_current or not self.copy else self.copy.mark

    @property
    def fresh_until(self) -> float:
        """The first of the limits that body and mark set, in machine seconds; 0 when neither does."""
        limits = [self.copy.fresh_until if self.copy else 0, self.mark.fresh_until if self.mark else 0]
        return min((limit for limit in limits if limit), default=0)

    @property
    def is_fresh(self) -> bool:
        return not self.fresh_until or time.time() < self.fresh_until


class StoredBody(NamedTuple):
    """A body rendered and compressed once, by encoding; small ones as they are, others packed only."""

    status: int
    etag: str
    fresh_until: float
    contents: Mapping[str, bytes]


class TopicState(NamedTuple):
    """A topic as a publication finds it: version, mark, `told` with its version, and keys with their rounds.

    is_made: the bodies of this version are on the shelf and the streams know them.
    read: Unix seconds of the newest request that was noted; 0: none.
    """

    version: str
    mark: Mark | None
    told_version: str
    told: bytes | None
    rounds: Mapping[str, int]
    is_made: bool
    read: float = 0.0


class RaceNews(NamedTuple):
    """What the streams know once these events are in the log, which holds about `most_events`."""

    race_id: str
    meeting_id: str
    state: bytes
    events: Sequence[tuple[str, bytes]]
    most_events: int = MOST_EVENTS


NO_NEWS = RaceNews("", "", b"", ())


def version_of(changed_at: datetime) -> str:
    """Write the version of a race's topic: the instant of its last change."""
    return changed_at.isoformat()


def name_of(topic: str) -> str:
    """Return the name of a topic's hash in Valkey."""
    return valkey.key(f"{NAME}{topic}")


def lookup(topic: str, key: str, encoding: str) -> Lookup | None:
    """Look for a body in this encoding, or as it is, in one round trip; None without Valkey."""
    # What is packed is kept in both packings, so whoever wants it as it is unpacks one.
    packed = GZIP if encoding == IDENTITY else encoding
    fields = ["version", "mark", "outdated", "read", f"{key} {packed}", f"{key} {IDENTITY}"]
    values = valkey.read_hash(f"{NAME}{topic}", fields)
    if values is None:
        return None
    version, mark, outdated, read, small, whole = values
    copy = _copy(whole, IDENTITY) if whole else _copy(small, packed) if small else None
    if copy and encoding == IDENTITY and copy.encoding == GZIP:
        copy = copy._replace(encoding=IDENTITY, content=zlib.decompress(copy.content, wbits=31))
    return Lookup(version.decode() if version else None, read_mark(mark), copy, float(outdated or 0), float(read or 0))


def begin(topic: str) -> Lookup | None:
    """Return version and mark to note before a body is read from the database; None: do not store it.

    A topic without a version gets one, so that a publication in the meantime outdates the body.
    """

    def steps(client: Any) -> tuple[str, bytes | None, int]:
        name = name_of(topic)
        with client.pipeline(transaction=True) as pipe:
            pipe.hsetnx(name, "version", secrets.token_hex(8)).expire(name, UNKNOWN_SECONDS, nx=True)
            pipe.hmget(name, ["version", "mark"]).hlen(name)
            *_, (version, mark), fields = pipe.execute()
        return version.decode(), mark, fields

    found = valkey.ask(steps)
    if found is None or found[2] > MOST_FIELDS:
        return None
    return Lookup(found[0], read_mark(found[1]), None)


def fill(topic: str, key: str, finished: StoredBody, *, noted: Lookup, mark: Mark | None, rounds: int) -> None:
    """Store a body that a request made, under the version noted before it was read."""
    fields = _fields(key, finished, noted.version or "", rounds, mark or noted.mark)
    if mark and not (noted.mark and noted.is_fresh):
        fields["mark"] = write_mark(mark)

    def steps(client: Any) -> None:
        with client.pipeline(transaction=True) as pipe:
            pipe.hset(name_of(topic), mapping=fields).expire(name_of(topic), TOPIC_SECONDS, gt=True).execute()

    valkey.ask(steps)


def note_read(topic: str, found: Lookup) -> None:
    """Note that somebody reads what is made while it is read, unless that was noted just before."""
    now, name = time.time(), name_of(topic)

    def steps(client: Any) -> None:
        with client.pipeline(transaction=True) as pipe:
            pipe.hset(name, "read", now).expire(name, UNKNOWN_SECONDS, nx=True).execute()

    if now - found.read > NOTE_SECONDS:
        valkey.ask(steps)


def release(topic: str, key: str) -> None:
    """Let other requests make the body: it is made, or cannot be made."""
    valkey.ask(lambda client: client.delete(_lock(topic, key)))


def take(topic: str, key: str, seconds: float) -> bool:
    """Tell one of many callers to make the body."""
    return bool(valkey.ask(lambda client: client.set(_lock(topic, key), 1, nx=True, px=int(seconds * 1000))))


def outdate(versions: Mapping[str, str | None], mark: Mark | None = None, *, told: RaceNews = NO_NEWS) -> list[bool]:
    """Outdate every body of these topics at once, after the commit; one round trip.

    versions: the new word by topic; None: any word that was never used. The mark belongs to the first topic. told: news
    that no body shows; its events are logged, its state is not looked at. Return for each topic whether its version
    changed.
    """

    def steps(client: Any) -> list[bool]:
        with client.pipeline(transaction=True) as pipe:
            for position, (topic, version) in enumerate(versions.items()):
                moved = write_mark(mark) if mark and not position else ""
                word = version or secrets.token_hex(8)
                pipe.eval(OUTDATE, 1, name_of(topic), word, time.time(), moved, TOPIC_SECONDS)
            if mark:
                pipe.set(valkey.key(NEWEST), write_mark(mark), ex=TOPIC_SECONDS)
            for kind, data in told.events:
                entry = {"race": told.race_id, "meeting": told.meeting_id, "kind": kind, "data": data}
                pipe.xadd(valkey.key(LOG), entry, maxlen=told.most_events, approximate=True)
            return [bool(is_new) for is_new in pipe.execute()[: len(versions)]]

    return (valkey.tell(steps) if versions else []) or []


def topic_state(topic: str) -> TopicState | None:
    """Read what a publication of the topic has to know; None without a version or Valkey."""
    fields = valkey.tell(lambda client: client.hgetall(name_of(topic))) or {}
    if b"version" not in fields:
        return None
    told_version, _, told = fields.get(b"told", b"").partition(b"\n")
    copies = {name.decode().rpartition(" ")[0]: _copy(value, "") for name, value in fields.items() if b" " in name}
    version = fields[b"version"].decode()
    return TopicState(
        version=version,
        mark=read_mark(fields.get(b"mark")),
        told_version=told_version.decode(),
        told=zlib.decompress(told) if told else None,
        rounds={key: copy.rounds for key, copy in copies.items()},
        is_made=told_version == fields[b"version"] and any(copy.version == version for copy in copies.values()),
        read=float(fields.get(b"read", 0)),
    )


def publish(
    topic: str,
    found: TopicState,
    bodies: Iterable[tuple[str, StoredBody, int]],
    *,
    keep_seconds: int = TOPIC_SECONDS,
    told: RaceNews = NO_NEWS,
) -> bool:
    """Store (key, body, rounds) in place of the topic's old bodies and log the events, in one step.

    Return False and change nothing if the topic has another version by now, or if the streams were told something else.
    """
    fields: dict[str, str | bytes] = {}
    for key, finished, rounds in bodies:
        fields |= _fields(key, finished, found.version, rounds, found.mark)
    if told is not NO_NEWS:
        fields["told"] = _told(found.version, told.state)
    stored = [part for field in fields.items() for part in field]
    return _tell(PUBLISH, topic, found.told_version, told, found.version, keep_seconds, len(fields), *stored)


def read_told(topic: str) -> tuple[str, bytes] | None:
    """Return the version of what the streams were last told of a race, and the body; None if they know nothing."""
    told = valkey.tell(lambda client: client.hget(name_of(topic), "told"))
    if not told:
        return None
    version, _, state = told.partition(b"\n")
    return version.decode(), zlib.decompress(state)


def announce(topic: str, told_version: str, told: RaceNews) -> bool:
    """Log events ahead of the bodies that will contain their news; return False if the streams were told otherwise.

    The publication that follows finds the news told. One that is under way has to look again.
    """
    # No topic has such a version, so the bodies are still to be made.
    return _tell(ANNOUNCE, topic, told_version, told, _told(f"{told_version}+", told.state))


def _tell(script: str, topic: str, told_version: str, told: RaceNews, *own: str | bytes | int) -> bool:
    logged = [part for event in told.events for part in event]
    arguments = [told_version, told.most_events, told.race_id, told.meeting_id, *own, *logged]
    keys = [name_of(topic), valkey.key(LOG)]
    return bool(valkey.tell(lambda client: client.eval(script, 2, *keys, *arguments)))


def _told(version: str, state: bytes) -> bytes:
    return version.encode() + b"\n" + zlib.compress(state, 1)


def write_mark(mark: Mark) -> str:
    """Write a mark as the hash has it."""
    return f"{mark.polled_at}|{mark.epoch}|{mark.fresh_until}|{mark.generated_at}"


def read_mark(written: bytes | None) -> Mark | None:
    """Read what `write_mark` wrote; None where nothing is written."""
    if not written:
        return None
    polled_at, epoch, fresh_until, generated_at = written.decode().split("|")
    return Mark(polled_at, float(epoch), float(fresh_until), generated_at)


def _fields(key: str, finished: StoredBody, version: str, rounds: int, mark: Mark | None) -> dict[str, str | bytes]:
    polled = f"{mark.polled_at}|{mark.epoch}" if mark else "|"
    head = f"{version}|{finished.status}|{finished.etag}|{finished.fresh_until}|{rounds}|{polled}\n".encode()
    return {f"{key} {encoding}": head + content for encoding, content in finished.contents.items()}


def _copy(value: bytes, encoding: str) -> Copy:
    head, _, content = value.partition(b"\n")
    version, status, etag, fresh_until, rounds, polled_at, epoch = head.decode().split("|")
    mark = Mark(polled_at, float(epoch), 0.0) if polled_at else None
    return Copy(version, int(status), etag, float(fresh_until), int(rounds), mark, encoding, content)


def _lock(topic: str, key: str) -> str:
    return valkey.key(f"making:{topic}:{key}")
