"""What a race's page shows of money, from histories small enough to reckon by hand."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from board.money import COLUMNS, INCREMENT, Cell, Seen, amounts_of, share_lines, thinned, timeline_of

START = datetime(2026, 11, 21, 2, 30, tzinfo=UTC)


def entrant(name: str, number: int, **facts: Any) -> dict[str, Any]:
    return {"entrant_id": name, "runner_number": number, "is_scratched": False, "fixed_win_odds": None, **facts}


def at(seconds: int) -> int:
    return round((START - timedelta(seconds=seconds)).timestamp() * 1000)


ENTRANTS = [entrant("a", 1), entrant("b", 2)]


def history(
    seconds: list[int], money: dict[str, list[int | None]], prices: dict[str, list[float | None]] | None = None
) -> Any:
    """Columns of readings so many seconds before the start."""
    return {
        "timestamps": [at(each) for each in seconds],
        "resets": [],
        "entrants": [
            {
                **{"entrant_id": name, **{column: [] for column in (*COLUMNS, INCREMENT)}},
                **{"win_pool_amount": column, "fixed_win_odds": (prices or {}).get(name, [])},
            }
            for name, column in money.items()
        ],
    }


MONEY = history([150, 70, 25, 10], {"a": [1000, 1000, 2000, 5000], "b": [3000, 3000, 4000, 5000]})


def test_what_came_lately_is_beside_the_part_that_its_share_before_would_have_brought() -> None:
    first, second = amounts_of(ENTRANTS, MONEY, [])
    assert (first.cents, first.share) == (5000, 50.0)
    assert first.seen[0] == Seen(seconds=15, cents=3000, expected=4000 * 100 * 2000 / 6000 / 100)
    assert first.seen[2] == Seen(seconds=60, cents=4000, expected=6000 * 0.25)
    assert second.seen[2] == Seen(seconds=60, cents=2000, expected=6000 * 0.75)
    assert (first.direction, second.direction) == ("▲", "▼")


def test_readings_too_far_apart_say_nothing_of_a_short_time() -> None:
    first, _ = amounts_of(ENTRANTS, history([90, 10], {"a": [0, 900], "b": [900, 900]}), [])
    assert [seen.cents for seen in first.seen] == [None, None, 900]
    assert [seen.expected for seen in first.seen] == [None, None, 0]


def test_a_refresh_that_comes_a_little_early_counts_as_one() -> None:
    first, _ = amounts_of(ENTRANTS, history([27, 14], {"a": [0, 900], "b": [900, 900]}), [])
    assert first.seen[0].cents == 900


def test_a_runner_has_the_severity_of_its_worst_alert() -> None:
    alerts = [{"entrant_id": "b", "severity": 3}, {"entrant_id": "b", "severity": 1}]
    assert [runner.severity for runner in amounts_of(ENTRANTS, MONEY, alerts)] == [0, 3]


def test_the_shortest_price_is_the_favourite_and_the_one_that_fell_most_the_mover() -> None:
    field = [entrant("a", 1, fixed_win_odds=8.0), entrant("b", 2, fixed_win_odds=2.0)]
    prices: Any = {"a": [None, 12.0, 8.0], "b": [2.1, 2.1, 2.0]}
    first, second = amounts_of(field, history([70, 25, 10], {"a": [1, 1, 1], "b": [1, 1, 1]}, prices), [])
    assert (first.opened, second.opened) == (12.0, 2.1)
    assert (first.is_favourite, second.is_favourite) == (False, True)
    assert (first.is_mover, second.is_mover) == (True, False)


def test_a_scratched_runner_is_no_favourite_and_no_mover() -> None:
    field = [entrant("a", 1, fixed_win_odds=1.5, is_scratched=True), entrant("b", 2, fixed_win_odds=2.0)]
    runners = amounts_of(field, history([70, 10], {"a": [1, 1], "b": [1, 1]}, {"a": [9.0, 1.5]}), [])
    assert [runner.is_favourite for runner in runners] == [False, True]
    assert [runner.is_mover for runner in runners] == [False, False]


def test_without_readings_nothing_is_known() -> None:
    nothing = history([], {"a": [], "b": []})
    runners = amounts_of(ENTRANTS, nothing, [])
    first = runners[0]
    assert (first.cents, first.share, first.opened) == (None, None, None)
    assert {(seen.cents, seen.expected) for seen in first.seen} == {(None, None)}
    assert timeline_of(runners, nothing, START).slots == []
    assert share_lines(runners, nothing)[0].readings == []
    assert thinned(nothing, START, minutes=6)["timestamps"] == []


def test_a_runner_that_came_late_has_no_figures_before() -> None:
    late = history([70, 10], {"a": [100, 200], "b": [None, 50]})
    runners = amounts_of(ENTRANTS, late, [])
    assert (runners[1].cents, runners[1].direction) == (50, "")
    assert runners[1].seen[2] == Seen(seconds=60, cents=None, expected=None)
    assert timeline_of(runners, late, START).rows[1][1][1] == Cell(cents=None, points=None)


def test_the_first_slot_has_what_was_there_by_then_and_the_others_what_came() -> None:
    runners = amounts_of(ENTRANTS, MONEY, [])
    timeline = timeline_of(runners, MONEY, START)
    assert timeline.slots == [Decimal(2), Decimal(1), Decimal(0)]
    (_, first), (_, second) = timeline.rows
    assert [cell.cents for cell in first] == [1000, 0, 4000]
    assert [cell.cents for cell in second] == [3000, 0, 2000]
    assert [cell.points for cell in first] == [None, None, None]  # nothing came at 1: no part to rise to or from


def test_the_part_of_a_slots_money_rises_in_points() -> None:
    money = history([200, 130, 70, 10], {"a": [0, 50, 100, 190], "b": [0, 50, 100, 110]})
    (_, first), (_, second) = timeline_of(amounts_of(ENTRANTS, money, []), money, START).rows
    assert first[-1] == Cell(cents=90, points=40.0)
    assert second[-1] == Cell(cents=10, points=-40.0)


def test_no_money_is_said_to_have_come_over_a_reset() -> None:
    money = {**MONEY, "resets": [at(25)]}
    first, _ = runners = amounts_of(ENTRANTS, money, [])
    assert [seen.cents for seen in first.seen] == [3000, None, None]
    assert first.direction == ""
    assert [cell.cents for cell in timeline_of(runners, money, START).rows[0][1]] == [1000, 0, None]


def test_a_reading_that_no_runners_money_can_be_compared_with_is_a_reset() -> None:
    money = history([90, 50, 10], {"a": [1, 2, 3], "b": [1, 2, 3]})
    money["entrants"][0][INCREMENT], money["entrants"][1][INCREMENT] = [None, None, 1], [None, 1, None]
    assert thinned(money, START, minutes=6)["resets"] == [at(90)]


def test_old_readings_are_thinned_to_the_last_of_each_slot() -> None:
    seconds = [9000, 7300, 7201, 3700, 3650, 3500, 3400, 1300, 1250, 880, 350, 300, 10]
    money = history(seconds, {"a": list(range(13)), "b": [None] * 13})
    kept = thinned(money, START, minutes=6)
    assert kept["entrants"][0]["win_pool_amount"] == [0, 2, 4, 6, 8, 9, 10, 11, 12]
    runners = amounts_of(ENTRANTS, kept, [])
    assert timeline_of(runners, kept, START).slots == timeline_of(runners, money, START).slots


def test_of_place_money_the_last_reading_of_each_slot_stays() -> None:
    money = history([100, 90, 50, 40, 10], {"a": [1, 2, 3, 4, 5], "b": [1, 2, 3, 4, 5]})
    money["entrants"][0]["place_pool_amount"] = [6, 7, 8, 9, 10]
    assert thinned(money, START, minutes=6)["entrants"][0]["place_pool_amount"] == [None, 7, None, None, 10]


def test_readings_near_the_start_stay_however_long_the_race_goes_on() -> None:
    seconds = [330, 320, 310, 20, 10, -1200]
    money = history(seconds, {"a": list(range(6)), "b": [None] * 6})
    assert len(thinned(money, START, minutes=6)["timestamps"]) == 6
    assert len(thinned(money, START, minutes=1)["timestamps"]) == 4
