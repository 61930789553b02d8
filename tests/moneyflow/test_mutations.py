"""Answers made bad in thousands of ways: each leaves one PollRun, none raises, and the next good poll is stored right.

RACEDAY_MUTATIONS sets how many, RACEDAY_MUTATION_SEED which: a failure prints its seed and what was done.
"""

import json
import os
from copy import deepcopy
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from benchmarks.feed import event_body, open_races, past_racing
from moneyflow.models import MoneyFlowHistory
from moneyflow.pipeline import process_answer
from moneyflow.transform.shares import shares_from_dividends
from raceday import clock
from raceday.feed import wire
from raceday.feed.client import FeedAnswer
from raceday.models import PollRun
from raceday.racing_day import racing_day
from races.models import Entrant, PollMark, Race, RacePool
from races.rows import read_entrants
from tests.support.mutations import mutated
from tests.support.paths import SAMPLES
from tests.support.snapshots import answer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unmeasured")]

MUTATIONS = int(os.environ.get("RACEDAY_MUTATIONS", "400"))
SEED = int(os.environ.get("RACEDAY_MUTATION_SEED", "8"))
RACES = 8
STEP = timedelta(seconds=120)  # beyond what a stamp may be ahead


def simulated() -> list[bytes]:
    """Answers about some races of the simulator, from early to long after the race."""
    simulation = past_racing()
    races = [race for race in open_races(simulation) if not race.plan.scratchings][:RACES]
    return [event_body(simulation, race, (300, 60, -300, -1500)[index % 4]) for index, race in enumerate(races)]


def recorded() -> list[bytes]:
    """The feed's own answers, where they lie beside the project."""
    return [file.read_bytes() for file in sorted(SAMPLES.glob("events/*.json"))]


def read_parts(body: bytes) -> dict[str, Any]:
    """An answer without what Raceday does not read, which is most of it."""
    whole = msgspec.json.decode(body)
    known = msgspec.to_builtins(msgspec.json.decode(body, type=wire.Event))
    return {"header": whole["header"], "params": whole["params"], "data": known["data"]}


def at(body: dict[str, Any], instant: datetime) -> dict[str, Any]:
    """The same answer as the feed would have made it at another instant, an hour before the race."""
    made = deepcopy(body)
    made["header"]["generated_time"] = instant.isoformat()
    start = instant.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    made["data"]["race"] |= {"advertised_start": int(start.timestamp()), "race_date_nz": str(racing_day(start))}
    return made


def pool_of(data: dict[str, Any], product: str) -> Decimal | None:
    totals = [pool["total"] for pool in data["tote_pools"] if pool["product_type"] == product]
    return Decimal(str(totals[0])) if totals else None


def check(body: dict[str, Any], instant: datetime) -> None:
    """What is stored of a race is what this good answer says."""
    data = body["data"]
    race_id = data["race"]["event_id"]
    race = Race.objects.get(pk=race_id)
    assert (race.name, race.status, race.race_number) == tuple(
        data["race"][name] for name in ("description", "status", "race_number")
    )
    assert race.start_time.timestamp() == data["race"]["advertised_start"]
    assert race.meeting_id == data["race"]["meeting_id"]
    told = {runner["entrant_id"]: runner for runner in data["runners"]}
    entrants = {entrant.entrant_id: entrant for entrant in read_entrants(race_id)}
    assert entrants.keys() == told.keys()
    for entrant_id, runner in told.items():
        stored, odds = entrants[entrant_id], runner["odds"]
        assert (stored.name, stored.runner_number) == (runner["name"], runner["runner_number"])
        assert stored.is_scratched == runner["is_scratched"]
        for name in ("fixed_win", "fixed_place", "pool_win", "pool_place"):
            assert float(getattr(stored, f"{name}_odds") or 0) == float(odds.get(name) or 0), name
    pool = RacePool.objects.get(pk=race_id)
    assert (pool.win_pool_total, pool.place_pool_total) == (pool_of(data, "Win"), pool_of(data, "Place"))
    mark = PollMark.objects.get(pk=race_id)
    assert mark.generated_at == instant
    running = [entrant for entrant in entrants.values() if not entrant.is_scratched]
    if any(each.hold_percentage is not None or each.fixed_win_odds or each.pool_win_odds for each in running):
        assert mark.last_reading_at == instant
        check_readings(running, instant, pool)


def check_readings(running: list[Entrant], instant: datetime, pool: RacePool) -> None:
    shares = shares_from_dividends([entrant.pool_win_odds for entrant in running])
    rows = MoneyFlowHistory.objects.filter(event_timestamp=instant)
    readings = {row.entrant_id: row for row in rows}
    for entrant, share in zip(running, shares, strict=True):
        reading = readings[entrant.entrant_id]
        assert reading.race_id == entrant.race_id
        if share is not None and pool.win_pool_total is not None:
            assert reading.win_pool_amount == round(int(pool.win_pool_total * 100) * share)
        assert reading.hold_percentage == entrant.hold_percentage


def taken(race_id: str, found: FeedAnswer) -> str:
    with capture_logs():
        return str(process_answer(race_id, found).outcome)


def test_every_bad_answer_leaves_one_run_and_the_next_good_one_is_stored_right() -> None:
    bodies = [read_parts(body) for body in (*simulated(), *recorded())]
    instant = clock.now() - 2 * STEP * (MUTATIONS // len(bodies) + 2)
    ids = [runner["entrant_id"] for body in bodies for runner in body["data"]["runners"]] + ["i" * 100, ""]
    # Whose field it is has to be known before others name it.
    for body in bodies:
        assert taken(body["data"]["race"]["event_id"], answer(at(body, instant), polled_at=instant)) == "changed"
    outcomes: dict[str, int] = {}
    for number in range(MUTATIONS):
        random = Random(f"{SEED}-{number}")  # noqa: S311
        body = bodies[number % len(bodies)]
        race_id = body["data"]["race"]["event_id"]
        bad_at = instant + STEP * (2 * (number // len(bodies)) + 1)
        bad = at(body, bad_at)
        story = f"seed {SEED}, mutation {number}: {mutated(bad, random, ids)}"
        before = PollRun.objects.count()
        try:
            outcome = taken(race_id, FeedAnswer(body=encoded(bad), encoding="identity", polled_at=bad_at, fetch_ms=1.0))
            assert outcome != "crashed", PollRun.objects.get(race_id=race_id, polled_at=bad_at).reason
            assert PollRun.objects.count() == before + 1
            good = changed(at(body, bad_at + STEP), number)
            assert taken(race_id, answer(good, polled_at=bad_at + STEP)) == "changed"
            check(good, bad_at + STEP)
        except Exception as error:
            pytest.fail(f"{story}\n{type(error).__name__}: {error}")
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    print(f"{MUTATIONS} mutations of seed {SEED}: {outcomes}")  # noqa: T201
    assert outcomes.keys() >= {"changed", "parse_error"}


def changed(body: dict[str, Any], number: int) -> dict[str, Any]:
    """A good answer with more money than the last, so that it is a change whatever came before."""
    for pool in body["data"]["tote_pools"]:
        pool["total"] = round(pool["total"] + number + 1, 2)
    return body


def encoded(body: Any) -> bytes:
    """As JSON with numbers of any size, which msgspec would not write."""
    return json.dumps(body).encode()
