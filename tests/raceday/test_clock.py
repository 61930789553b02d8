import time

import pytest

from raceday.clock import Clock, parse_clock


def test_a_clock_survives_its_way_to_another_process() -> None:
    clock = Clock(real=1_795_000_000.25, shown=1_795_003_600.5, speed=20.0)
    assert parse_clock(clock.encode()) == clock


def test_without_a_setting_the_clock_shows_real_time() -> None:
    before = time.time()
    assert before <= parse_clock("").timestamp() <= time.time()


def test_a_fast_clock_runs_ahead_from_where_it_was_set() -> None:
    started = time.time() - 10
    assert Clock(real=started, shown=1000.0, speed=20.0).timestamp() == pytest.approx(1200.0, abs=20.0)


@pytest.mark.parametrize("text", ["1,2", "1,2,0", "1,2,-3", "a,b,c"])
def test_a_clock_that_cannot_run_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_clock(text)
