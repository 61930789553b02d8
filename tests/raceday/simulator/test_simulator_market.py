"""The market of one race: invariants over any seed, shares over many races."""

from itertools import pairwise
from statistics import mean, median, quantiles

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raceday.simulator.fixed_odds import LADDER
from raceday.simulator.market import Market, dividends, market_of, shown_at, state_at, status_at
from raceday.simulator.world import CLOSE_DELAY, RacePlan, Scratching, World, along

START = 1_795_000_000.0
WORLD = World()


def plan_of(seed: int, *scratchings: Scratching, runners: int = 10, informed: float | None = None) -> RacePlan:
    return RacePlan(
        seed=f"market/{seed}",
        runner_count=runners,
        advertised_at=START,
        closes_at=START + 49,
        interim_at=START + 160,
        final_at=START + 220,
        scratchings=scratchings,
        informed_share=informed,
    )


def scratched(before: float, index: int = 2) -> Scratching:
    return Scratching(index=index, at=START - before, is_late=True, keeps_prices=False)


@pytest.fixture(scope="module")
def many() -> list[Market]:
    """Four hundred races, a quarter of them informed, with 7–16 runners."""
    shares = (None, None, None, 0.1)
    return [market_of(plan_of(seed, runners=7 + seed % 10, informed=shares[seed % 4]), WORLD) for seed in range(400)]


seeds = st.integers(0, 10_000)
instants = st.floats(-4_000, 300).map(lambda offset: START + offset)


@given(seed=seeds, at=instants)
@settings(max_examples=25)
def test_the_same_plan_and_instant_give_the_same_state(seed: int, at: float) -> None:
    plan = plan_of(seed, scratched(300), informed=0.1)
    assert state_at(market_of.__wrapped__(plan, WORLD), at) == state_at(market_of.__wrapped__(plan, WORLD), at)


@given(seed=seeds, first=instants, second=instants)
@settings(max_examples=60)
def test_money_on_a_runner_never_falls_unless_it_is_scratched(seed: int, first: float, second: float) -> None:
    market = market_of(plan_of(seed, scratched(400), informed=0.2), WORLD)
    before, after = state_at(market, min(first, second)), state_at(market, max(first, second))
    for runner in range(10):
        gone = runner in after.scratched
        assert after.win_cents[runner] == 0 if gone else after.win_cents[runner] >= before.win_cents[runner]
        assert after.place_cents[runner] == 0 if gone else after.place_cents[runner] >= before.place_cents[runner]
    refunded = sum(before.win_cents[runner] for runner in after.scratched)
    assert after.pools["Win"] + refunded >= before.pools["Win"]


@given(seed=seeds, at=instants)
@settings(max_examples=60)
def test_inverse_dividends_sum_to_the_takeout_once_every_runner_has_one(seed: int, at: float) -> None:
    state = state_at(market_of(plan_of(seed, scratched(400)), WORLD), at)
    shown = [tenths for runner, tenths in enumerate(state.win_dividends) if runner not in state.scratched]
    if all(tenths is not None for tenths in shown):
        least = 1.0 if 10 in shown else 1.10  # a dividend is never below a dollar, however much is on the runner
        assert least <= sum(10 / tenths for tenths in shown if tenths) <= 1.35


def test_a_dividend_is_cut_down_to_ten_cents_and_never_below_a_dollar() -> None:
    assert dividends([30_000, 70_000, 0], 0.163, 1) == (27, 11, None)
    assert dividends([95_000, 5_000], 0.163, 1) == (10, 167)


def test_a_pool_below_a_hundred_dollars_shows_no_dividends() -> None:
    assert dividends([9_000, 999], 0.163, 1) == (None, None)


def test_pools_grow_late_as_measured_on_the_real_feed(many: list[Market]) -> None:
    measured = {300: 16, 120: 54, 60: 68, 30: 73, 15: 78}
    finals = [state_at(market, market.plan.final_at).pools["Win"] for market in many]
    for before, share in measured.items():
        pools = [state_at(market, market.plan.closes_at - before).pools["Win"] for market in many]
        assert 100 * mean(pool / final for pool, final in zip(pools, finals, strict=True)) == pytest.approx(
            share, abs=4
        )


def test_final_win_pools_have_the_stated_size(many: list[Market]) -> None:
    assert 12_000 < median(state_at(market, market.plan.final_at).pools["Win"] / 100 for market in many) < 19_000


def test_inverse_dividends_at_the_close_are_as_on_the_real_feed(many: list[Market]) -> None:
    states = [state_at(market, market.plan.closes_at) for market in many]
    sums = [sum(10 / tenths for tenths in state.win_dividends if tenths) for state in states]
    assert 1.17 <= quantiles(sums, n=10)[0] < quantiles(sums, n=10)[-1] <= 1.25


def test_winners_are_drawn_from_the_true_chances(many: list[Market]) -> None:
    favourites = [max(range(len(market.chances)), key=market.chances.__getitem__) for market in many]
    expected = sum(max(market.chances) for market in many)
    won = sum(market.finish[0] == favourite for market, favourite in zip(many, favourites, strict=True))
    assert won == pytest.approx(expected, abs=3 * expected**0.5)


def test_informed_money_is_late_on_one_runner_and_of_the_stated_share(many: list[Market]) -> None:
    informed = [(market, market.informed) for market in many if market.informed]
    assert len(informed) > 80
    for market, truth in informed:
        assert 0.03 < truth.win_probability < 0.25
        assert 1 <= len(truth.bets) <= 6
        assert all(0 < market.plan.closes_at - bet.at <= 45 and bet.runner == truth.runner for bet in truth.bets)
        at_close = state_at(market, market.plan.closes_at).pools["Win"]
        assert sum(bet.cents for bet in truth.bets) / at_close == pytest.approx(truth.share_of_pool, abs=0.005)


def test_a_late_scratching_refunds_that_runners_money_and_shortens_the_others() -> None:
    market = market_of(plan_of(1, scratched(100)), WORLD)
    before, after = state_at(market, START - 100.001), state_at(market, START - 100)
    assert before.win_cents[2] > 0
    assert after.win_cents == tuple(0 if runner == 2 else cents for runner, cents in enumerate(before.win_cents))
    assert after.win_dividends[2] is None
    assert 2 not in market.finish


def test_totals_move_at_most_once_after_the_close() -> None:
    market = market_of(plan_of(3), WORLD)
    totals = [state_at(market, market.plan.closes_at + after).pools["Win"] for after in range(0, 200)]
    assert len(set(totals)) <= 2


def test_the_source_shows_the_state_of_its_last_refresh() -> None:
    plan = plan_of(5)
    shown = {shown_at(plan, WORLD, START + second) for second in range(0, 60)}
    assert len(shown) in (4, 5)
    assert all(0 <= START + second - shown_at(plan, WORLD, START + second) < 15 for second in range(60))


def test_a_race_goes_from_open_to_final_in_order() -> None:
    plan = plan_of(7)
    statuses = [status_at(plan, START + second) for second in range(-60, 300)]
    assert list(dict.fromkeys(statuses)) == ["Open", "Closed", "Interim", "Final"]


@given(seed=seeds)
@settings(max_examples=20)
def test_fixed_prices_are_a_dated_history_on_the_bookmakers_steps(seed: int) -> None:
    for changes in market_of(plan_of(seed), WORLD).prices:
        assert [change.at for change in changes] == sorted(change.at for change in changes)
        assert {change.price for change in changes} <= set(LADDER)
        assert all(one.price != other.price for one, other in pairwise(changes))


def test_close_delays_have_the_quantiles_of_the_real_feed() -> None:
    assert [along(CLOSE_DELAY, share) for share in (0.05, 0.5, 0.9, 0.95)] == [17, 49, 138, 188]
