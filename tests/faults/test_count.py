"""What a fault cost, counted: answers against runs, gaps, increments."""

import math
from datetime import UTC, datetime, timedelta

import pytest

from faults.count import Answer, Reading, Run, Span, longest_gap, percentile, recovery, tally, wrong_increments

NOON = datetime(2026, 11, 21, 0, 0, tzinfo=UTC)
LOOK = Span(100.0, 200.0)


def stamp(seconds: int) -> datetime:
    return NOON + timedelta(seconds=seconds)


def answer(at: float, seconds: int | None = None, race_id: str = "a") -> Answer:
    return Answer(race_id, stamp(int(at) if seconds is None else seconds), at)


def run(at: float, seconds: int | None = None, race_id: str = "a") -> Run:
    return Run(race_id, None if seconds is None else stamp(seconds), at)


def test_an_answer_with_a_run_of_its_stamp_is_stored_however_late() -> None:
    found = tally([answer(110), answer(120)], [run(110.1, 110), run(190.0, 120)], LOOK)
    assert (found.fetched, found.stored, found.unread, found.lost, found.twice) == (2, 2, 0, (), 0)


def test_an_answer_without_a_run_is_lost() -> None:
    found = tally([answer(110), answer(120)], [run(110.1, 110), run(120.1, 120, race_id="b")], LOOK)
    assert [each.sent_at for each in found.lost] == [120]


def test_what_was_sent_when_a_poller_was_ended_may_never_have_been_in_hand() -> None:
    found = tally([answer(149), answer(150), answer(151)], [run(149.1, 149)], LOOK, unread=Span(149.5, 150.5))
    assert (found.stored, found.unread, len(found.lost)) == (1, 1, 1)


def test_only_what_was_sent_in_the_span_is_counted() -> None:
    assert tally([answer(99), answer(201)], [], LOOK).fetched == 0


def test_an_unreadable_answer_is_known_by_its_time() -> None:
    found = tally([answer(110), answer(120)], [run(110.2), run(160.0)], LOOK)
    assert [each.sent_at for each in found.lost] == [120]


def test_every_answer_of_a_frozen_feed_needs_a_run_of_its_own() -> None:
    frozen = [answer(110, 50), answer(115, 50), answer(120, 50)]
    assert len(tally(frozen, [run(110.1, 50), run(120.1, 50)], LOOK).lost) == 1


def test_a_second_run_of_one_answer_is_counted() -> None:
    assert tally([answer(110)], [run(110.1, 110), run(111.0, 110)], LOOK).twice == 1


def test_a_run_whose_answer_nobody_noted_is_not_one_too_many() -> None:
    assert tally([answer(110)], [run(110.1, 110), run(130.0, 130)], LOOK).twice == 0


@pytest.mark.parametrize(
    ("commits", "seconds"),
    [([], 10.0), ([19.0, 21.0, 29.0], 8.0), ([12.0, 21.0, 29.0], 9.0), ([19.0, 22.0, 40.0], 8.0)],
    ids=["none at all", "inside", "from before", "to the end"],
)
def test_the_longest_gap_reaches_from_the_last_commit_before_to_the_end(commits: list[float], seconds: float) -> None:
    assert longest_gap(commits, Span(20.0, 30.0)) == seconds


def test_recovery_is_the_first_commit_after_and_may_never_come() -> None:
    assert recovery([1.0, 5.0, 6.0], 4.0) == 1.0
    assert recovery([1.0], 4.0) == math.inf


def test_a_percentile_of_nothing_is_zero() -> None:
    assert (percentile([], 0.99), percentile([3.0, 1.0, 2.0], 0.5)) == (0.0, 2.0)


def reading(at: int, win: int | None, told: int | None, **other: object) -> Reading:
    columns: dict[str, object] = {
        "race_id": "a",
        "at": stamp(at),
        "entrant_id": "x",
        "type": "pool_win",
        "win": win,
        "place": None,
        "has_place_dividend": False,
        "win_increment": told,
        "place_increment": None,
    }
    return Reading(**{**columns, **other})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("second", "wrong"),
    [
        (reading(20, 150, 50), 0),
        (reading(20, 150, 49), 1),
        (reading(20, 150, None), 1),
        (reading(20, None, None), 0),
        (reading(20, 150, None, type="hold"), 0),
        (reading(20, 150, 50, type="hold"), 1),
        (reading(20, 150, None, entrant_id="y"), 0),
        (reading(20, 150, 50, entrant_id="y"), 1),
        (reading(20, 150, 50, race_id="b"), 0),
        (reading(20, 150, 50, place=7, has_place_dividend=True), 0),
        (reading(20, 150, 50, place=7, place_increment=7), 1),
    ],
)
def test_an_increment_is_the_difference_to_the_reading_before_where_both_are_alike(second: Reading, wrong: int) -> None:
    assert wrong_increments([reading(10, 100, None), second], NOON) == wrong


def test_a_reading_before_the_fault_is_only_compared_with() -> None:
    readings = [reading(10, 100, None), reading(20, 150, 1), reading(30, 170, 20)]
    assert wrong_increments(readings, stamp(30)) == 0
    assert wrong_increments(readings, stamp(20)) == 1
