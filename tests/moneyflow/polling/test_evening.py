"""When the ended races of a day are read again."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest

from moneyflow.polling import evening
from moneyflow.polling.evening import ask_each_evening, last_evening, next_evening
from raceday import clock
from raceday.queue.broker import StreamBroker, valkey
from raceday.racing_day import nz_instant, racing_day

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (datetime(2026, 11, 21, 7, 59, tzinfo=UTC), datetime(2026, 11, 21, 8, tzinfo=UTC)),  # 20:59 NZDT
        (datetime(2026, 11, 21, 8, 0, tzinfo=UTC), datetime(2026, 11, 21, 8, 10, tzinfo=UTC)),
        (datetime(2026, 11, 21, 10, 55, tzinfo=UTC), datetime(2026, 11, 21, 11, 5, tzinfo=UTC)),  # past midnight
        (datetime(2026, 11, 21, 11, 5, tzinfo=UTC), datetime(2026, 11, 22, 8, tzinfo=UTC)),
        (datetime(2026, 9, 26, 12, 0, tzinfo=UTC), datetime(2026, 9, 27, 8, tzinfo=UTC)),  # the 23-hour day
        (datetime(2026, 4, 4, 11, 0, tzinfo=UTC), datetime(2026, 4, 5, 9, tzinfo=UTC)),  # the 25-hour day
    ],
)
def test_it_is_due_at_nine_in_the_evening_and_each_ten_minutes_until_midnight(now: datetime, due: datetime) -> None:
    assert next_evening(now) == due


@pytest.mark.parametrize(
    ("now", "day", "since"),
    [
        (datetime(2026, 11, 21, 7, 59, tzinfo=UTC), date(2026, 11, 20), datetime(2026, 11, 20, 8, tzinfo=UTC)),
        (datetime(2026, 11, 21, 8, 0, tzinfo=UTC), date(2026, 11, 21), datetime(2026, 11, 21, 8, tzinfo=UTC)),
        (datetime(2026, 11, 21, 11, 5, tzinfo=UTC), date(2026, 11, 21), datetime(2026, 11, 21, 8, tzinfo=UTC)),
        (datetime(2026, 9, 26, 20, 0, tzinfo=UTC), date(2026, 9, 26), datetime(2026, 9, 26, 9, tzinfo=UTC)),
    ],
)
def test_the_last_evening_is_the_one_before(now: datetime, day: date, since: datetime) -> None:
    assert last_evening(now) == (day, since)


def test_it_is_asked_for_on_taking_over_and_once_at_nine(queue: StreamBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    nine = nz_instant(racing_day(clock.now()), evening.AT)

    async def script() -> None:
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(ask_each_evening())
            for minutes, is_due in ((-30, True), (-20, False), (0, True), (5, False), (10, True)):
                monkeypatch.setattr(clock, "now", lambda at=minutes: nine + at * MINUTE)
                assert await asks(10 if is_due else 0.1) == is_due
            asking.cancel()

    async def asks(seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                while not valkey().xlen(queue.stream):
                    await asyncio.sleep(0.01)
        except TimeoutError:
            return False
        await asyncio.sleep(0.1)  # until it has worked out when to ask next
        queue.delete_queue()  # the task was done
        return True

    monkeypatch.setattr(evening, "LOOK_SECONDS", 0.005)
    monkeypatch.setattr(clock, "now", lambda: nine - 30 * MINUTE)
    asyncio.run(script())
