"""A race of so many runners and readings, served by web and streams of its own, and the events of its next polls."""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import msgspec
from django.db import connection

from benchmarks.figures import BenchmarkError
from benchmarks.load import free_ports
from meetings.models import Meeting
from moneyflow.live.readings import COLUMNS
from moneyflow.publishing import publish
from moneyflow.store import partitions
from raceday import clock, valkey
from raceday.published import events
from raceday.racing_day import nz_iso, racing_day
from raceday.run.process import ProcessTree, Program
from races import examples
from races.models import Entrant, Race

PATIENCE_SECONDS = 120.0
KINDS = ("flow", "pool", "odds")  # what one poll that changes all tells
# Pools grow unevenly; a fixed price moves each 20 readings, a tote price each three.
READINGS = """
INSERT INTO money_flow_history (entrant_id, race_id, hold_percentage, type, time_to_start, seconds_to_start,
    time_interval, interval_type, event_timestamp, polling_timestamp, win_pool_amount, place_pool_amount,
    win_pool_percentage, place_pool_percentage, incremental_win_amount, incremental_place_amount,
    fixed_win_odds, fixed_place_odds, pool_win_odds, pool_place_odds)
SELECT entrant_id, race_id, 7.14, 'pool_win', 1, 60, 1, '30s', at, at,
    number * (300 + 97 * runner_number) + noise, number * (100 + 31 * runner_number) + noise / 4,
    round(100.0 / %(runners)s + noise / 1000.0, 4), round(100.0 / %(runners)s, 4), noise, noise / 4,
    4 + (runner_number + number / 20) %% 9 / 10.0, 1.7, 4 + (runner_number + number / 3) %% 30 / 10.0, 1.8
FROM entrants, generate_series(1, %(readings)s) AS number,
    LATERAL (SELECT %(newest)s - (%(readings)s - number) * %(seconds)s * interval '1 second' AS at,
        abs(hashtext(entrant_id || number)) %% 2000 AS noise) AS placed
WHERE race_id = %(race_id)s
"""


@dataclass(slots=True, kw_only=True)
class Played:
    """A race under way: its runners' ids, and the instant of its newest reading in epoch milliseconds."""

    race_id: str
    entrant_ids: Sequence[str]
    newest_ms: int
    polls: int = 0

    def tell(self, kind: str) -> None:
        """Log one event of the next poll as the writer does; a `flow` begins the poll."""
        if kind == "flow":
            self.polls += 1
        data = {"race_id": self.race_id, "polled_at": nz_iso(clock.now()), **getattr(self, f"_{kind}")()}
        entry = {"race": self.race_id, "meeting": "bench", "kind": kind, "data": msgspec.json.encode(data)}
        valkey.client().xadd(valkey.key(events.LOG), entry, maxlen=events.MOST_EVENTS)

    def _flow(self) -> dict[str, Any]:
        previous, self.newest_ms = self.newest_ms, self.newest_ms + 1000
        values = [100_000 + 1000 * self.polls + 37 * place for place in range(len(self.entrant_ids))]
        stamps = {"timestamp": self.newest_ms, "previous_timestamp": previous}
        return {**stamps, "entrant_ids": self.entrant_ids, **dict.fromkeys(COLUMNS, values)}

    def _pool(self) -> dict[str, Any]:
        holds = [{"entrant_id": each, "hold_percentage": 5 + self.polls % 7} for each in self.entrant_ids]
        return {"pools": {**examples.POOLS, "win_pool_total": 1_000_000 + self.polls}, "entrants": holds}

    def _odds(self) -> dict[str, Any]:
        price = 4 + self.polls % 9 / 10
        prices = {"fixed_win_odds": price, "pool_win_odds": price + 0.1}
        return {"entrants": [{"entrant_id": each, **prices} for each in self.entrant_ids]}


def make_race(*, runners: int, readings: int, seconds: float) -> Played:
    """Store an open race that starts in a minute, with so many readings, so many seconds apart."""
    now = clock.now()
    days = [racing_day(now) + timedelta(days=offset) for offset in (-1, 0, 1)]
    partitions.apply(partitions.plan(partitions.existing(), days, oldest=date.min))
    race = _race(f"bench-{runners}", runners, now)
    sizes: dict[str, Any] = {
        "runners": runners,
        "readings": readings,
        "seconds": seconds,
        "race_id": race.pk,
        "newest": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(READINGS, sizes)
        cursor.execute("ANALYZE")
    publish(f"race:{race.pk}")
    ids = list(race.entrants.values_list("entrant_id", flat=True))
    return Played(race_id=race.pk, entrant_ids=ids, newest_ms=int(now.timestamp() * 1000))


def _race(race_id: str, runners: int, now: datetime) -> Race:
    day = racing_day(now)
    named = {"meeting_name": "Bench", "country": "NZ", "race_type": "thoroughbred", "date": day}
    meeting, _ = Meeting.objects.get_or_create(meeting_id="bench", defaults=named)
    start = now.replace(microsecond=0) + timedelta(minutes=1)
    stands = {"race_number": runners, "start_time": start, "status": "Open", "race_date_nz": day}
    race = Race.objects.create(race_id=race_id, meeting=meeting, name=f"Race of {runners}", **stands)
    Entrant.objects.bulk_create(
        Entrant(
            entrant_id=f"{race_id}-{number}",
            race=race,
            name=f"Runner Number {number}",
            runner_number=number,
            jockey=f"A Rider {number}",
            fixed_win_odds=Decimal("4.2"),
            pool_win_odds=Decimal("4.3"),
        )
        for number in range(1, runners + 1)
    )
    return race


@contextmanager
def served() -> Iterator[str]:
    """Run the web and the streams' process; yields the pages' address."""
    port = free_ports()
    own = {"WEB_PORT": str(port), "STREAM_PORT": str(port + 1), "LOG_LEVEL": "WARNING"}
    own |= {"RATE_LIMIT_PER_MINUTE": "0", "RATE_LIMIT_EXPENSIVE_PER_5_MINUTES": "0"}
    web = [sys.executable, "-m", "raceday.web", "config.wsgi:server", "--port", str(port)]
    streams = [sys.executable, "-m", "config.asgi", "--port", str(port + 1)]
    with ProcessTree() as tree:
        for name, argv in (("web", web), ("streams", streams)):
            tree.start(Program(name=name, argv=argv, env={**os.environ, **own}))
        for number in (port, port + 1):
            _await(number)
        yield f"http://127.0.0.1:{port}"


def _await(port: int) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up:
        try:
            httpx.get(f"http://127.0.0.1:{port}/", trust_env=False, timeout=5)
            return
        except httpx.HTTPError:
            time.sleep(0.05)
    raise BenchmarkError(f"what pages need did not start within {PATIENCE_SECONDS:.0f} s.")
