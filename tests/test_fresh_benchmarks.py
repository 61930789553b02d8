"""What the benchmarks of freshness and of the poller count."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from benchmarks.fresh_plan import SOURCES, WAYS, Followed, Source, simulated
from benchmarks.freshness import ages
from benchmarks.poller import Begun, missed
from moneyflow.polling.plan import LiveRace

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
