"""A race's history that is not stored: as the route makes it, against a DRF serializer of the same rows.

Both are measured from request to bytes: the route through all of Django, the serializer in a view without middleware.
14 entrants × 200 readings, then × 200 prices too, with 30 days of other readings beside them. Ten times is wanted and
not met in every run, so there is no mark: docs/performance.md.
"""

import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import partial
from statistics import median
from typing import Any, ClassVar

import msgspec
from django.db import connection
from django.test import Client
from django.test.utils import override_settings
from rest_framework.renderers import JSONRenderer
from rest_framework.serializers import ModelSerializer

from benchmarks.figures import BenchmarkError, Figure
from meetings.models import Meeting
from moneyflow.history.columns import MONEY_COLUMNS, span_of
from moneyflow.models import MoneyFlowHistory, OddsHistory
from moneyflow.store import partitions
from raceday import clock
from raceday.published import shelf
from raceday.racing_day import racing_day
from races.models import Entrant, Race

ENTRANTS, READINGS, DAYS = 14, 200, 30
SECONDS_BETWEEN_READINGS = 15
SIZE = {"days": DAYS, "entrants": ENTRANTS, "readings": READINGS, "seconds": SECONDS_BETWEEN_READINGS}
ROUNDS = 40
MARK = 10.0
WARM_UP = 3
RACE_ID = "bench-0"

# Race `bench-N` is run N days ago; those of other days are there to be left alone.
READINGS_OF_ALL_DAYS = """
INSERT INTO money_flow_history (entrant_id, race_id, hold_percentage, type, time_to_start, seconds_to_start,
    time_interval, interval_type, event_timestamp, polling_timestamp, win_pool_amount, place_pool_amount,
    win_pool_percentage, place_pool_percentage, incremental_win_amount, incremental_place_amount,
    fixed_win_odds, fixed_place_odds, pool_win_odds, pool_place_odds)
SELECT 'bench-' || day || '-' || entrant, 'bench-' || day, 7.14, 'pool_win', 1, 60, 1, '30s', at, at,
    1000 * number + entrant, 500 * number + entrant, 7.1428, 7.1312, 1000, 500, 4.2, 1.7, 4.3, 1.8
FROM generate_series(0, %(days)s - 1) AS day, generate_series(1, %(entrants)s) AS entrant,
    generate_series(1, %(readings)s) AS number,
    LATERAL (SELECT %(start)s - day * interval '1 day' - number * %(seconds)s * interval '1 second' AS at) AS placed
"""
PRICES = """
INSERT INTO odds_history (entrant_id, odds, type, event_timestamp)
SELECT entrant_id, 4 + number %% 10 / 10.0,
    (ARRAY['fixed_win', 'fixed_place', 'pool_win', 'pool_place'])[1 + number %% 4],
    %(start)s - number * %(seconds)s * interval '1 second'
FROM entrants, generate_series(1, %(readings)s) AS number WHERE race_id = %(race_id)s
"""


class ReadingSerializer(ModelSerializer[Any]):
    class Meta:
        model = MoneyFlowHistory
        fields: ClassVar = ["entrant_id", "event_timestamp", *MONEY_COLUMNS[None]]


class PriceSerializer(ModelSerializer[Any]):
    class Meta:
        model = OddsHistory
        fields: ClassVar = ["entrant_id", "event_timestamp", "type", "odds"]


def measure(rounds: int | None) -> list[Figure]:
    """Request the same history both ways in turns, never from the cache: readings, then prices too."""
    start = clock.now().replace(microsecond=0)
    _write(start)
    with override_settings(RATE_LIMIT_PER_MINUTE=0, RATE_LIMIT_EXPENSIVE_PER_5_MINUTES=0):
        readings = _figures("readings", rounds or ROUNDS)
        with connection.cursor() as cursor:
            cursor.execute(PRICES, {**SIZE, "start": start, "race_id": RACE_ID})
            cursor.execute("ANALYZE")
        return readings + _figures("readings_and_prices", rounds or ROUNDS)


def _figures(name: str, rounds: int) -> list[Figure]:
    client = Client(SERVER_NAME="127.0.0.1")
    ours, theirs = _columns(client), _serialized()
    _check_equal(ours, theirs)
    costs: dict[str, list[float]] = {"columns": [], "serializer": []}
    for number in range(WARM_UP + rounds):
        for way, answer in (("columns", partial(_columns, client)), ("serializer", _serialized)):
            took_ms = _wall_ms(answer)
            costs[way] += [took_ms] if number >= WARM_UP else []
    ours_ms, theirs_ms = median(costs["columns"]), median(costs["serializer"])

    def told(figure: str, what: str, number: float, unit: str, *, at_least: float | None = None) -> Figure:
        return Figure(name=f"history.{name}.{figure}", what=what, figure=number, unit=unit, at_least=at_least)

    return [
        told("ratio", f"DRF serializer p50 ÷ ours, {ENTRANTS} × {READINGS}", theirs_ms / ours_ms, "×", at_least=MARK),
        told("columns_p50", "GET /api/races/{id}/history, a miss", ours_ms, "ms"),
        told("serializer_p50", "ORM, ModelSerializer, JSON", theirs_ms, "ms"),
        told("columns_size", "body", len(ours) / 1000, "kB"),
        told("serializer_size", "body", len(theirs) / 1000, "kB"),
    ]


def _wall_ms(way: Callable[[], bytes]) -> float:
    began = time.perf_counter()
    way()
    return (time.perf_counter() - began) * 1000


def _columns(client: Client) -> bytes:
    shelf.outdate({f"race:{RACE_ID}": None})
    answer = client.get(f"/api/races/{RACE_ID}/history")
    if answer.status_code != 200 or answer["X-Cache"] != "MISS":
        raise BenchmarkError(f"the history was not made anew: {answer.status_code} {answer.get('X-Cache')}.")
    return answer.content


def _serialized() -> bytes:
    race = Race.objects.get(race_id=RACE_ID)
    span = tuple(span_of(race.start_time).values())
    entrant_ids = list(Entrant.objects.filter(race=race).values_list("entrant_id", flat=True))
    rows = {"entrant_id__in": entrant_ids, "event_timestamp__range": span}
    readings = MoneyFlowHistory.objects.filter(**rows).order_by("entrant_id", "event_timestamp")
    prices = OddsHistory.objects.filter(**rows).order_by("entrant_id", "event_timestamp")
    data = {
        "money_flow_history": ReadingSerializer(readings, many=True).data,
        "odds_history": PriceSerializer(prices, many=True).data,
    }
    return JSONRenderer().render(data)


def _check_equal(columns: bytes, serialized: bytes) -> None:
    """Raise unless both returned the same."""
    told: dict[str, Any] = msgspec.json.decode(columns)
    rows: dict[str, Any] = msgspec.json.decode(serialized)
    by_entrant = {entrant["entrant_id"]: entrant for entrant in told["entrants"]}
    amounts = [row["win_pool_amount"] for row in rows["money_flow_history"]]
    ours = [amount for name in sorted(by_entrant) for amount in by_entrant[name]["win_pool_amount"]]
    moves = sum(len(prices["odds"]) for entrant in told["entrants"] for prices in entrant["odds"].values())
    if ours != amounts or moves != len(rows["odds_history"]) or len(amounts) != ENTRANTS * READINGS:
        raise BenchmarkError("the two ways do not tell the same history.")


def _write(start: datetime) -> None:
    days = [racing_day(start) - timedelta(days=offset) for offset in range(DAYS + 1)]
    partitions.apply(partitions.plan(partitions.existing(), days, oldest=date.min))
    meeting = Meeting.objects.create(
        meeting_id="bench", meeting_name="Bench", country="NZ", race_type="thoroughbred", date=racing_day(start)
    )
    race = Race.objects.create(
        race_id=RACE_ID,
        meeting=meeting,
        name="Bench",
        race_number=1,
        start_time=start,
        status="Open",
        race_date_nz=racing_day(start),
    )
    Entrant.objects.bulk_create(
        Entrant(entrant_id=f"{RACE_ID}-{number}", race=race, name=f"Runner {number}", runner_number=number)
        for number in range(1, ENTRANTS + 1)
    )
    with connection.cursor() as cursor:
        cursor.execute(READINGS_OF_ALL_DAYS, {**SIZE, "start": start})
        cursor.execute("ANALYZE")
