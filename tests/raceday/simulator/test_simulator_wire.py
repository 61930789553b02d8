"""The feed's answers over real HTTP."""

import gzip
import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from raceday.feed.parse import parse_event, parse_meetings
from raceday.feed.records import ParseFault
from raceday.racing_day import racing_day
from raceday.simulator.day import Race, card_of
from tests.raceday.simulator.conftest import ALL_FLAGS, STARTED, Tab
from tests.support.paths import SAMPLES


def stages(race: Race) -> dict[str, float]:
    plan = race.plan
    return {"Open": plan.advertised_at - 60, "Closed": plan.closes_at + 16, "Interim": plan.interim_at + 16} | {
        "Final": plan.final_at + 16
    }


def ordinary(tab: Tab) -> list[Race]:
    return [race for race in tab.races if race.plan.abandoned_at is None]


def summed(rows: list[dict[str, Any]]) -> dict[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for row in rows:
        sums[row["entrant_id"]] += row["hold_percentage"]
    return sums


def test_a_race_shows_open_closed_interim_and_final_in_order(tab: Tab) -> None:
    race = tab.races[0]
    began = STARTED.timestamp()
    seen = [tab.at(began + second).event(race)["race"]["status"] for second in range(0, 420, 10)]
    assert list(dict.fromkeys(seen)) == ["Open", "Closed", "Interim", "Final"]


def test_the_first_race_is_seen_closing_about_two_minutes_after_the_start(tab: Tab) -> None:
    race, began = tab.races[0], STARTED.timestamp()
    assert tab.at(began + 114).event(race)["race"]["status"] == "Open"
    assert tab.at(began + 141).event(race)["race"]["status"] == "Closed"


def test_results_and_dividends_come_unasked_and_only_when_there_are_any(tab: Tab) -> None:
    race = ordinary(tab)[3]
    for status, at in stages(race).items():
        event = tab.at(at).event(race)
        assert event["race"]["status"] == status
        assert [("results" in event), ("dividends" in event)] == [status in ("Interim", "Final")] * 2


def test_interim_dividends_stay_beside_the_final_ones_for_every_product(tab: Tab) -> None:
    race = ordinary(tab)[3]
    rows = tab.at(race.plan.final_at + 16).event(race)["dividends"]
    products = {name: {row["product_name"] for row in rows if row["status"] == name} for name in ("Interim", "Final")}
    assert products["Interim"] == products["Final"]
    assert products["Final"] == {"Pool Win", "Pool Place", "Pool Quinella", "Pool Trifecta", "Pool First4"}
    assert len({row["id"] for row in rows}) == len(rows)


def test_the_win_dividend_is_the_winners_last_pool_price(tab: Tab) -> None:
    race = ordinary(tab)[3]
    event = tab.at(race.plan.final_at + 16).event(race)
    winner = next(row for row in event["results"] if row["position"] == 1)
    runner = next(row for row in event["runners"] if row["entrant_id"] == winner["entrant_id"])
    paid = next(row for row in event["dividends"] if (row["product_name"], row["status"]) == ("Pool Win", "Final"))
    assert paid["dividend"] == runner["odds"]["pool_win"]
    assert paid["positions"] == [{"runner_number": winner["runner_number"], "position": 1}]


def test_what_was_not_asked_for_is_null(tab: Tab) -> None:
    event = tab.event(tab.races[0])
    assert [event[name] for name in ("money_tracker", "big_bets", "live_bets", "biggest_bet")] == [None] * 4
    asked = tab.event(tab.races[0], **ALL_FLAGS)
    assert None not in [asked[name] for name in ("money_tracker", "big_bets", "live_bets", "biggest_bet")]


def test_the_answer_echoes_what_it_understood_and_ignores_the_rest(tab: Tab) -> None:
    race_id = tab.races[0].race_id
    answer = tab.get(f"/events/{race_id}", with_money_tracker="true", with_results="true").json()
    assert answer["params"]["with_money_tracker"] is True
    assert answer["params"]["with_big_bets"] is False
    assert "with_results" not in answer["params"]
    assert answer["params"]["id"] == race_id
    assert answer["header"]["url"].endswith("?with_money_tracker=true&with_results=true")


def test_money_tracker_slices_are_integers_that_sum_to_about_a_hundred_over_the_field(tab: Tab) -> None:
    for race in ordinary(tab)[:20]:
        rows = tab.at(race.plan.closes_at - 5).event(race, with_money_tracker="true")["money_tracker"]["entrants"]
        field = {runner.entrant_id for runner in race.runners}
        sums = summed(rows)
        assert all(isinstance(row["hold_percentage"], int) and row["hold_percentage"] >= 0 for row in rows)
        assert 94 <= sum(hold for entrant, hold in sums.items() if entrant in field) <= 106
        assert set(sums) - field
        assert {sum(row["entrant_id"] == entrant for row in rows) for entrant in field} <= {8, 9, 10}


def test_a_late_scratching_is_marked_with_its_time(tab: Tab) -> None:
    late = [(race, each) for race in ordinary(tab) for each in race.plan.scratchings if each.is_late]
    assert late
    for race, scratching in late:
        before = tab.at(scratching.at - 1).event(race)["runners"][scratching.index]
        after = tab.at(scratching.at + 16).event(race)["runners"][scratching.index]
        assert before["is_scratched"] is False
        assert (after["is_scratched"], after["is_late_scratched"]) == (True, True)
        assert after["scratch_time"] == int(scratching.at)
        assert "pool_win" not in after["odds"]


def test_an_abandoned_race_says_so_on_the_race_and_its_pools(tab: Tab) -> None:
    abandoned = next(race for race in _races_of_a_fortnight(tab) if race.plan.abandoned_at is not None)
    event = tab.at((abandoned.plan.abandoned_at or 0) + 16).event(abandoned)
    assert event["race"]["status"] == "Abandoned"
    assert {pool["status"] for pool in event["tote_pools"]} == {"ABANDONED"}
    assert "results" not in tab.at(abandoned.plan.final_at + 3600).event(abandoned)


def _races_of_a_fortnight(tab: Tab) -> list[Race]:
    days = [racing_day(STARTED) + timedelta(days=offset) for offset in range(14)]
    return [race for day in days for meeting in card_of(tab.simulation, day) for race in meeting.races]


def test_the_content_changes_with_the_sources_refresh_only(tab: Tab) -> None:
    race = ordinary(tab)[1]
    at = race.plan.closes_at - 200
    bodies = [json.dumps(tab.at(at + second).event(race, **ALL_FLAGS)) for second in range(45)]
    assert 3 <= len(set(bodies)) <= 4


def test_generated_time_moves_with_every_answer(tab: Tab) -> None:
    path, at = f"/events/{tab.races[0].race_id}", STARTED.timestamp()
    times = {tab.at(at + second).get(path).json()["header"]["generated_time"] for second in range(5)}
    assert len(times) == 5


def test_meetings_are_filtered_by_code_country_and_racing_day(tab: Tab) -> None:
    def names(**params: str) -> set[tuple[str, str, str]]:
        rows = tab.get("/meetings", **params).json()["data"]["meetings"]
        return {(row["category"], row["country"], row["date"]) for row in rows}

    assert len(names()) == 6
    assert names(category="G", country="NZ") == {("G", "NZ", "2026-11-21T00:00:00Z")}
    assert {date for _, _, date in names(date_from="2026-11-22", date_to="2026-11-22")} == {"2026-11-22T00:00:00Z"}
    assert names(date_from="2026-11-20", date_to="2026-11-20") == set()
    assert len(tab.get("/meetings", date_to="2026-11-22", limit="5", offset="10").json()["data"]["meetings"]) == 2


def test_today_is_the_new_zealand_day(tab: Tab) -> None:
    tab.now = STARTED.replace(hour=11, minute=30)  # 00:30 NZDT of the 22nd
    rows = tab.get("/meetings", date_from="today", date_to="today").json()["data"]["meetings"]
    assert {row["date"] for row in rows} == {"2026-11-22T00:00:00Z"}


def test_the_list_pages_through_every_race_once_in_order_of_time(tab: Tab) -> None:
    seen: list[dict[str, str]] = []
    token = ""
    while not seen or token:
        page = tab.get("/list", limit="17", page_token=token).json()["data"]
        seen += page["races"]
        token = page["next_page_token"]
    assert [row["advertised_start"] for row in seen] == sorted(row["advertised_start"] for row in seen)
    days = {row["advertised_start"][:10] for row in seen}
    ids = [row["id"] for row in seen]
    assert days == {"2026-11-21"}
    assert len(set(ids)) == len(ids)
    assert set(ids) >= {
        race.race_id for race in tab.races
    }  # and those of the 22nd in New Zealand, still the 21st in UTC


def test_a_meeting_is_served_by_id(tab: Tab) -> None:
    meeting = tab.get("/meetings").json()["data"]["meetings"][2]
    assert tab.get(f"/meetings/{meeting['meeting']}").json()["data"]["meetings"] == [meeting]


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("/events/00000000-0000-0000-0000-000000000000", {}, 404),
        ("/meetings/nobody", {}, 404),
        ("/no-such-thing", {}, 404),
        ("/meetings", {"limit": "201"}, 400),
        ("/meetings", {"date_from": "yesterday"}, 400),
        ("/meetings", {"date_from": "2026-01-01", "date_to": "2027-01-01"}, 400),
        ("/meetings", {"enc": "xml"}, 400),
        ("/list", {"page_token": "%%%"}, 400),
        ("/list", {"limit": "-1"}, 400),
    ],
)
def test_a_refusal_has_a_header_with_its_error_and_nothing_else(
    tab: Tab, path: str, params: dict[str, str], status: int
) -> None:
    answer = tab.get(path, **params)
    assert answer.status_code == status
    assert list(answer.json()) == ["header"]
    assert {"title", "generated_time", "url", "error", "error_code"} <= set(answer.json()["header"])


def test_an_answer_is_gzipped_when_asked_and_never_304(tab: Tab) -> None:
    path = f"/affiliates/v1/racing/events/{tab.races[0].race_id}"
    with tab.client.stream("GET", path, headers={"Accept-Encoding": "gzip", "If-None-Match": "*"}) as answer:
        raw = b"".join(answer.iter_raw())
    assert (answer.status_code, answer.headers["content-encoding"]) == (200, "gzip")
    plain = tab.client.get(path, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(raw) == plain.content


def test_an_event_is_as_bulky_as_a_real_one(tab: Tab) -> None:
    for meeting_start in (0, 1, 2, 3, 4, 5):
        event = tab.event(tab.races[meeting_start * 9], **ALL_FLAGS)
        assert len(json.dumps(event, indent=2)) > 60_000


def test_our_own_parser_reads_every_race_at_every_stage(tab: Tab) -> None:
    cards, faults = parse_meetings(tab.get("/meetings").content)
    assert (len(cards), faults) == (6, ())
    for race in tab.races[::5]:
        for at in stages(race).values():
            parsed = parse_event(
                tab.at(at).get(f"/events/{race.race_id}", **ALL_FLAGS).content,
                polled_at=datetime.fromtimestamp(at, UTC),
            )
            assert not isinstance(parsed, ParseFault)
            assert len(parsed.entrants) == len(race.runners)


def _kinds(value: object, path: str, found: dict[str, set[str]]) -> None:
    name = {bool: "boolean", int: "number", float: "number", str: "text", type(None): "null"}.get(type(value))
    found[path].add(name or type(value).__name__)
    for key, child in value.items() if isinstance(value, dict) else ():
        _kinds(child, f"{path}.{key}", found)
    for child in value if isinstance(value, list) else ():
        _kinds(child, f"{path}[]", found)


@pytest.mark.skipif(not SAMPLES.exists(), reason="the recorded answers are not beside the project")
def test_every_field_has_the_type_the_real_feed_gives_it(tab: Tab) -> None:
    real: dict[str, set[str]] = defaultdict(set)
    for file in [SAMPLES / "race-event-full-response.json", *SAMPLES.glob("events/*.json")]:
        _kinds(json.loads(file.read_bytes()), "$", real)
    ours: dict[str, set[str]] = defaultdict(set)
    for race in ordinary(tab)[::6]:
        for at in stages(race).values():
            _kinds(tab.at(at).get(f"/events/{race.race_id}", with_money_tracker="true").json(), "$", ours)
    maybe = {"$.data.mover"}  # null here when no price has shortened
    assert {path: kinds for path, kinds in ours.items() if path in real and not kinds <= real[path]}.keys() <= maybe
    assert len(ours.keys() & real.keys()) > 150


def test_an_unknown_path_outside_the_feed_is_a_404(tab: Tab) -> None:
    assert tab.client.get("/somewhere").status_code == 404
