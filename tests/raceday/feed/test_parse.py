from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raceday.feed.parse import ParseFault, parse_event, parse_generated_at, parse_meetings
from raceday.feed.records import RaceSnapshot
from tests.snapshots import event, runner


def parsed(body: dict[str, Any]) -> RaceSnapshot:
    found = parse_event(msgspec.json.encode(body))
    assert isinstance(found, RaceSnapshot), found
    return found


def fault(body: dict[str, Any]) -> str:
    return str(parse_event(msgspec.json.encode(body)))


def test_hold_is_the_sum_of_an_entrants_slices_and_only_the_fields() -> None:
    rows = [("e1", 9, 8), ("e2", 3, 3), ("gone", 8, 8), ("e1", 4, 4), ("e1", 0, 0)]
    slices = [{"entrant_id": who, "hold_percentage": hold, "bet_percentage": bet} for who, hold, bet in rows]
    field = parsed(event(money_tracker={"entrants": slices})).entrants
    assert [str(entrant.hold_percentage) for entrant in field] == ["13", "3"]
    assert [str(entrant.bet_percentage) for entrant in field] == ["12", "3"]


def test_what_was_not_asked_for_is_unknown_not_zero() -> None:
    snapshot = parsed(event(money_tracker=None, tote_pools=None))
    assert {entrant.hold_percentage for entrant in snapshot.entrants} == {None}
    assert snapshot.pools is None
    assert not snapshot.has_money_tracker


def test_an_entrant_without_slices_has_an_unknown_hold() -> None:
    slices = [{"entrant_id": "e1", "hold_percentage": 90, "bet_percentage": 80}]
    assert parsed(event(money_tracker={"entrants": slices})).entrants[1].hold_percentage is None


def test_pools_are_cents_and_leave_multi_leg_products_out() -> None:
    pools = [("Win", 9151.38), ("FirstFour", 4617.92), ("EarlyQuadrella", 8126.61), ("Treble", 1.0), ("Place", 0)]
    totals = parsed(event(tote_pools=[{"product_type": name, "total": total} for name, total in pools])).pools
    assert totals is not None
    assert (totals.win_cents, totals.first4_cents, totals.place_cents, totals.quinella_cents) == (
        915138,
        461792,
        0,
        None,
    )


def test_odds_of_zero_are_no_odds() -> None:
    first = parsed(event(runners=[runner(1, fixed_win=0, pool_win=2.4)])).entrants[0]
    assert (first.fixed_win_odds, first.pool_win_odds, first.pool_place_odds) == (None, Decimal("2.4"), None)


def test_runners_of_other_markets_are_left_out() -> None:
    runners = [runner(1), runner(2) | {"primary_market": False}]
    assert [entrant.entrant_id for entrant in parsed(event(runners=runners)).entrants] == ["e1"]


def test_prices_the_feed_dates_at_the_year_one_are_none() -> None:
    nothing = {"timestamp": "0001-01-01T00:00:00Z", "fluc": 0}
    price = {"timestamp": "2026-03-09T03:35:02.123456789Z", "fluc": 2.8}
    runners = [runner(1) | {"flucs_with_timestamp": {"open": price, "high": nothing, "last_six": [price, nothing]}}]
    (only,) = parsed(event(runners=runners)).entrants[0].fixed_win_history
    assert (only.at, only.odds) == (datetime(2026, 3, 9, 3, 35, 2, 123457, tzinfo=UTC), Decimal("2.8"))


@pytest.mark.parametrize(
    ("feeds", "ours"),
    [("Open", "Open"), ("Running", "Closed"), ("Official", "Final"), ("Cancelled", "Abandoned"), ("Novel", "Novel")],
)
def test_statuses_are_told_in_our_words_and_new_ones_kept(feeds: str, ours: str) -> None:
    body = event()
    body["data"]["race"]["status"] = feeds
    assert parsed(body).status == ours


def test_the_jump_of_an_open_race_is_only_an_estimate_and_not_kept() -> None:
    body = event()
    assert parsed(body).actual_start is None
    body["data"]["race"]["status"] = "Closed"
    assert parsed(body).actual_start is not None


def test_unknown_fields_are_ignored_wherever_they_appear() -> None:
    body = event(novelty={"a": [1]}, runners=[runner(1) | {"novelty": 5}])
    body["novelty"] = 1
    body["data"]["race"]["novelty"] = None
    assert parsed(body).name == "Maiden"


def test_a_fault_names_the_place_and_the_reason() -> None:
    body = event()
    body["data"]["runners"][1]["runner_number"] = "two"
    assert fault(body) == "$.data.runners[1].runner_number: Expected 'int', got 'str'"
    del body["data"]["race"]["status"]
    assert fault(body) == "$.data.race: Object missing required field 'status'"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"race": None}, "$.data.race"),
        ({"runners": "none"}, "$.data.runners"),
        ({"runners": [runner(1), runner(1)]}, "$.data.runners[1].entrant_id"),
        ({"runners": [runner(1, pool_win=1e12)]}, "$.data.runners"),
        ({"tote_pools": [{"product_type": "Win", "total": -5}]}, "$.data.tote_pools"),
        ({"tote_pools": [{"product_type": "Win", "total": "five"}]}, "$.data.tote_pools[0].total"),
        ({"money_tracker": {"entrants": [{"entrant_id": "e1", "hold_percentage": -1, "bet_percentage": 0}]}},
         "$.data.money_tracker.entrants"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_a_fault(change: dict[str, Any], path: str) -> None:
    assert fault(event(**change)).startswith(f"{path}: ")


def test_the_feeds_own_error_is_a_fault() -> None:
    body = event()
    body["header"]["error"] = "internal error"
    assert fault(body) == "$.header.error: internal error"


@given(st.binary(max_size=40) | st.text().map(str.encode))
def test_no_bytes_at_all_make_the_parser_raise(body: bytes) -> None:
    assert isinstance(parse_event(body), ParseFault)
    assert parse_meetings(body)[0] == ()
    assert isinstance(parse_generated_at(body), ParseFault)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=6,
)


@given(st.data(), anything)
def test_any_value_in_any_place_is_a_snapshot_or_a_fault(data: st.DataObject, value: Any) -> None:
    body = event(runners=[runner(1, fixed_win=2.0)], results=[], dividends=[])
    place: Any = body["data"]
    while isinstance(place, dict | list) and place:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if data.draw(st.booleans()) or not isinstance(place[key], dict | list):
            place[key] = value
            break
        place = place[key]
    assert isinstance(parse_event(msgspec.json.encode(body)), RaceSnapshot | ParseFault)


def card(**changes: Any) -> dict[str, Any]:
    race = {"id": "r1", "race_number": 1, "name": "Maiden", "start_time": "2026-11-21T02:30:00Z", "status": "Open"}
    meeting = {"meeting": "m1", "name": "Otaki", "date": "2026-11-21T00:00:00Z", "category": "T", "country": "NZ"}
    return {**meeting, "races": [race], **changes}


def test_an_unreadable_race_or_meeting_costs_only_itself() -> None:
    body = {"data": {"meetings": [card(), card(category="Q"), card(races=[{"id": 5}, card()["races"][0]])]}}
    cards, faults = parse_meetings(msgspec.json.encode(body))
    assert [len(meeting.races) for meeting in cards] == [1, 1]
    assert [fault.path for fault in faults] == ["$.data.meetings[1].category", "$.data.meetings[2].races[0].id"]


def test_a_card_without_meetings_is_an_empty_day() -> None:
    assert parse_meetings(b'{"data": {"meetings": null}}') == ((), ())
