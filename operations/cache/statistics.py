"""Statistics of the response cache: what is stored and how often it was used, from Valkey and the counters."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client import Metric
from prometheus_client.multiprocess import MultiProcessCollector

from operations.cache.actions import ask, walk
from raceday import home, valkey
from raceday.processes import is_running
from raceday.published import events, resources, shelf
from raceday.published.shelf import BR, GZIP, IDENTITY
from raceday.run import running

OUTCOMES = {"hits": "hit", "stales": "stale", "misses": "miss"}
NO_COUNTS = "each process counts for itself: neither PROMETHEUS_MULTIPROC_DIR nor a running ./run demo or live"
ENCODINGS = (IDENTITY, GZIP, BR)
MEASURE = """
local count = {identity = 0, gzip = 0, br = 0}
local bytes = {identity = 0, gzip = 0, br = 0}
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    local encoding = string.match(field, ' (%a+)$')
    if encoding and count[encoding] then
        count[encoding] = count[encoding] + 1
        bytes[encoding] = bytes[encoding] + redis.call('HSTRLEN', KEYS[1], field)
    end
end
return {redis.call('HGET', KEYS[1], 'mark') or '', count.identity + count.gzip, bytes.identity, bytes.gzip, bytes.br}
"""


@dataclass(slots=True)
class Shelf:
    """What the shelf has, added up topic by topic; marks are (epoch, polled_at)."""

    topics: Counter[str] = field(default_factory=Counter)
    bodies: int = 0
    sizes: Counter[str] = field(default_factory=Counter)
    marks: list[tuple[float, str]] = field(default_factory=list)

    def add(self, client: Any, topics: list[str]) -> None:
        """Measure some topics inside Valkey, in one round trip, so that the bodies stay there."""
        measure = client.register_script(MEASURE)
        with client.pipeline(transaction=False) as pipe:
            for topic in topics:
                measure(keys=[shelf.name_of(topic)], client=pipe)
            measured = pipe.execute()
        self.topics.update(topic.partition(":")[0] for topic in topics)
        for mark, bodies, *sizes in measured:
            self.bodies += bodies
            self.sizes.update(dict(zip(ENCODINGS, sizes, strict=True)))
            if polled := shelf.read_mark(mark):
                self.marks.append((polled.epoch, polled.polled_at))


def collect() -> dict[str, Any]:
    """Return what is stored, sizes in bytes, ages in machine seconds; ValkeyAwayError without Valkey.

    An unknown value is None: hit rates if no counters can be read, a ratio of nothing, a limit that is not set.
    """
    kept = Shelf()
    is_complete = ask(lambda client: walk(client, kept.add))
    oldest, newest = (min(kept.marks), max(kept.marks)) if kept.marks else (None, None)
    counted = routes()
    return {
        "routes": counted,
        "routes_unknown": NO_COUNTS if counted is None else None,
        "topics": dict(sorted(kept.topics.items())),
        "bodies": kept.bodies,
        "bytes": {encoding: kept.sizes[encoding] for encoding in ENCODINGS},
        "oldest_mark": _mark(oldest),
        "newest_mark": _mark(newest),
        "is_complete": is_complete,
        "events": ask(_events),
        "valkey": ask(_server),
    }


def routes() -> list[dict[str, Any]] | None:
    """Return how often each route used stored bodies since the processes were started.

    None if the counters of all processes cannot be read.
    """
    folder = _counters()
    if folder is None:
        return None
    counted: dict[str, Counter[str]] = {}
    for sample in _samples(folder):
        counted.setdefault(sample.labels["route"], Counter())[sample.labels["outcome"]] += int(sample.value)
    return [
        {"route": route, "hit_rate": _ratio(outcomes["hit"], outcomes.total())}
        | {name: outcomes[outcome] for name, outcome in OUTCOMES.items()}
        for route, outcomes in sorted(counted.items())
    ]


def _counters() -> Path | None:
    """Where all processes count: the folder of this tree or, for a manage.py beside one, of that which has the home."""
    if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return Path(folder)
    root = home.home()
    if not (root / "lock").exists():
        return None
    pid, command = running.holder(root)
    is_up = command.partition(" ")[0] in {"demo", "live"} and is_running(pid)
    return home.metrics_folder(root) if is_up else None


def _samples(folder: Path) -> Iterator[Any]:
    merged: Any = MultiProcessCollector.merge(map(str, folder.glob("counter_*.db")))  # type: ignore[no-untyped-call]
    metrics: list[Metric] = [metric for metric in merged if metric.name == "raceday_cache_requests"]
    for metric in metrics:
        yield from (sample for sample in metric.samples if sample.name == "raceday_cache_requests_total")


def _mark(mark: tuple[float, str] | None) -> dict[str, Any] | None:
    return mark and {"polled_at": mark[1], "age_seconds": int(resources.age(mark[0]))}


def _events(client: Any) -> dict[str, Any]:
    name = valkey.key(events.LOG)
    with client.pipeline(transaction=True) as pipe:
        pipe.xlen(name).xrange(name, count=1).xrevrange(name, count=1)
        length, first, last = pipe.execute()
    return {
        "length": length,
        "first_id": first[0][0].decode() if first else None,
        "last_id": last[0][0].decode() if last else None,
    }


def _server(client: Any) -> dict[str, Any]:
    told = client.info()
    hits, misses = told["keyspace_hits"], told["keyspace_misses"]
    return {
        "used_bytes": told["used_memory"],
        "max_bytes": told.get("maxmemory") or None,
        "evicted_keys": told["evicted_keys"],
        "hits": hits,
        "misses": misses,
        "hit_ratio": _ratio(hits, hits + misses),
    }


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
