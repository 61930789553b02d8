"""A card for the tests of the API: one meeting, one race, its runners, as the writer would have left them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import caches
from django.db import connection
from pytest_django import Settings

from meetings.models import Meeting
from moneyflow.models import LateMoneyAlert
from raceday.published import lane
from raceday.racing_day import racing_day
from races.models import Entrant, PollMark, Race

START = datetime(2026, 11, 21, 2, 30, tzinfo=UTC)  # 15:30 in New Zealand, with a 13 h offset
POLLED = datetime(2026, 11, 21, 2, 29, tzinfo=UTC)

NO_RECORD = {"settled": 0, "won": 0, "expected": None, "expected_when_raised": None}


@pytest.fixture
def own_keys(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing another test kept is a hit here, and nobody but the test publishes what a commit outdates."""
    monkeypatch.setattr(lane, "PUBLISHING_SECONDS", 0.0)
    settings.CACHES = {"default": {**settings.CACHES["default"], "KEY_PREFIX": f"test-{uuid4()}"}}
    own = caches["default"]
    yield
    own.delete_pattern("*")  # type: ignore[attr-defined]


def make_meeting(**columns: Any) -> Meeting:
    default = {"meeting_id": "m1", "meeting_name": "Awapuni", "country": "NZ", "race_type": "thoroughbred"}
    return Meeting.objects.create(**{**default, "date": racing_day(START), **columns})


def make_race(meeting: Meeting, *, polled_at: datetime | None = POLLED, **columns: Any) -> Race:
    default: dict[str, Any] = {
        **{"race_id": "r1", "name": "Maiden", "race_number": 1, "start_time": START, "status": "Open"},
        **{"race_date_nz": racing_day(START)},
    }
    race = Race.objects.create(meeting=meeting, **{**default, **columns})
    if polled_at:
        PollMark.objects.create(race=race, polled_at=polled_at, generated_at=polled_at, digest="")
    return race


def make_entrant(race: Race, number: int, **columns: Any) -> Entrant:
    default = {"entrant_id": f"{race.race_id}-e{number}", "name": f"Horse {number}", "runner_number": number}
    return Entrant.objects.create(race=race, **{**default, **columns})


def add_money(entrant: Entrant, at: datetime, cents: int | None, hold: str | None = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO money_flow_history (entrant_id, race_id, hold_percentage, type, time_to_start,"
            " seconds_to_start, time_interval, interval_type, event_timestamp, polling_timestamp, win_pool_amount)"
            " VALUES (%s, %s, %s, 'pool_win', 1, 60, 1, '30s', %s, %s, %s)",
            [entrant.entrant_id, entrant.race_id, hold and Decimal(hold), at, at, cents],
        )


def add_odds(entrant: Entrant, at: datetime, odds: str, kind: str = "fixed_win") -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO odds_history (entrant_id, odds, type, event_timestamp) VALUES (%s, %s, %s, %s)",
            [entrant.entrant_id, Decimal(odds), kind, at],
        )


def make_alert(entrant: Entrant, **columns: Any) -> LateMoneyAlert:
    default: dict[str, Any] = {
        **{"severity": 1, "raised_at": POLLED, "reading_at": POLLED, "seconds_since_start": -60, "window_seconds": 30},
        **{"seen_cents": 64_200, "expected_cents": 18_150, "win_pool_cents": 3_000_000, "score": 3.4},
        **{"share_before_percentage": Decimal("16.5"), "share_after_percentage": Decimal(20), "one_in_races": 24.0},
        **{"falls": {}, "artefact": "a test's", "record": NO_RECORD},
    }
    return LateMoneyAlert.objects.create(race=entrant.race, entrant=entrant, **{**default, **columns})
