from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raceday import clock
from raceday.feed.parse import parse_event, parse_generated_at, parse_meetings
from raceday.feed.records import ParseFault, RaceSnapshot
from tests.support.snapshots import event, runner


def parsed(body: dict[str, Any]) -> RaceSnapshot:
    found = parse_event(msgspec.json.encode(body), polled_at=clock.now())
    assert isinstance(found, RaceSnapshot), found
    return found


def fault(body: dict[str, Any]) -> str:
    return str(parse_event(msgspec.json.encode(body), polled_at=clock.now()))


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
    body["data"]["race"]["race_number"] = "two"
    assert fault(body) == "$.data.race.race_number: Expected 'int', got 'str'"
    del body["data"]["race"]["race_number"]
    assert fault(body) == "$.data.race: Object missing required field 'race_number'"


def essential(**fields: Any) -> dict[str, Any]:
    body = event()
    return body | {"data": body["data"] | {"race": body["data"]["race"] | fields}}


NOW = clock.now()
LONG_LATER = int((NOW + timedelta(days=400)).timestamp())


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (event(race=None), "$.data.race"),
        (event(runners="none"), "$.data.runners"),
        (event(runners=[runner(1) | {"runner_number": "two"}]), "$.data.runners[0].runner_number"),
        (essential(event_id=""), "$.data.race.event_id"),
        (essential(event_id="r" * 101), "$.data.race.event_id"),
        (essential(meeting_id="m1,m2"), "$.data.race.meeting_id"),
        (essential(description="Mai\0den"), "$.data.race.description"),
        (essential(description="M" * 1001), "$.data.race.description"),
        (essential(status=""), "$.data.race.status"),
        (essential(race_number=2**31), "$.data.race.race_number"),
        (essential(advertised_start=LONG_LATER), "$.data.race.advertised_start"),
        (essential(advertised_start=10**30), "$.data.race.advertised_start"),
        (essential(race_date_nz="0001-01-01"), "$.data.race.race_date_nz"),
        (essential(type="Q"), "$.data.race.type"),
    ],
)  # fmt: skip
def test_an_answer_without_what_it_cannot_be_without_is_a_fault(body: dict[str, Any], path: str) -> None:
    assert fault(body).startswith(f"{path}: ")


@pytest.mark.parametrize(
    "stamp",
    ["0001-01-01T00:00:00+13:00", "9999-12-31T23:59:59-12:00", (NOW + timedelta(seconds=61)).isoformat(),
     NOW.replace(tzinfo=None).isoformat()],
    ids=["year 1", "year 9999", "ahead", "without a zone"],
)  # fmt: skip
def test_a_stamp_ahead_of_our_clock_or_without_a_zone_or_of_no_year_is_a_fault(stamp: str) -> None:
    body = event()
    body["header"]["generated_time"] = stamp
    assert str(parse_event(msgspec.json.encode(body), polled_at=NOW)).startswith("$.header.generated_time: ")


def test_a_stamp_a_minute_ahead_of_our_clock_is_taken() -> None:
    body = msgspec.json.encode(event(generated_at=NOW + timedelta(seconds=60)))
    assert isinstance(parse_event(body, polled_at=NOW), RaceSnapshot)


SLICE = {"entrant_id": "e1", "hold_percentage": 1, "bet_percentage": 1}
PLACING = {"position": 1, "runner_number": 1, "name": "Runner 1", "entrant_id": "e1"}
DIVIDEND = {"id": "d1", "product_name": "Pool Win", "status": "Final", "dividend": 2.4, "pool_size": 1000}
WIN = {"product_type": "Win", "total": 5}
BAD_ROWS = [
    ("runners", runner(3) | {"name": None}, "name"),
    ("runners", runner(3) | {"entrant_id": "e" * 101}, "entrant_id"),
    ("runners", runner(1), "entrant_id"),
    ("tote_pools", WIN | {"total": -5}, "total"),
    ("tote_pools", WIN | {"total": "NaN"}, "total"),
    ("tote_pools", WIN | {"total": 10**9}, "total"),
    ("tote_pools", WIN, "product_type"),
    ("results", PLACING | {"position": "first"}, "position"),
    ("results", PLACING | {"name": "\0"}, "name"),
    ("dividends", DIVIDEND | {"dividend": 1e300}, "dividend"),
    ("dividends", DIVIDEND | {"id": ""}, "id"),
    ("money_tracker.entrants", SLICE | {"hold_percentage": -1}, "hold_percentage"),
    ("money_tracker.entrants", SLICE | {"bet_percentage": "Infinity"}, "bet_percentage"),
]


def rows_of(body: dict[str, Any], place: str) -> list[Any]:
    for name in place.split("."):
        body = body[name]
    return body  # type: ignore[return-value]


@pytest.mark.parametrize(("place", "bad", "field"), BAD_ROWS)
def test_a_bad_row_is_left_out_and_told_and_all_else_is_read(place: str, bad: Any, field: str) -> None:
    body = event(
        runners=[runner(1, fixed_win=2.5), runner(2)], results=[PLACING], dividends=[DIVIDEND], tote_pools=[WIN],
        money_tracker={"entrants": [SLICE]},
    )  # fmt: skip
    good = parsed(body)
    rows_of(body["data"], place).append(bad)
    found = parsed(body)
    assert [fault.path for fault in found.left_out] == [
        f"$.data.{place}[{len(rows_of(body['data'], place)) - 1}].{field}"
    ]
    assert found.names_field is (place != "runners")
    assert msgspec.structs.replace(found, left_out=(), names_field=True) == good


@pytest.mark.parametrize(
    ("field", "bad", "path"),
    [
        ("jockey", "\0", "jockey"),
        ("barrier", -1, "barrier"),
        ("scratch_time", 253_402_300_799, "scratch_time"),
        ("odds", {"fixed_win": 99_999_999.999}, "odds.fixed_win"),
        ("odds", {"pool_win": "NaN"}, "odds.pool_win"),
        ("odds", {"pool_win": -5}, "odds.pool_win"),
        ("silk_url_64x64", "u" * 1001, "silk_url_64x64"),
        ("flucs_with_timestamp", {"last_six": [{"timestamp": "2026-11-21T02:30:00", "fluc": 2}]},
         "flucs_with_timestamp.last_six[0].timestamp"),
    ],
)  # fmt: skip
def test_a_bad_field_that_is_not_needed_costs_only_itself(field: str, bad: Any, path: str) -> None:
    found = parsed(event(runners=[runner(1) | {field: bad}]))
    assert [fault.path for fault in found.left_out] == [f"$.data.runners[0].{path}"]
    assert found.entrants == parsed(event(runners=[runner(1)])).entrants


def test_slices_that_sum_to_no_percentage_are_no_hold() -> None:
    found = parsed(event(money_tracker={"entrants": [SLICE | {"hold_percentage": 600}] * 2}))
    assert found.entrants[0].hold_percentage is None
    assert [fault.reason for fault in found.left_out] == ["the slices of e1 sum to no percentage"]


@pytest.mark.parametrize("odds", [-0.0, 0, 0.001, 0.99])
def test_what_is_below_the_stake_is_no_price_wherever_it_stands(odds: float) -> None:
    flucs = {"open": {"timestamp": "2026-11-21T02:30:00Z", "fluc": odds}}
    priced = runner(1, fixed_win=odds, fixed_place=odds, pool_win=odds, pool_place=odds)
    assert (
        parsed(event(runners=[priced | {"flucs_with_timestamp": flucs}])).entrants
        == parsed(event(runners=[runner(1)])).entrants
    )


def test_the_stake_itself_is_a_price() -> None:
    assert parsed(event(runners=[runner(1, pool_win=1)])).entrants[0].pool_win_odds == 1


def test_an_abandoned_pool_is_not_totalled() -> None:
    pools = parsed(event(tote_pools=[WIN | {"status": "ABANDONED"}, {"product_type": "Place", "total": 7}])).pools
    assert pools is not None
    assert (pools.win_cents, pools.place_cents) == (None, 700)


def test_an_answer_that_names_no_runner_does_not_say_who_left() -> None:
    assert not parsed(event(runners=[])).names_field


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b'{"data": "\xff"}', b'{"data": "\\ud800"}'])
def test_what_is_no_json_or_too_deep_is_a_fault(body: bytes) -> None:
    assert isinstance(parse_event(body, polled_at=NOW), ParseFault)


def test_the_feeds_own_error_is_a_fault() -> None:
    body = event()
    body["header"]["error"] = "internal error"
    assert fault(body) == "$.header.error: internal error"


@given(st.binary(max_size=40) | st.text().map(str.encode))
def test_no_bytes_at_all_make_the_parser_raise(body: bytes) -> None:
    assert isinstance(parse_event(body, polled_at=clock.now()), ParseFault)
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
    assert isinstance(parse_event(msgspec.json.encode(body), polled_at=clock.now()), RaceSnapshot | ParseFault)


def card(**changes: Any) -> dict[str, Any]:
    race = {"id": "r1", "race_number": 1, "name": "Maiden", "start_time": "2026-11-21T02:30:00Z", "status": "Open"}
    meeting = {"meeting": "m1", "name": "Otaki", "date": "2026-11-21T00:00:00Z", "category": "T", "country": "NZ"}
    return {**meeting, "races": [race], **changes}


def test_an_unreadable_race_or_meeting_costs_only_itself() -> None:
    body = {"data": {"meetings": [card(), card(category="Q"), card(races=[{"id": 5}, card()["races"][0]])]}}
    cards, faults = parse_meetings(msgspec.json.encode(body))
    assert [len(meeting.races) for meeting in cards] == [1, 1]
    assert {fault.path for fault in faults} == {"$.data.meetings[1].category", "$.data.meetings[2].races[0].id"}


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"start_time": "2026-11-21T02:30:00"}, "start_time"),
        ({"start_time": "0001-01-01T00:00:00+13:00"}, "start_time"),
        ({"name": "\0"}, "name"),
        ({"id": "r" * 101}, "id"),
    ],
)
def test_a_race_of_a_card_obeys_its_columns_too(change: dict[str, Any], path: str) -> None:
    bad = card()["races"][0] | change
    cards, faults = parse_meetings(msgspec.json.encode({"data": {"meetings": [card(races=[bad])]}}))
    assert [meeting.races for meeting in cards] == [()]
    assert [fault.path for fault in faults] == [f"$.data.meetings[0].races[0].{path}"]


def test_weather_of_a_card_that_cannot_be_read_costs_only_itself() -> None:
    race = card()["races"][0] | {"weather": 5}
    (meeting,), (fault,) = parse_meetings(msgspec.json.encode({"data": {"meetings": [card(races=[race])]}}))
    assert (meeting.weather, len(meeting.races)) == (None, 1)
    assert fault.path == "$.data.meetings[0].races[0].weather"


def test_a_card_without_meetings_is_an_empty_day() -> None:
    assert parse_meetings(b'{"data": {"meetings": null}}') == ((), ())
