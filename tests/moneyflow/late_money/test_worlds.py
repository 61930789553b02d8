"""The simulated worlds and the replay of real crowds: what every race of theirs must keep."""

import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from moneyflow.late_money.judge import measure
from moneyflow.late_money.records import Silence
from moneyflow.late_money.worlds.catalogue import PUBLISHED, TRAINED_ON, WORLDS, race_of
from moneyflow.late_money.worlds.crowds import play_stream, stream_of
from moneyflow.late_money.worlds.market import Race, play, polled_each
from moneyflow.late_money.worlds.randomised import draw_world


def informed_dollars(race: Race) -> float:
    """Return what the informed runner holds at the close, by its dividend."""
    last = race.readings[-1]
    assert last.win_pool_cents is not None
    return last.win_pool_cents / 100 / float(last.dividends[int(race.informed_id or 0) - 1] + 0.05)


@pytest.mark.parametrize("world", WORLDS)
def test_a_race_is_the_same_each_time_and_another_with_another_seed(world: str) -> None:
    first, again, other = race_of(world, 3, 0.1), race_of(world, 3, 0.1), race_of(world, 4, 0.1)
    assert [each.win_pool_cents for each in first.readings] == [each.win_pool_cents for each in again.readings]
    assert [each.win_pool_cents for each in first.readings] != [each.win_pool_cents for each in other.readings]


@pytest.mark.parametrize("world", WORLDS)
def test_polls_are_in_order_and_only_the_last_one_is_closed(world: str) -> None:
    for seed in range(10):
        race = race_of(world, seed)
        times = [each.seconds_since_start for each in race.readings]
        assert times == sorted(times)
        assert [each.status for each in race.readings] == ["Open"] * (len(times) - 1) + ["Closed"]
        assert times[-2] < race.closes_at <= times[-1]
        assert times[0] <= -240


@pytest.mark.parametrize("world", WORLDS)
def test_most_races_can_be_judged_before_the_close(world: str) -> None:
    found = [measure(race_of(world, seed).readings[:-1]) for seed in range(30)]
    assert sum(not isinstance(each, Silence) for each in found) >= 24


@pytest.mark.parametrize("world", WORLDS)
def test_an_informed_race_has_one_backed_runner_that_bets_in_the_last_minute(world: str) -> None:
    for seed in range(10):
        race = race_of(world, seed, 0.15)
        assert race.informed_id in race.readings[0].entrant_ids
        assert race.first_informed_at is not None
        assert 0 < race.closes_at - race.first_informed_at <= 65


def test_an_ordinary_race_has_no_informed_runner() -> None:
    race = race_of("published", 1)
    assert (race.informed_id, race.first_informed_at) == (None, None)


def test_informed_stakes_are_their_share_of_the_pool() -> None:
    shares = []
    for seed in range(60):
        race = race_of("published", seed, 0.2)
        pool = race.readings[-1].win_pool_cents
        assert pool is not None
        shares.append(informed_dollars(race) / (pool / 100) / 0.837)
    assert 0.2 < np.median(shares) < 0.4  # the stakes, and what the crowd had on the runner


def test_money_never_leaves_a_pool_without_a_scratching() -> None:
    for seed in range(20):
        pools = [each.win_pool_cents or 0 for each in race_of("published", seed).readings]
        assert pools == sorted(pools)


def test_a_late_scratching_is_refunded() -> None:
    race = play(replace(PUBLISHED, scratches=True), np.random.default_rng(1))
    out = race.readings[-1].is_scratched
    assert out.sum() == 1
    assert not race.readings[0].is_scratched.any()
    assert np.isnan(race.readings[-1].dividends[out]).all()
    assert np.isnan(race.readings[-1].fixed_odds[out]).all()


def test_a_lump_of_a_host_comes_at_once() -> None:
    world, plain = replace(PUBLISHED, lump=0.4), PUBLISHED
    largest = [
        max(np.diff([each.win_pool_cents or 0 for each in play(kind, np.random.default_rng(5)).readings]))
        for kind in (world, plain)
    ]
    assert largest[0] > 2 * largest[1]


def test_a_following_bookmaker_moves_his_prices() -> None:
    moving = play(replace(PUBLISHED, follow=0.6), np.random.default_rng(2)).readings
    still = play(PUBLISHED, np.random.default_rng(2)).readings
    assert len({each.fixed_odds.tobytes() for each in moving}) > 3
    assert len({each.fixed_odds.tobytes() for each in still}) == 1


@pytest.mark.parametrize("view", ["book", "pool", "truth"])
def test_arbitrage_of_every_view_can_be_played(view: str) -> None:
    race = play(replace(PUBLISHED, arbitrage=1.0, arbitrage_view=view), np.random.default_rng(3))
    assert race.readings[-1].win_pool_cents


def test_tipsters_and_pareto_stakes_can_be_played() -> None:
    world = replace(PUBLISHED, tipster=3.5, pareto=1.3)
    assert play(world, np.random.default_rng(3)).readings[-1].win_pool_cents


def test_polls_on_a_grid_show_what_the_source_last_renewed() -> None:
    race = race_of("published", 1)
    polled = polled_each(race, 5.0, 2.0)
    times = np.array([each.seconds_since_start for each in polled.readings])
    assert np.diff(times) == pytest.approx(5)
    assert times[0] == race.readings[0].seconds_since_start + 2
    for poll in polled.readings:
        shown = [each for each in race.readings if each.seconds_since_start <= poll.seconds_since_start][-1]
        assert poll.win_pool_cents == shown.win_pool_cents


def test_a_randomised_world_keeps_its_bounds() -> None:
    dice = np.random.default_rng(1)
    worlds = [draw_world(dice) for _ in range(300)]
    assert {each.arbitrage_view for each in worlds} == {"book", "pool", "truth"}
    assert all(5 <= each.refresh_seconds <= 30 and each.informed_seconds[1] <= 65 for each in worlds)
    assert 0.3 < sum(each.pareto is not None for each in worlds) / 300 < 0.7


def test_two_worlds_at_least_are_not_trained_on() -> None:
    assert len(set(WORLDS) - set(TRAINED_ON)) >= 2


def stream_lines() -> Iterator[str]:
    """An exchange's market of three runners, one of them removed: a trade each second for twenty minutes."""
    runners = [{"id": number, "status": "ACTIVE"} for number in (11, 22)]

    def message(at: float, **change: object) -> str:
        return json.dumps({"op": "mcm", "pt": at * 1000, "mc": [{"id": "1.1", **change}]})

    def definition(status: str, in_play: bool) -> dict[str, object]:
        removed = {"id": 33, "status": "REMOVED"}
        return {"status": status, "inPlay": in_play, "runners": [*runners, removed]}

    yield message(0, marketDefinition=definition("OPEN", False))
    yield message(1, rc=[{"id": 11, "ltp": 2.0, "tv": 500}, {"id": 22, "ltp": 2.0, "tv": 500}, {"id": 33, "tv": 9}])
    for second in range(2, 1200):
        runner = (11, 22)[second % 2]
        yield message(
            second, rc=[{"id": runner, "tv": 500 + 10 * second, "ltp": 2.0 + (second > 600) * (runner == 22)}]
        )
    yield message(1199.5, rc=[{"id": 11, "atb": [[2.0, 5]]}])
    yield message(1200, marketDefinition=definition("SUSPENDED", False))
    yield message(1201, marketDefinition=definition("OPEN", True))
    yield message(1300, rc=[{"id": 11, "tv": 1e9}])


def test_a_stream_gives_trades_and_prices_until_it_went_in_play() -> None:
    stream = stream_of(stream_lines())
    assert stream.runners == 2
    assert stream.trades.dollars.sum() == (500 + 10 * 1198) + (500 + 10 * 1199)
    assert stream.trades.before[0] == 1199
    assert stream.trades.before[-1] == 1
    assert set(stream.trades.runner.tolist()) == {0, 1}


def test_a_market_that_never_went_in_play_is_refused() -> None:
    with pytest.raises(ValueError, match="never went in play"):
        stream_of(list(stream_lines())[:10])


def test_a_replayed_crowd_is_a_race_with_the_markets_prices() -> None:
    race = play_stream(stream_of(stream_lines()), np.random.default_rng(1), 5.0, 0.2)
    last = race.readings[-1]
    assert race.informed_id in {"1", "2"}
    assert 8_000 * 100 * 0.9 < (last.win_pool_cents or 0) < 30_000 * 100 * 1.1
    assert last.fixed_odds[1] > last.fixed_odds[0]  # 3.0 against 2.0
