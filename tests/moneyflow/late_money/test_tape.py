"""Readings side by side: what is left out, aligned and filled."""

import numpy as np
import pytest

from moneyflow.late_money.tape import are_apart, are_complete, filled, tape_of
from tests.support.late_money import growing, reading


def test_dollars_are_shares_of_the_pool() -> None:
    tape = tape_of([reading(0, pool=370_000, dividends=(1.2, 2.4))])
    assert tape.dollars[0] == pytest.approx([2450, 1250])  # 1/1.25 to 1/2.45
    assert tape.pool.tolist() == [3700]


def test_a_reading_that_shows_what_the_one_before_showed_is_left_out() -> None:
    polls = [reading(-40), reading(-30), reading(-20, pool=1_000_100), reading(-5, pool=1_000_100)]
    assert tape_of(polls).at.tolist() == [-40, -20]


def test_a_change_of_one_dividend_is_new() -> None:
    polls = [reading(-20, dividends=(1.6, 3.3, 3.3)), reading(-5, dividends=(1.6, 3.3, 3.4))]
    assert len(tape_of(polls)) == 2


@pytest.mark.parametrize(
    ("at", "kept"),
    [
        ([-40, -35, -30, -25, -20, -15, -10, -5], [-35, -20, -5]),
        ([-41, -26, -14, -1], [-41, -14, -1]),
        ([-1], [-1]),
        ([], []),
    ],
)
def test_of_a_faster_source_the_newest_stays_and_those_before_that_are_apart(at: list[int], kept: list[int]) -> None:
    instants = np.array(at, float)
    assert instants[are_apart(instants, 12.5)].tolist() == kept


@pytest.mark.parametrize("pool", [None, 0])
def test_a_reading_without_a_pool_is_left_out(pool: int | None) -> None:
    assert tape_of([reading(-20), reading(-10, pool=pool), reading(0, pool=1_100_000)]).at.tolist() == [-20, 0]


def test_a_reading_with_incomplete_dividends_is_left_out() -> None:
    polls = [reading(-20), reading(-10, dividends=(1.6, np.nan, 3.3)), reading(0, pool=1_100_000)]
    assert tape_of(polls).at.tolist() == [-20, 0]


def test_no_complete_reading_gives_an_empty_tape() -> None:
    assert len(tape_of([reading(0, dividends=(9.0, 9.0, 9.0))])) == 0


@pytest.mark.parametrize(
    ("dividends", "complete"),
    [((1.82, 1.82), False), ((1.81, 1.81), True), ((1.49, 1.49), True), ((1.48, 1.48), False), ((1.0, np.nan), False)],
)
def test_dividends_are_complete_where_they_fit_one_pool(dividends: tuple[float, ...], complete: bool) -> None:
    assert are_complete(np.array([dividends])).tolist() == [complete]  # 2/1.82 = 1.099, 2/1.48 = 1.351


def test_entrants_are_aligned_by_their_ids() -> None:
    swapped = reading(-15, dividends=(3.3, 1.6, 3.3), entrant_ids=("b", "a", "c"))
    tape = tape_of([swapped, reading(0, pool=1_100_000)])
    assert tape.entrant_ids == ("a", "b", "c")
    assert tape.dividends[0].tolist() == [1.6, 3.3, 3.3]


def test_a_long_shot_that_an_earlier_poll_does_not_name_has_its_first_dividend_there() -> None:
    before = reading(-15, dividends=(1.6, 3.3, 3.3))
    now = reading(0, pool=1_100_000, dividends=(1.6, 3.3, 3.3, 80.0))
    tape = tape_of([before, now])
    assert tape.dividends[0, 3] == 80
    assert tape.dollars[1, 3] / tape.dollars[0, 3] == pytest.approx(1.1)


def test_a_missing_dividend_is_the_last_known_one_else_the_first() -> None:
    nan = np.nan
    seen = np.array([[nan, 5.0], [2.0, nan], [nan, nan], [3.0, 6.0]])
    assert filled(seen, np.zeros((4, 2), bool)).tolist() == [[2, 5], [2, 5], [2, 5], [3, 6]]


def test_a_scratched_runner_is_not_given_a_dividend() -> None:
    seen = np.array([[4.0, 2.0], [np.nan, 2.0], [np.nan, np.nan]])
    scratched = np.array([[False, False], [True, False], [True, False]])
    assert filled(seen, scratched)[:, 1].tolist() == [2, 2, 2]
    assert np.isnan(filled(seen, scratched)[1:, 0]).all()


def test_a_runner_scratched_in_any_reading_is_not_live() -> None:
    polls = growing(4)
    polls.append(reading(15, pool=900_000, dividends=(1.2, 1.2, 3.0), is_scratched=np.array([False, False, True])))
    polls[-1].dividends[:] = (1.5, 2.0, 3.0)
    tape = tape_of(polls)
    assert tape.of_live().entrant_ids == ("a", "b")
    assert tape.of_live().dollars.shape == (5, 2)
    assert np.isnan(tape.dividends[-1, 2])


def test_a_tape_of_live_runners_is_itself() -> None:
    tape = tape_of(growing(4))
    assert tape.of_live() is tape
