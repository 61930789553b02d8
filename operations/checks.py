"""Is Raceday working? Each check looks at one part and says so in a sentence; health and doctor use the same checks.

It works if each race was fetched, committed and published within the time that its cadence allows.
"""

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from django.conf import settings
from django.db import Error as DatabaseFault
from django.db import connection
from redis.exceptions import RedisError

from moneyflow import answers
from moneyflow.store.partitions import LEAST_RUNWAY_DAYS, runway_days
from operations.questions import Questions
from raceday import clock, replicas, valkey
from raceday.published import shelf
from raceday.queue.cluster import heartbeat_ages
from raceday.racing_day import racing_day
from races.cadence import STALE, CadenceSeconds, cadence, is_frozen, next_poll

LATE_SECONDS = 5.0  # of the machine, that a commit may come after it was due
SILENT_SECONDS = 15.0  # since a cluster's last heartbeat, which comes each second
WINDOW = timedelta(minutes=5)  # in which failed writes are counted
MANY_ANSWERS, TOO_MANY_ANSWERS = 100, 1000  # that wait to be written
OUTDATED_SECONDS = 10.0  # after which the body of a race should have been made again
LITTLE_BYTES, TOO_FEW_BYTES = 10**9, 2 * 10**8  # that are free on the disk
COMMITS = ("control", "write-0", "write-1")  # the clusters without which nothing is stored

LIVE = """
SELECT race_id, status, start_time, polled_at, generated_at, races.created_at < now() - interval '2 minutes'
FROM races LEFT JOIN poll_marks USING (race_id)
WHERE status NOT IN ('Final', 'Abandoned') AND start_time BETWEEN %s AND %s
"""
RUNS = "SELECT outcome, count(*) FROM poll_runs WHERE polled_at >= %s GROUP BY outcome"
NEWEST = "SELECT max(polled_at), max(generated_at) FROM poll_marks"
VERSION = "SELECT current_setting('server_version'), pg_size_pretty(pg_database_size(current_database()))"


class Status(StrEnum):
    """From good to bad. Unhealthy: nothing is stored, or clients would get wrong data."""

    OK = "ok"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


class Part(NamedTuple):
    """The state of one part, and a sentence that says what is well or what is not."""

    status: Status
    told: str


class LiveRace(NamedTuple):
    """A race that can still change, and its last poll. `is_known_long`: it came two minutes ago or earlier."""

    race_id: str
    status: str
    start: datetime
    polled_at: datetime | None
    generated_at: datetime | None
    is_known_long: bool


class Facts(NamedTuple):
    """What the database reports about itself and about the polls."""

    version: str
    size: str
    live: list[LiveRace]
    outcomes: Mapping[str, int]
    polled_at: datetime | None
    generated_at: datetime | None
    runway_days: int


_primary, _replicas = Questions("health"), Questions("health-replicas")


def read_facts(now: datetime) -> Facts:
    """Ask the database; django.db.Error when it does not answer within 2 s."""
    return _primary.ask(lambda: _read_facts(now))


def _read_facts(now: datetime) -> Facts:
    with connection.cursor() as cursor:
        cursor.execute(VERSION)
        version, size = cursor.fetchone()
        cursor.execute(LIVE, [now - STALE, now + timedelta(hours=24)])
        live = [LiveRace(*row) for row in cursor.fetchall()]
        cursor.execute(RUNS, [now - WINDOW])
        outcomes = dict(cursor.fetchall())
        cursor.execute(NEWEST)
        polled_at, generated_at = cursor.fetchone()
    runway = runway_days(racing_day(now))
    return Facts(version, size, live, outcomes, polled_at, generated_at, runway)


# ── Facts from the database ─────────────────────────────────────────────────────────────────────
def database(facts: Facts) -> Part:
    return Part(Status.OK, f"PostgreSQL {facts.version}, {facts.size}")


def polls(facts: Facts, now: datetime) -> Part:
    """Hold the last commit of each live race against what was due."""
    late = [seconds_late(race, now) for race in facts.live]
    overdue = [seconds for seconds in late if seconds > 0]
    if not overdue:
        return Part(Status.OK, f"{len(late)} live races, each stored when it was due")
    sentence = f"{len(overdue)} of {len(late)} live races are overdue, the longest for {max(overdue):.0f} s"
    return Part(Status.UNHEALTHY if 2 * len(overdue) > len(late) else Status.DEGRADED, sentence)


def seconds_late(race: LiveRace, now: datetime) -> float:
    """Raceday's seconds since a commit was due, beyond a cadence and the machine's 5 s; ≤ 0: it is not overdue."""
    seconds = CadenceSeconds(**settings.CADENCE_SECONDS)
    interval = cadence(race.status, race.start - now, seconds)
    if interval is None or (race.polled_at is None and not race.is_known_long):
        return 0.0
    if race.polled_at is None:
        return interval.total_seconds()
    due = next_poll(race.polled_at, race.polled_at, status=race.status, advertised_start=race.start, seconds=seconds)
    slack = interval.total_seconds() + LATE_SECONDS * clock.CLOCK.speed
    return (now - due).total_seconds() - slack if due else 0.0


def feed(facts: Facts) -> Part:
    """Judge the feed by its own time stamps: an old answer means that the feed has stopped renewing its data."""
    refresh = timedelta(seconds=settings.FEED_REFRESH_SECONDS)
    polled = [(race.generated_at, race.polled_at) for race in facts.live if race.polled_at and race.generated_at]
    frozen = [polled_at - made_at for made_at, polled_at in polled if is_frozen(made_at, polled_at, refresh)]
    if not frozen:
        return Part(Status.OK, f"{len(polled)} live races renew themselves, as each {refresh.total_seconds():g} s")
    oldest = f"its answers were up to {max(frozen).total_seconds():.0f} s old"
    sentence = f"the feed stands still for {len(frozen)} of {len(polled)} live races, {oldest}"
    return Part(Status.UNHEALTHY if 2 * len(frozen) > len(polled) else Status.DEGRADED, sentence)


def writes(facts: Facts) -> Part:
    """Look for answers of the last minutes that came and could not be stored."""
    failed = {name: facts.outcomes[name] for name in ("crashed", "no_partition") if name in facts.outcomes}
    minutes = WINDOW.total_seconds() / 60
    if not failed:
        return Part(Status.OK, f"{sum(facts.outcomes.values())} polls in {minutes:g} min, none failed to be stored")
    sentence = ", ".join(f"{number} {name}" for name, number in failed.items())
    is_most = 2 * sum(failed.values()) > sum(facts.outcomes.values())
    return Part(Status.UNHEALTHY if is_most else Status.DEGRADED, f"{sentence} in {minutes:g} min: see poll_status")


def runway(facts: Facts) -> Part:
    days = facts.runway_days
    if days >= LEAST_RUNWAY_DAYS:
        return Part(Status.OK, f"partitions for {days} days ahead")
    sentence = f"partitions for {days} days ahead, {LEAST_RUNWAY_DAYS} needed: manage.py partitions --apply"
    return Part(Status.DEGRADED if days >= 0 else Status.UNHEALTHY, sentence)


def replica_servers() -> Part:
    """Look for replicas that are not used, because they lag or do not answer; the primary answers instead."""
    try:
        states = _replicas.ask(replicas.states)
    except DatabaseFault as fault:
        return Part(Status.DEGRADED, f"the replicas cannot be looked at: {first_line(fault)}")
    unused = [_unused(state) for state in states if not state["is_used"]]
    return Part(Status.DEGRADED if unused else Status.OK, "; ".join(unused) or f"{len(states)} replicas are read from")


def _unused(state: Mapping[str, Any]) -> str:
    if not state["is_reachable"]:
        return f"{state['name']} does not answer"
    behind = "an unknown time" if state["lag_seconds"] is None else f"{state['lag_seconds']:.0f} s"
    return f"{state['name']} is {behind} behind"


# ── Facts from Valkey ───────────────────────────────────────────────────────────────────────────
def valkey_server() -> Part:
    server = valkey.client().info()
    version = server.get("valkey_version") or server["redis_version"]
    return Part(Status.OK, f"Valkey {version}, {server['used_memory_human']}")


def queue() -> Part:
    """Count the answers that wait to be written."""
    waiting = answers.waiting()
    status = Status.OK if waiting <= MANY_ANSWERS else Status.DEGRADED
    status = Status.UNHEALTHY if waiting > TOO_MANY_ANSWERS else status
    return Part(status, f"answers that wait to be written: {waiting}")


def clusters() -> Part:
    """Look for each cluster's heartbeat."""
    ages = heartbeat_ages()
    silent = [name for name, age in ages.items() if age is None or age > SILENT_SECONDS]
    if len(silent) == len(ages):
        return Part(Status.UNHEALTHY, "nothing runs: ./run demo or ./run live starts it")
    if silent:
        status = Status.UNHEALTHY if set(silent) & set(COMMITS) else Status.DEGRADED
        return Part(status, f"no heartbeat of {' and '.join(silent)} for {SILENT_SECONDS:.0f} s: see their logs")
    return Part(Status.OK, ", ".join(f"{name} {age:.0f} s ago" for name, age in ages.items()))


def bodies(live: Iterable[LiveRace], now: datetime) -> Part:
    """Look for races whose bodies a commit outdated and nobody has made again."""
    names = [shelf.name_of(f"race:{race.race_id}") for race in live if abs(race.start - now) < timedelta(minutes=15)]

    def read(client: Any) -> list[bytes | None]:
        with client.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.hget(name, "outdated")
            return list(pipe.execute())

    since = [float(instant) for instant in read(valkey.client()) if instant] if names else []
    waiting = [age for age in (time.time() - at for at in since) if age > OUTDATED_SECONDS]
    if waiting:
        sentence = f"the bodies of {len(waiting)} races wait to be made, up to {max(waiting):.0f} s: see publish's log"
        return Part(Status.DEGRADED, sentence)
    return Part(Status.OK, f"{len(names)} races near their start, none waits for its bodies")


# ── The machine ─────────────────────────────────────────────────────────────────────────────────
def disk() -> Part:
    free = data_disk().free
    sentence = f"{free / 10**9:.1f} GB free on the disk of the data"
    if free < LITTLE_BYTES:
        return Part(Status.UNHEALTHY if free < TOO_FEW_BYTES else Status.DEGRADED, f"only {sentence}")
    return Part(Status.OK, sentence)


def data_disk() -> Any:
    """Return total, used and free bytes of the disk of the data, whose folder may still have to be made."""
    return shutil.disk_usage(next(path for path in (settings.HOME, *settings.HOME.parents) if path.exists()))


# ── All of them ─────────────────────────────────────────────────────────────────────────────────
def run_all(now: datetime) -> tuple[dict[str, Part], Facts | None]:
    """Return each part by its name, and the database's facts or None; a failed part hides no other part."""
    try:
        facts = read_facts(now)
    except DatabaseFault as fault:
        facts, away = None, Part(Status.UNHEALTHY, f"the database does not answer: {first_line(fault)}")
    parts: dict[str, Part] = {}
    if facts is None:
        parts["database"] = away
    else:
        parts |= {"database": database(facts), "polls": polls(facts, now), "feed": feed(facts)}
        parts |= {"writes": writes(facts), "runway": runway(facts)}
        parts |= {"replicas": replica_servers()} if replicas.names() else {}
    live = facts.live if facts else []
    checks: dict[str, Callable[[], Part]] = {
        "valkey": valkey_server,
        "queue": queue,
        "clusters": clusters,
        "bodies": lambda: bodies(live, now),
    }
    for name, check in checks.items():
        try:
            parts[name] = check()
        except (RedisError, OSError) as fault:
            parts["valkey"] = Part(Status.UNHEALTHY, f"Valkey does not answer: {first_line(fault)}")
            break
    return parts | {"disk": disk()}, facts


def worst(parts: Iterable[Part]) -> Status:
    """Return the status of all: that of the worst."""
    found = Counter(part.status for part in parts)
    return next((status for status in reversed(Status) if found[status]), Status.OK)


def first_line(fault: Exception) -> str:
    return str(fault).partition("\n")[0]
