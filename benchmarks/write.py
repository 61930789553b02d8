"""Room 4: one poll of 14 runners written and committed, against the ORM and against the least it could take."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from itertools import cycle, permutations
from statistics import median
from typing import Any

import msgspec
import psycopg
from django.db import connection, transaction
from msgspec import Struct

from benchmarks.feed import event_body, open_races, past_racing
from benchmarks.figures import BenchmarkError, Figure, percentile
from benchmarks.orm import write_with_orm
from moneyflow.archive.store import PackedAnswer
from moneyflow.store.partitions import PAST_DAYS
from moneyflow.store.poll import read_state, write_poll
from moneyflow.transform.flow import money_flow
from moneyflow.transform.records import MoneyFlow, RaceState
from raceday import clock
from raceday.feed.parse import parse_event
from raceday.feed.records import EntrantSnapshot, RaceSnapshot

RUNNERS = 14
MOVES = 2 * RUNNERS
ROUNDS = 500
WARM_UP = 30  # connections, plans, and the first rows of each race
SECONDS_BETWEEN_POLLS = 2
PACKED_BYTES = 600
ORM_MARK = 5.0
FLOOR_MARK = 1.5


class Cost(Struct, frozen=True):
    """What one call took, in milliseconds: of the wall, and of this process's CPU."""

    wall_ms: float
    cpu_ms: float


Costs = dict[str, list[Cost]]


def measure(rounds: int | None) -> list[Figure]:
    """Write polls in turns: ours, the ORM's, ours in an open transaction, and an empty commit."""
    race, costs = _race(), defaultdict[str, list[Cost]](list)
    _execute("CREATE TABLE empty_commits (number bigint NOT NULL)")
    ways: list[Callable[[Costs, RaceSnapshot, int], None]] = [_ours, _orm, _open, _empty]
    orders = cycle(permutations(ways))  # each way follows each other one equally often
    for number in range(WARM_UP + (rounds or ROUNDS)):
        if number == WARM_UP:
            costs.clear()
        for way in next(orders):
            way(costs, race, number)
    _check_equal(race)
    return _figures(costs)


def _figures(costs: Costs) -> list[Figure]:
    wall = {name: median(cost.wall_ms for cost in found) for name, found in costs.items()}
    cpu = {name: median(cost.cpu_ms for cost in found) for name, found in costs.items()}
    # In an open transaction the write waits for the server alone: what of that is not the way there is its work.
    backend = median(cost.wall_ms - cost.cpu_ms for cost in costs["open"]) - wall["round_trip"]
    commit = wall["commit"] - wall["round_trip"]
    floor = wall["round_trip"] + backend + commit

    def told(name: str, what: str, figure: float, unit: str = "ms", **mark: float) -> Figure:
        return Figure(name=f"write.{name}", what=what, figure=figure, unit=unit, **mark)

    return [
        told("orm_ratio", "ORM p50 ÷ ours", wall["orm"] / wall["ours"], "×", at_least=ORM_MARK),
        told("floor_ratio", "ours p50 ÷ floor", wall["ours"] / floor, "×", at_most=FLOOR_MARK),
        told("ours_p50", "one statement, committed", wall["ours"]),
        told("ours_p99", "the same", percentile([cost.wall_ms for cost in costs["ours"]], 0.99)),
        told("ours_cpu", "client CPU of it", cpu["ours"]),
        told("orm_p50", "bulk_create(update_conflicts), one transaction", wall["orm"]),
        told("orm_cpu", "client CPU of it", cpu["orm"]),
        told("orm_cpu_ratio", "ORM client CPU ÷ ours", cpu["orm"] / cpu["ours"], "×"),
        told("floor", "round trip + backend + commit", floor),
        told("round_trip", "SELECT 1, prepared", wall["round_trip"]),
        told("backend", "the server's part of our statement", backend),
        told("commit", "COMMIT of one small row, less the round trip", commit),
        told("empty_ratio", "ours p50 ÷ (round trip + commit)", wall["ours"] / wall["commit"], "×"),
        told("read_state_p50", "what is stored, before the write", wall["read_state"]),
        told("read_state_cpu", "client CPU of it", cpu["read_state"]),
    ]


# ── The ways, in turns ──────────────────────────────────────────────────────────────────────────


def _ours(costs: Costs, race: RaceSnapshot, number: int) -> None:
    snapshot = _poll(race, number, "ours")
    with _timed(costs, "read_state"):
        state = read_state(snapshot, clock.now())
    flow = _flow(snapshot, state, number)
    with _timed(costs, "ours"):
        written = write_poll(snapshot, flow, _packed(), version=state.version, transform_ms=1.0)
    assert written.is_applied


def _orm(costs: Costs, race: RaceSnapshot, number: int) -> None:
    snapshot = _poll(race, number, "orm")
    state = read_state(snapshot, clock.now())
    flow = _flow(snapshot, state, number)
    with _timed(costs, "orm"):
        write_with_orm(snapshot, flow, _packed(), version=state.version)


def _open(costs: Costs, race: RaceSnapshot, number: int) -> None:
    snapshot = _poll(race, number, "open")
    state = read_state(snapshot, clock.now())
    flow = _flow(snapshot, state, number)
    with transaction.atomic():
        _execute("SELECT 1")  # psycopg sends BEGIN with the first statement
        with _timed(costs, "open"):
            write_poll(snapshot, flow, _packed(), version=state.version, transform_ms=1.0)


def _empty(costs: Costs, _race: RaceSnapshot, number: int) -> None:
    with _timed(costs, "round_trip"):
        _execute("SELECT 1")
    transaction.set_autocommit(False)
    _execute("INSERT INTO empty_commits VALUES (%s)", number)
    with _timed(costs, "commit"):
        connection.commit()
    transaction.set_autocommit(True)


@contextmanager
def _timed(costs: Costs, name: str) -> Iterator[None]:
    cpu, wall = time.process_time(), time.perf_counter()
    yield
    costs[name].append(Cost((time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000))


def _execute(statement: str, *parameters: Any) -> None:
    # As moneyflow.store.poll does it: past Django's cursor, prepared.
    connection.ensure_connection()
    with psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(statement.encode(), parameters, prepare=True)


# ── What is written ─────────────────────────────────────────────────────────────────────────────


def _race() -> RaceSnapshot:
    simulation = past_racing()
    for race in open_races(simulation):
        if len(race.runners) == RUNNERS and not race.plan.scratchings:
            snapshot = parse_event(event_body(simulation, race, 300), polled_at=clock.now())
            assert isinstance(snapshot, RaceSnapshot)
            return snapshot
    raise BenchmarkError(f"no simulated race has {RUNNERS} runners: another seed is needed.")


def _poll(race: RaceSnapshot, number: int, way: str) -> RaceSnapshot:
    """Return the race as poll `number` sees it; each way writes its own race, and all its rows change each time."""
    moved = Decimal(number % 2) / 2
    assert race.pools is not None
    return msgspec.structs.replace(
        race,
        race_id=f"{way}-{race.race_id}",
        weather=("Fine", "Showery")[number % 2],
        entrants=tuple(_moved(entrant, moved, way) for entrant in race.entrants),
        pools=msgspec.structs.replace(race.pools, win_cents=(race.pools.win_cents or 0) + 1000 * number),
        generated_at=race.generated_at + timedelta(seconds=SECONDS_BETWEEN_POLLS * number),
    )


def _moved(entrant: EntrantSnapshot, moved: Decimal, way: str) -> EntrantSnapshot:
    return msgspec.structs.replace(
        entrant,
        entrant_id=f"{way}-{entrant.entrant_id}",
        fixed_win_odds=(entrant.fixed_win_odds or 2) + moved,
        pool_win_odds=(entrant.pool_win_odds or 2) + moved,
    )


def _flow(snapshot: RaceSnapshot, state: RaceState, number: int) -> MoneyFlow:
    flow = money_flow(snapshot, state, odds_since=clock.now() - timedelta(days=PAST_DAYS))
    if number and (len(flow.points), len(flow.odds)) != (RUNNERS, MOVES):
        raise BenchmarkError(f"poll {number} has {len(flow.points)} readings and {len(flow.odds)} prices to write.")
    return flow


def _packed() -> PackedAnswer:
    """Return an answer of the usual size as the archive stores it."""
    return PackedAnswer(
        polled_at=clock.now(),
        fetch_ms=1.0,
        body_bytes=27_000,
        content=b"",
        sha256=bytes(32),
        base_at=None,
        depth=0,
        body=bytes(PACKED_BYTES),
    )


def _check_equal(race: RaceSnapshot) -> None:
    """Raise unless all wrote the same."""
    written = []
    for way in ("ours", "orm", "open"):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT (SELECT count(*) FROM entrants WHERE race_id = %(race)s),"
                " (SELECT (count(*), sum(win_pool_amount), sum(incremental_win_amount))::text"
                "  FROM money_flow_history WHERE race_id = %(race)s),"
                " (SELECT (count(*), sum(odds))::text FROM odds_history JOIN entrants USING (entrant_id)"
                "  WHERE race_id = %(race)s),"
                " (SELECT count(*) FROM poll_runs WHERE race_id = %(race)s),"
                " (SELECT (win_pool_total, total_race_pool)::text FROM race_pools WHERE race_id = %(race)s)",
                {"race": f"{way}-{race.race_id}"},
            )
            written.append(cursor.fetchone())
    if len(set(written)) != 1:
        raise BenchmarkError(f"the ways did not write the same: {written}")
