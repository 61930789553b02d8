"""Our own questions to the database, to Valkey and to the simulator's truth: none uses Raceday's code."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

import psycopg
import redis
from psycopg.rows import dict_row

from faults.count import Answer, Reading, Run
from faults.tree import Tree
from raceday.racing_day import racing_day
from raceday.run.demo_day import SIMULATOR_SEED, season_file
from raceday.simulator.day import Race, card_of
from raceday.simulator.market import market_of, shown_at, state_at
from raceday.simulator.season import Season
from raceday.simulator.world import World

# Of answers that are stored as they came; one that is not counts as lost.
RUNS = """
SELECT race_id, generated_at, extract(epoch FROM polled_at)::float FROM poll_runs
WHERE http_status = 200 AND race_id IS NOT NULL AND polled_at > %s AND (
    EXISTS (SELECT FROM feed_answers AS kept WHERE kept.race_id = poll_runs.race_id
        AND kept.polled_at = poll_runs.polled_at)
    OR EXISTS (SELECT FROM feed_payloads AS kept WHERE kept.poll_run_id = poll_runs.id))
"""
READINGS = """
SELECT history.race_id, event_timestamp AS at, entrant_id, type, win_pool_amount AS win, place_pool_amount AS place,
    pool_place_odds IS NOT NULL AS has_place_dividend, incremental_win_amount AS win_increment,
    incremental_place_amount AS place_increment, pool_win_odds
FROM money_flow_history AS history JOIN races USING (race_id)
WHERE event_timestamp >= %s ORDER BY race_id, event_timestamp, entrant_id
"""
MARKS = "SELECT race_id, generated_at FROM poll_marks"
LIVE = "SELECT race_id FROM races WHERE status = 'Open' ORDER BY start_time DESC"
WORLD = World()
AHEAD = timedelta(seconds=60)
BEFORE = timedelta(minutes=10)  # of Raceday: no race is polled less often
RUNS_BEFORE = timedelta(minutes=5)


@dataclass(frozen=True)
class Questions:
    """Asks about one tree."""

    tree: Tree

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(
            self.tree.database_url, autocommit=True, connect_timeout=2, application_name="raceday-faults"
        )

    def now(self) -> datetime:
        """Return the instant it is in Raceday."""
        return datetime.fromtimestamp(self.tree.clocks[-1].timestamp(), UTC)

    def shown(self, at: float) -> datetime:
        """Return the instant it was in Raceday at a Unix second of the machine."""
        clock = next((each for each in reversed(self.tree.clocks) if each.real <= at), self.tree.clocks[0])
        return datetime.fromtimestamp(clock.shown + (at - clock.real) * clock.speed, UTC)

    def runs(self, since: float) -> list[Run]:
        """Return the PollRuns of whole answers from a little before a Unix second on."""
        with self.connect() as server:
            rows = server.execute(RUNS, [self.shown(since) - RUNS_BEFORE]).fetchall()
        return [Run(race_id, stamp, self.tree.real(polled)) for race_id, stamp, polled in rows]

    def readings(self, since: float) -> tuple[list[Reading], list[Decimal | None]]:
        """Return the readings since before a Unix second, by race and time, and beside each its Win dividend."""
        with self.connect() as server:
            rows = server.cursor(row_factory=dict_row).execute(READINGS, [self.shown(since) - BEFORE]).fetchall()
        dividends: list[Decimal | None] = [row.pop("pool_win_odds") for row in rows]
        return [Reading(**row) for row in rows], dividends

    def live_races(self) -> list[str]:
        """Return the open races, those that start last first."""
        with self.connect() as server:
            return [str(row[0]) for row in server.execute(LIVE)]

    def frozen(self, answers: Iterable[Answer]) -> int:
        """Count the races whose mark is ahead of the clock or behind the newest of these good answers."""
        newest: dict[str, datetime] = {}
        for answer in answers:
            newest[answer.race_id] = max(answer.generated_at, newest.get(answer.race_id, answer.generated_at))
        with self.connect() as server:
            marks: dict[str, datetime] = dict(server.execute(MARKS).fetchall())
        ahead = {race_id for race_id, at in marks.items() if at > self.now() + AHEAD}
        behind = {race_id for race_id, at in newest.items() if race_id not in marks or marks[race_id] < at}
        return len(ahead | behind)

    def oldest_waiting(self) -> float | None:
        """Return when the oldest waiting answer was put there; None if none waits."""
        with redis.Redis.from_url(self.tree.redis_url, socket_timeout=2) as client:
            streams = [b"raceday:queue:default", *client.scan_iter("raceday:answers:*", _type="stream")]
            first = [client.xrange(stream, count=1) for stream in streams]
        return min((int(entries[0][0].split(b"-")[0]) / 1000 for entries in first if entries), default=None)

    def untrue(self, readings: Sequence[Reading], dividends: Sequence[Decimal | None], since: datetime) -> int:
        """Count the readings from `since` on that show another Win dividend than the simulator's market had then."""
        return sum(
            told != self._true_dividend(reading)
            for reading, told in zip(readings, dividends, strict=True)
            if reading.at >= since and reading.race_id in self._races
        )

    def _true_dividend(self, reading: Reading) -> Decimal | None:
        race = self._races[reading.race_id]
        state = state_at(market_of(race.plan, WORLD), shown_at(race.plan, WORLD, reading.at.timestamp()))
        index = next(place for place, runner in enumerate(race.runners) if runner.entrant_id == reading.entrant_id)
        tenths = state.win_dividends[index]
        return None if tenths is None else Decimal(tenths) / 10

    @cached_property
    def _races(self) -> dict[str, Race]:
        cards = Season(season_file(self.tree.root), seed=SIMULATOR_SEED, world=WORLD).cards
        return {
            race.race_id: race
            for card in cards
            for meeting in card_of(card, racing_day(card.first_start))
            for race in meeting.races
        }
