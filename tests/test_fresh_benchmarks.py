"""What the benchmarks of freshness and of the poller count."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from benchmarks.fresh_feed import second_race, simulations, source_of
from benchmarks.fresh_plan import SOURCES, WAYS, Followed, Source, simulated
from benchmarks.freshness import ages
from benchmarks.poller import Begun, missed
from moneyflow.polling.plan import LiveRace
from raceday.simulator.envelope import ROOT, Request

START = datetime(2026, 11, 21, 2, 30, tzinfo=UTC)


def test_an_age_is_counted_over_the_one_that_the_feed_gives() -> None:
    refreshes = np.arange(-15.0, 315.0, 15.0)
    stored = [(float(at) + 2, float(at)) for at in refreshes]
    half, most = ages([Followed(len(stored), stored, refreshes, 300.0)], 30.0)
    assert [half, most] == pytest.approx([2.0, 2.0], abs=0.1)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: str(source.name))
def test_races_on_a_beat_cost_no_more_requests_than_on_the_grid_and_are_no_older(source: Source) -> None:
    followed = {name: simulated(source, WAYS[name], 8) for name in ("beat", "5_s_grid")}
    polls = {name: sum(race.polls for race in races) for name, races in followed.items()}
    assert polls["beat"] <= polls["5_s_grid"]
    assert ages(followed["beat"], 30.0)[0] <= ages(followed["5_s_grid"], 30.0)[0] + 0.5


def test_polls_for_which_there_was_no_time_are_counted() -> None:
    race = LiveRace("r1", START + timedelta(hours=1), "Open")
    begun = [Begun("r1", START + timedelta(seconds=60 * minute), 1.0) for minute in (0, 1, 3, 4, 7)]
    assert missed(begun, [race, LiveRace("r2", START, "Open")]) == 2


def test_each_race_that_closes_with_others_is_answered_and_no_other() -> None:
    found = simulations(START)[:2]
    source = source_of(found)
    for race_id in [second_race(simulation).race_id for simulation in found]:
        answered = source(Request(path=f"{ROOT}/events/{race_id}", query={}), START)
        assert json.loads(answered.body)["data"]["race"]["event_id"] == race_id
    assert source(Request(path=f"{ROOT}/events/nothing", query={}), START).status == 404
