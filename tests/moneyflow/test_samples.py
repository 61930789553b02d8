"""The feed's own recorded answers through every room: section 5 of what Raceday promised."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from moneyflow.models import MoneyFlowHistory, OddsHistory
from moneyflow.pipeline import process_answer
from moneyflow.store.partitions import PAST_DAYS
from moneyflow.transform.records import Outcome
from raceday.feed.client import FeedAnswer
from raceday.feed.parse import parse_meetings
from races.models import Entrant, Race, RacePool, RaceResult

AWAPUNI = "0f57e087-00d9-4c61-9549-835abe2ae2ed"
EVENTS = [
    "race-event-full-response.json",
    "events/final_G_AUS_1.json",
    "events/final_H_AUS_1.json",
    "events/final_T_AUS_1.json",
    "events/final_T_AUS_2.json",
    "events/interim_G_AUS_1.json",
    "events/interim_H_AUS_1.json",
    "events/open_G_AUS_1.json",
    "events/open_H_AUS_1.json",
    "events/open_T_AUS_1.json",
    "events/open_T_AUS_2.json",
    "events/open_T_HK_1.json",
    "events/open_T_NZ_1.json",
    "events/open_T_NZ_2.json",
    "events/open_T_NZ_3.json",
]


def days_of(body: bytes) -> list[date]:
    """Return the race's own day and those before it on which prices are dated."""
    day = date.fromisoformat(msgspec.json.decode(body)["data"]["race"]["race_date_nz"])
    return [day - timedelta(days=before) for before in range(PAST_DAYS + 1)]


def answer(body: bytes) -> FeedAnswer:
    return FeedAnswer(
        body=body,
        encoding="identity",
        polled_at=datetime.fromisoformat(msgspec.json.decode(body)["header"]["generated_time"][:19]).replace(
            tzinfo=UTC
        ),
        fetch_ms=1.0,
    )


@pytest.fixture
def awapuni(samples: Path, make_partitions: Callable[..., None]) -> Race:
    body = (samples / EVENTS[0]).read_bytes()
    make_partitions(*days_of(body))
    assert process_answer(AWAPUNI, answer(body)).outcome == Outcome.CHANGED
    return Race.objects.get(pk=AWAPUNI)


def test_awapuni_race_is_stored_as_the_feed_has_it(awapuni: Race) -> None:
    entrants = list(Entrant.objects.filter(race=awapuni).order_by("runner_number"))
    assert [entrant.hold_percentage for entrant in entrants] == [18, 13, 5, 16, 16, 19, 4, 2]
    assert [str(entrant.win_odds) for entrant in entrants[:2]] == ["4.40", "6.60"]
    assert RacePool.objects.get(race=awapuni).win_pool_total == Decimal("9151.38")
    assert (awapuni.name, awapuni.status, awapuni.meeting.meeting_name) == (
        "PRYDA HANDICAP 1700",
        "Final",
        "Awapuni Synthetic",
    )
    assert awapuni.actual_start == datetime(2025, 7, 17, 0, 52, 46, tzinfo=UTC)


def test_awapuni_shares_follow_from_its_dividends(awapuni: Race) -> None:
    dividends = dict(Entrant.objects.filter(race=awapuni).values_list("entrant_id", "pool_win_odds"))
    weights = {entrant_id: 1 / (float(odds or 0) + 0.05) for entrant_id, odds in dividends.items()}
    for reading in MoneyFlowHistory.objects.filter(race_id=AWAPUNI):
        share = weights[reading.entrant_id] / sum(weights.values())
        assert float(reading.win_pool_percentage or 0) / 100 == pytest.approx(share, abs=0.005)
        assert reading.win_pool_amount == pytest.approx(915138 * share, abs=1)
        assert reading.incremental_win_amount is None
        assert reading.type == "pool_win"


def test_awapuni_results_keep_interim_and_final_dividends(awapuni: Race) -> None:
    result = RaceResult.objects.get(race=awapuni)
    assert result.result_status == "final"
    assert [row["name"] for row in result.results[:2]] == ["Frosbie", "Ruji"]
    assert {row["status"] for row in result.dividends} == {"Interim", "Final"}
    assert len(result.dividends) == 14


def test_awapuni_dated_prices_fill_the_odds_history(awapuni: Race) -> None:
    tickford = Entrant.objects.get(race=awapuni, runner_number=1)
    prices = OddsHistory.objects.filter(entrant_id=tickford.entrant_id, type="fixed_win").order_by("event_timestamp")
    assert [str(price.odds) for price in prices] == ["8.50", "6.00", "4.60", "5.00"]


def test_the_meetings_list_gives_every_meeting_and_race(samples: Path) -> None:
    cards, faults = parse_meetings((samples / "meetings-list-response.json").read_bytes())
    assert (len(cards), sum(len(card.races) for card in cards), faults) == (76, 748, ())


@pytest.mark.parametrize("name", EVENTS)
def test_no_field_of_a_recorded_event_is_lost(name: str, samples: Path, make_partitions: Callable[..., None]) -> None:
    body = (samples / name).read_bytes()
    make_partitions(*days_of(body))
    data = msgspec.json.decode(body)["data"]
    assert process_answer(data["race"]["event_id"], answer(body)).outcome == Outcome.CHANGED
    race = Race.objects.select_related("meeting", "pool").get(pk=data["race"]["event_id"])
    assert race.race_number == data["race"]["race_number"]
    assert race.distance == data["race"]["distance"]
    assert race.race_date_nz == date.fromisoformat(data["race"]["race_date_nz"])
    assert (race.weather or "") == data["race"]["weather"]
    assert (race.track_condition or "") == data["race"]["track_condition"]
    entrants = {entrant.entrant_id: entrant for entrant in Entrant.objects.filter(race=race)}
    assert entrants.keys() == {runner["entrant_id"] for runner in data["runners"]}
    for runner in data["runners"]:
        assert_same(entrants[runner["entrant_id"]], runner)
    totals = {pool["product_type"]: pool["total"] for pool in data["tote_pools"]}
    assert race.pool.win_pool_total == Decimal(str(totals["Win"]))
    assert race.pool.place_pool_total == Decimal(str(totals["Place"]))
    assert race.pool.quinella_pool_total == Decimal(str(totals["Quinella"]))
    assert race.pool.trifecta_pool_total == Decimal(str(totals["Trifecta"]))
    assert race.pool.first4_pool_total == Decimal(str(totals["FirstFour"]))
    stored = RaceResult.objects.filter(race=race).first()
    assert len(stored.results if stored else []) == len(data.get("results") or [])
    assert len(stored.dividends if stored else []) == len(data.get("dividends") or [])


def assert_same(entrant: Entrant, runner: dict[str, object]) -> None:
    odds = msgspec.convert(runner["odds"], dict[str, Decimal])
    for column, name in (
        ("fixed_win_odds", "fixed_win"),
        ("fixed_place_odds", "fixed_place"),
        ("pool_win_odds", "pool_win"),
        ("pool_place_odds", "pool_place"),
    ):
        expected = odds.get(name) or None  # the feed's 0 is "no price"
        assert getattr(entrant, column) == (None if expected is None else round(expected, 2))
    assert entrant.name == runner["name"]
    assert entrant.runner_number == runner["runner_number"]
    assert entrant.is_scratched == runner["is_scratched"]
    assert (entrant.barrier or 0) == runner["barrier"]
    assert (entrant.jockey or "") == runner["jockey"]
    assert (entrant.trainer_name or "") == runner["trainer_name"]
    assert (entrant.silk_colours or "") == runner["silk_colours"]
    assert (entrant.silk_url_64 or "") == runner["silk_url_64x64"]
    assert (entrant.silk_url_128 or "") == runner["silk_url_128x128"]
