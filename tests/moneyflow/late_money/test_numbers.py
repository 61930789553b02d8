"""The thirty numbers, worked by hand on one small race, and what must hold in any."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moneyflow.late_money.numbers import GROUPS, NAMES, numbers, window_starts
from moneyflow.late_money.tape import Tape
from tests.support.late_money import tape

AT = [-90, -60, -45, -30, -15, 0]
# Both runners get $100 a reading, until the last one brings $400 to the first and nothing to the second.
HELD = [[500, 500], [600, 600], [700, 700], [800, 800], [900, 900], [1300, 900]]


def by_name(found: Tape) -> dict[str, np.ndarray]:
    return dict(zip(NAMES, numbers(found)[0].T, strict=True))


def surprise(dollars: float, expected: float) -> float:
    return dollars * math.log(dollars / expected) - (dollars - expected)


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("t", 0.0),
        ("ln_s", math.log(13 / 22)),
        ("ln_f", math.log(0.5)),
        # One increment ended 60 s ago: $200, as expected. (3000·230 + 0)/(3000 + 200)
        ("m_hat", math.log(3000 * 230 / 3200)),
        ("rise", math.log(400) - math.log(1 + 600)),  # $1,000 in 60 s, of them $400 in 15
        ("cu", 200 / 2200),
        ("q1", 200 / math.sqrt(230 * 200 + 0.05 * 200**2)),
        ("q2", 0.0),
        ("ds60", 13 / 22 - 0.5),
        ("do60", math.log(2 / (22 / 13))),
        ("z30", 200 / math.sqrt(230 * 300 + 0.05 * 300**2)),
        ("z60", 200 / math.sqrt(230 * 500 + 0.05 * 500**2)),
        ("zs90", 200 / math.sqrt(230 * 600)),
        ("e15", 200 / 400),
        ("e45", 200 / 800),
        ("e60", 200 / 1000),
        ("r30", math.sqrt(200 / 230)),
        ("r45", math.sqrt(200 / 230)),
        ("r60", math.sqrt(200 / 230)),
        ("r90", math.sqrt(200 / 230)),
        ("u15", 200 / 2200),
        ("u30", 200 / 2200),
        ("u45", 200 / 2200),
        ("u60", 200 / 2200),
        ("u90", 200 / 2200),
        ("g15", math.log(1 + surprise(400, 200) / (230 + 0.05 * 200))),
        ("g45", math.log(1 + surprise(600, 400) / (230 + 0.05 * 400))),
        ("h15", math.log(1 + surprise(400, 200) / 230)),
        ("h30", math.log(1 + surprise(500, 300) / 230)),
        ("h60", math.log(1 + surprise(700, 500) / 230)),
    ],
)
def test_a_number_is_what_its_formula_gives(name: str, first: float) -> None:
    assert by_name(tape(AT, HELD, [0.5, 0.5]))[name][0] == pytest.approx(first, abs=1e-5)


def test_the_rival_of_a_backed_runner_got_less_than_expected() -> None:
    found = by_name(tape(AT, HELD, [0.5, 0.5]))
    assert found["e15"][1] == -0.5
    assert found["r60"][1] == pytest.approx(-math.sqrt(200 / 230))
    assert found["g15"][1] == found["h60"][1] == 0


def test_expected_money_is_three_tenths_by_the_pool_and_seven_by_the_fixed_odds() -> None:
    found = by_name(tape(AT, HELD, [0.8, 0.2]))
    assert found["e15"][0] == pytest.approx((400 - 400 * (0.3 * 0.5 + 0.7 * 0.8)) / 400)


def test_money_of_the_two_minutes_before_a_window_raises_what_u_expects() -> None:
    held = [[500, 500], [600, 500], [700, 500], [800, 500], [900, 500], [1000, 500]]
    flow = [400 + 200 * (9 / 14 + 0.5), 200 * (5 / 14 + 0.5)]
    expected = 100 * (0.35 * flow[0] / sum(flow) + 0.15 * 9 / 14 + 0.5 * 0.5)
    assert by_name(tape(AT, held, [0.5, 0.5]))["u15"][0] == pytest.approx((100 - expected) / 1500)


def test_a_crowd_of_large_bets_is_measured_before_the_last_minute() -> None:
    held = [[500, 500], [900, 500], [900, 900], [1000, 1000], [1100, 1100], [1200, 1200]]
    seen = 2 * 200**2  # the first $400 all went to one runner; the second ended 45 s ago
    assert by_name(tape(AT, held, [0.5, 0.5]))["m_hat"][0] == pytest.approx(math.log((3000 * 230 + seen) / 3400))


def test_rounding_makes_the_same_money_less_unusual() -> None:
    exact = tape(AT, HELD, [0.5, 0.5])
    rounded = tape(AT, HELD, [0.5, 0.5])
    rounded.variance[:] = 20_000.0
    assert by_name(rounded)["q1"][0] == pytest.approx(200 / math.sqrt(48_000 + 40_000))
    assert by_name(rounded)["g15"][0] < by_name(exact)["g15"][0]
    assert by_name(rounded)["h15"][0] == by_name(exact)["h15"][0]


def test_a_window_begins_at_the_first_reading_not_older_than_it_and_a_second() -> None:
    starts = window_starts(np.array([-91.5, -91.0, -46.0, -31.5, -16.5, 0.0]))
    assert starts.tolist() == [4, 4, 2, 2, 1]  # 15 s: the one before, though older; 30 s: -31.5 is too old


def test_every_number_is_explained_by_one_group() -> None:
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(NAMES)


fields = st.lists(st.floats(50, 5_000), min_size=3, max_size=8)


@given(shares=fields, late=st.data())
def test_swapping_runners_swaps_their_numbers(shares: list[float], late: st.DataObject) -> None:
    held = np.cumsum(
        [late.draw(st.lists(st.floats(0, 900), min_size=len(shares), max_size=len(shares))) for _ in AT], 0
    )
    held += np.array(shares)
    chances = np.array(shares) / sum(shares)
    order = np.array(late.draw(st.permutations(range(len(shares)))))
    plain = numbers(tape(AT, held.tolist(), chances.tolist()))[0]
    swapped = numbers(tape(AT, held[:, order].tolist(), chances[order].tolist()))[0]
    np.testing.assert_allclose(swapped, plain[order], rtol=1e-7, atol=1e-7)


@given(factor=st.floats(1.5, 20))
def test_shares_of_money_do_not_depend_on_the_size_of_the_pool(factor: float) -> None:
    plain = by_name(tape(AT, HELD, [0.5, 0.5]))
    larger = by_name(tape(AT, (np.array(HELD) * factor).tolist(), [0.5, 0.5]))
    for name in ("e15", "e45", "e60", "cu", "ds60", "do60", "ln_s", "ln_f"):
        assert larger[name] == pytest.approx(plain[name])
    assert larger["h15"][0] > plain["h15"][0]  # the same shares of more money are more unusual


@given(st.floats(-5, 5))
def test_no_money_in_any_window_is_not_unusual(drift: float) -> None:
    standing = [[500.0 + max(drift, 0), 500.0]] * 6
    found = numbers(tape(AT, standing, [0.5, 0.5]))[0]
    assert np.isfinite(found).all()
    assert found[:, NAMES.index("z30")] == pytest.approx(0, abs=0.1)
