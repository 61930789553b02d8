"""Rooms 2 and 3: what one answer of 150 kB costs in CPU, from bytes to everything the poll changes."""

import gc
import gzip
import time
from collections.abc import Callable
from datetime import timedelta
from statistics import median

from benchmarks.feed import event_body, open_races, past_racing
from benchmarks.figures import BenchmarkError, Figure
from moneyflow.store.partitions import PAST_DAYS
from moneyflow.transform.flow import money_flow
from moneyflow.transform.records import MoneyFlow, Outcome, RaceState, Reading
from raceday import clock
from raceday.feed.client import FeedAnswer
from raceday.feed.parse import parse_event
from raceday.feed.records import RaceSnapshot
from raceday.simulator.server import GZIP_LEVEL

BODY_BYTES = 150_000
BLOCKS = 40
RUNS = 25  # a block: long against the clock's grain, short against what disturbs it
MARK_MS = 0.6


def measure(rounds: int | None) -> list[Figure]:
    """Take the CPU of unpack, parse and transform, each the median of blocks of runs."""
    before, body = answers()
    first, second = _parsed(before), _parsed(body)
    state = _state(first, _flow(first, RaceState()))
    flow = _flow(second, state)
    if flow.outcome is not Outcome.CHANGED or len(flow.points) != len(
        [x for x in second.entrants if not x.is_scratched]
    ):
        raise BenchmarkError("the answer to measure does not change the race: another seed is needed.")
    packed = gzip.compress(body, GZIP_LEVEL)
    in_hand = FeedAnswer(body=packed, encoding="gzip", polled_at=clock.now(), fetch_ms=1.0)
    blocks = rounds or BLOCKS
    unpack_ms = cpu_ms(in_hand.content, blocks)
    parse_ms = cpu_ms(lambda: _parsed(body), blocks)
    transform_ms = cpu_ms(lambda: _flow(second, state), blocks)
    both_ms = cpu_ms(lambda: _flow(_parsed(body), state), blocks)
    what = f"CPU, {len(body) / 1000:.0f} kB, {len(flow.points)} runners, {len(flow.odds)} prices moved"
    return [
        Figure(
            name="transform.both",
            what=f"parse + transform: {what}",
            figure=both_ms,
            unit="ms",
            at_most_paced=MARK_MS,
        ),
        Figure(name="transform.parse", what="room 2 alone", figure=parse_ms, unit="ms"),
        Figure(name="transform.transform", what="room 3 alone", figure=transform_ms, unit="ms"),
        Figure(name="transform.unpack", what=f"gunzip of {len(packed) / 1000:.0f} kB", figure=unpack_ms, unit="ms"),
    ]


def answers() -> tuple[bytes, bytes]:
    """Two answers about one race, 15 s apart; the later is the smallest there is of BODY_BYTES or more."""
    simulation = past_racing()
    pairs = [tuple(event_body(simulation, race, seconds) for seconds in (75, 60)) for race in open_races(simulation)]
    before, body = min((pair for pair in pairs if len(pair[1]) >= BODY_BYTES), key=lambda pair: len(pair[1]))
    return before, body


def _parsed(body: bytes) -> RaceSnapshot:
    snapshot = parse_event(body, polled_at=clock.now())
    assert isinstance(snapshot, RaceSnapshot)
    return snapshot


def _flow(snapshot: RaceSnapshot, state: RaceState) -> MoneyFlow:
    return money_flow(snapshot, state, odds_since=snapshot.generated_at - timedelta(days=PAST_DAYS))


def _state(snapshot: RaceSnapshot, flow: MoneyFlow) -> RaceState:
    """What would be stored of a race once its first poll was written."""
    readings = [
        Reading(
            entrant_id=point.entrant_id,
            event_timestamp=snapshot.generated_at,
            type=point.type,
            win_pool_amount=point.win_pool_amount,
            place_pool_amount=point.place_pool_amount,
            has_place_dividend=point.pool_place_odds is not None,
        )
        for point in flow.points
    ]
    return RaceState(
        version=1,
        generated_at=snapshot.generated_at,
        digest=flow.digest,
        last_reading_at=snapshot.generated_at,
        win_pool_cents=snapshot.pools.win_cents if snapshot.pools else None,
        readings=tuple(readings),
        recorded_odds=flow.recorded_odds,
    )


def cpu_ms(work: Callable[[], object], blocks: int) -> float:
    """Return the CPU of one call, the median of blocks of runs."""
    found = []
    gc.collect()
    for _ in range(blocks):
        began = time.process_time()
        for _ in range(RUNS):
            work()
        found.append((time.process_time() - began) * 1000 / RUNS)
    return median(found)
