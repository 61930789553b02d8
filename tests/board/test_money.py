"""What a race's page shows of money, from histories small enough to reckon by hand."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from board.money import Cell, amounts_of, share_lines, spark_of, timeline_of

START = datetime(2026, 11, 21, 2, 30, tzinfo=UTC)
ENTRANTS = [{"entrant_id": "a", "runner_number": 1}, {"entrant_id": "b", "runner_number": 2}]


def history(seconds: list[int], money: dict[str, list[int | None]], shares: dict[str, list[float | None]]) -> Any:
    """Columns of readings so many seconds before the start."""
    return {
        "timestamps": [round((START - timedelta(seconds=each)).timestamp() * 1000) for each in seconds],
        "entrants": [
            {"entrant_id": name, "win_pool_amount": column, "win_pool_percentage": shares[name]}
            for name, column in money.items()
        ],
    }


MONEY = history(
    [150, 70, 25, 10],
    {"a": [1000, 1000, 2000, 5000], "b": [3000, 3000, 4000, 5000]},
    {"a": [25.0, 25.0, 33.3, 50.0], "b": [75.0, 75.0, 66.7, 50.0]},
)


def test_lately_is_the_last_minutes_money_and_expected_the_part_its_share_before_would_have_brought() -> None:
    first, second = amounts_of(ENTRANTS, MONEY, [])
    assert (first.cents, first.share) == (5000, 50.0)
    assert (first.lately, second.lately) == (4000, 2000)
    assert (first.expected, second.expected) == (6000 * 0.25, 6000 * 0.75)
    assert (first.direction, second.direction) == ("▲", "▼")


def test_a_runner_has_the_severity_of_its_worst_alert() -> None:
    alerts = [{"entrant_id": "b", "severity": 3}, {"entrant_id": "b", "severity": 1}]
    assert [runner.severity for runner in amounts_of(ENTRANTS, MONEY, alerts)] == [0, 3]


def test_without_readings_nothing_is_known() -> None:
    nothing = history([], {"a": [], "b": []}, {"a": [], "b": []})
    runners = amounts_of(ENTRANTS, nothing, [])
    first = runners[0]
    assert (first.cents, first.share, first.lately, first.expected, first.spark) == (None, None, None, None, "")
    assert timeline_of(runners, nothing, START).slots == []
    assert share_lines(runners, nothing)[0].readings == []


def test_a_runner_that_came_late_has_no_figures_before() -> None:
    late = history([70, 10], {"a": [100, 200], "b": [None, 50]}, {"a": [100.0, 80.0], "b": [None, 20.0]})
    runners = amounts_of(ENTRANTS, late, [])
    assert (runners[1].cents, runners[1].lately, runners[1].expected, runners[1].direction) == (50, None, None, "")
    assert timeline_of(runners, late, START).rows[1][1] == [Cell(cents=None, points=None)]


def test_a_slot_shows_what_came_since_the_slot_before_and_by_how_much_its_part_rose() -> None:
    runners = amounts_of(ENTRANTS, MONEY, [])
    timeline = timeline_of(runners, MONEY, START)
    assert timeline.slots == [Decimal(1), Decimal(0)]
    (_, first), (_, second) = timeline.rows
    assert [cell.cents for cell in first] == [0, 4000]
    assert [cell.cents for cell in second] == [0, 2000]
    assert [cell.points for cell in first] == [None, None]  # nothing came in the slot before: no part to rise from


def test_the_part_of_a_slots_money_rises_in_points() -> None:
    money = history(
        [200, 130, 70, 10], {"a": [0, 50, 100, 190], "b": [0, 50, 100, 110]}, {"a": [None] * 4, "b": [None] * 4}
    )
    (_, first), (_, second) = timeline_of(amounts_of(ENTRANTS, money, []), money, START).rows
    assert first[-1] == Cell(cents=90, points=40.0)
    assert second[-1] == Cell(cents=10, points=-40.0)


def test_the_small_line_spans_a_quarter_of_an_hour_and_needs_two_points() -> None:
    minute = 60_000
    assert spark_of([0, 20 * minute, 25 * minute, 30 * minute], [9.0, 1.0, None, 3.0]) == "1,18.0 69,2.0"
    assert spark_of([0], [1.0]) == ""
    assert spark_of([0, minute], [5.0, 5.0]) == "1,18.0 69,18.0"
