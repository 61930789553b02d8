"""Snapshots and answers made by hand, as few words as a test needs."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from raceday import clock
from raceday.feed.client import FeedAnswer
from raceday.feed.records import EntrantSnapshot, PoolTotals, RaceSnapshot, RaceType
from raceday.racing_day import racing_day

START = datetime(2026, 11, 21, 2, 30, tzinfo=UTC)


def entrant(number: int, **fields: Any) -> EntrantSnapshot:
    """Make runner `number`; odds and holds may be given as numbers."""
    known: dict[str, Any] = {
        "entrant_id": f"e{number}",
        "runner_number": number,
        "name": f"Runner {number}",
        "is_scratched": False,
    }
    exact = {name: Decimal(str(value)) if type(value) in (int, float) else value for name, value in fields.items()}
    return EntrantSnapshot(**known | exact)


def snapshot(*entrants: EntrantSnapshot, at: float = -60.0, **fields: Any) -> RaceSnapshot:
    """Make a race starting at START as the feed shows it `at` seconds after that (− before)."""
    known: dict[str, Any] = {
        "race_id": "r1",
        "meeting_id": "m1",
        "meeting_name": "Otaki",
        "country": "NZ",
        "state": None,
        "race_type": RaceType.THOROUGHBRED,
        "name": "Maiden",
        "race_number": 1,
        "status": "Open",
        "advertised_start": START,
        "actual_start": None,
        "race_date_nz": date(2026, 11, 21),
        "distance": 1400,
        "weather": None,
        "track_condition": None,
        "entrants": entrants,
        "pools": PoolTotals(win_cents=100_000, place_cents=50_000),
        "results": (),
        "dividends": (),
        "generated_at": START + timedelta(seconds=at),
        "has_money_tracker": True,
    }
    return RaceSnapshot(**known | fields)


def event(race_id: str = "r1", *, generated_at: datetime | None = None, **data: Any) -> dict[str, Any]:
    """Make an `/racing/events/{id}` answer of the feed: a race of two in an hour, made now."""
    generated_at = generated_at or clock.now()
    start = (generated_at + timedelta(hours=1)).replace(microsecond=0)
    race = {
        "event_id": race_id,
        "meeting_id": "m1",
        "meeting_name": "Otaki",
        "status": "Open",
        "description": "Maiden",
        "advertised_start": int(start.timestamp()),
        "actual_start": int(start.timestamp()),
        "race_date_nz": str(racing_day(start)),
        "race_number": 1,
        "type": "T",
        "country": "NZ",
    }
    runners = [runner(1, fixed_win=2.5, pool_win=2.0), runner(2, fixed_win=3.0, pool_win=3.1)]
    pools = [{"product_type": "Win", "total": 1000.0}, {"product_type": "Place", "total": 500}]
    return {
        "header": {"title": "Event", "generated_time": generated_at.isoformat(), "url": ""},
        "params": {"with_money_tracker": True},
        "data": {"race": race, "runners": runners, "tote_pools": pools, "money_tracker": None} | data,
    }


def runner(number: int, **odds: float) -> dict[str, Any]:
    """Make a runner as the feed has it."""
    return {
        "entrant_id": f"e{number}",
        "runner_number": number,
        "name": f"Runner {number}",
        "is_scratched": False,
        "odds": odds,
    }


def answer(body: dict[str, Any] | bytes, *, polled_at: datetime | None = None) -> FeedAnswer:
    """Put a body in hand as if the feed had just sent it."""
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return FeedAnswer(body=content, encoding="identity", polled_at=polled_at or clock.now(), fetch_ms=1.0)
