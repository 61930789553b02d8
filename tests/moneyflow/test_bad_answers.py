"""What an answer may do to what is stored: stamps ahead, bad rows, runners that leave or are another race's."""

from datetime import datetime, timedelta
from threading import Thread
from typing import Any

import pytest
from django.db import connection, connections

from meetings.models import Meeting
from moneyflow.models import MoneyFlowHistory, OddsHistory
from moneyflow.pipeline import PollReport, process_answer
from raceday import clock
from raceday.models import PollRun
from races.models import Entrant, PollMark, Race, RacePool, RaceResult
from races.rows import find_race, read_entrants
from races.serializers import RaceResultSerializer
from tests.support.snapshots import answer, event, runner

pytestmark = pytest.mark.django_db(transaction=True)

SECOND = timedelta(seconds=1)
FIELD = [runner(1, fixed_win=2.5, pool_win=2.0), runner(2, fixed_win=3.0, pool_win=3.1), runner(3, pool_win=9.0)]


@pytest.fixture
def now() -> datetime:
    return clock.now().replace(minute=5, second=0, microsecond=0)


def poll(
    at: datetime, race_id: str = "r1", *, status: str = "Open", stamp: datetime | None = None, **data: Any
) -> PollReport:
    """Takes an answer in hand `at` an instant through the rooms, stamped then unless otherwise said."""
    body = event(race_id, generated_at=stamp or at, **{"runners": FIELD} | data)
    body["data"]["race"] |= {"status": status, "advertised_start": int(at.timestamp()) // 3600 * 3600 + 7200}
    return process_answer(race_id, answer(body, polled_at=at))


def field(race_id: str = "r1") -> list[str]:
    return [entrant.entrant_id for entrant in read_entrants(race_id)]


def test_a_stamp_ahead_of_our_clock_is_no_newest_answer(now: datetime) -> None:
    assert poll(now, stamp=now + timedelta(hours=13)).outcome == "parse_error"
    assert poll(now + 15 * SECOND).outcome == "changed"


def test_a_mark_that_is_ahead_of_our_clock_heals_with_the_next_good_poll(now: datetime) -> None:
    poll(now)
    ahead = now + timedelta(hours=13)
    PollMark.objects.update(generated_at=ahead, last_reading_at=ahead)
    MoneyFlowHistory.objects.filter(entrant_id="e1").update(event_timestamp=ahead)
    later = now + 15 * SECOND
    assert poll(later, status="Closed").outcome == "changed"
    mark = PollMark.objects.get()
    assert (mark.generated_at, mark.last_reading_at) == (later, later)
    assert Race.objects.get().status == "Closed"
    third = poll(later + 15 * SECOND, tote_pools=[{"product_type": "Win", "total": 2000}])
    assert third.outcome == "changed"
    newest = MoneyFlowHistory.objects.get(entrant_id="e2", event_timestamp=later + 15 * SECOND)
    before = MoneyFlowHistory.objects.get(entrant_id="e2", event_timestamp=later)
    assert newest.incremental_win_amount == (newest.win_pool_amount or 0) - (before.win_pool_amount or 0)


def test_a_mark_ahead_heals_though_the_answer_says_nothing_new(now: datetime) -> None:
    poll(now)
    PollMark.objects.update(generated_at=now + timedelta(days=1), last_reading_at=now + timedelta(days=1))
    assert poll(now + 15 * SECOND).outcome == "changed"
    assert PollMark.objects.get().last_reading_at == now + 15 * SECOND


def test_a_mark_is_not_ahead_of_an_answer_that_came_long_after_a_newer_one(now: datetime) -> None:
    poll(now + 120 * SECOND)
    assert poll(now).outcome == "late"
    assert PollMark.objects.get().generated_at == now + 120 * SECOND


def test_an_entrant_that_is_named_no_more_is_gone_and_back_when_named_again(now: datetime) -> None:
    poll(now)
    poll(now + 15 * SECOND, runners=FIELD[:2])
    assert field() == ["e1", "e2"]
    assert find_race("r1").runner_count == 2
    assert Entrant.objects.get(pk="e3").gone_at == now + 15 * SECOND
    assert MoneyFlowHistory.objects.filter(entrant_id="e3").count() == 1
    poll(now + 30 * SECOND, runners=FIELD[:2], tote_pools=[])
    assert Entrant.objects.get(pk="e3").gone_at == now + 15 * SECOND
    poll(now + 45 * SECOND)
    assert field() == ["e1", "e2", "e3"]
    assert Entrant.objects.get(pk="e3").gone_at is None


@pytest.mark.parametrize("runners", [[], [*FIELD[:2], FIELD[2] | {"runner_number": "three"}]])
def test_an_answer_that_does_not_name_the_whole_field_sends_nobody_away(runners: list[Any], now: datetime) -> None:
    poll(now)
    poll(now + 15 * SECOND, runners=runners)
    assert field() == ["e1", "e2", "e3"]


def test_a_late_answer_sends_nobody_away(now: datetime) -> None:
    poll(now)
    assert poll(now + 15 * SECOND, runners=FIELD[:2], stamp=now - 15 * SECOND).outcome == "late"
    assert field() == ["e1", "e2", "e3"]


def test_an_entrant_never_changes_race(now: datetime) -> None:
    poll(now)
    rows = MoneyFlowHistory.objects.filter(entrant_id="e1").count(), OddsHistory.objects.filter(entrant_id="e1").count()
    for step in (15, 30):
        others = [FIELD[0] | {"odds": {"pool_win": step}}, runner(7, pool_win=2.0), runner(8, pool_win=2.0 + step)]
        assert poll(now + step * SECOND, "r2", runners=others).outcome == "changed"
    assert (field("r1"), field("r2")) == (["e1", "e2", "e3"], ["e7", "e8"])
    assert rows == (
        MoneyFlowHistory.objects.filter(entrant_id="e1").count(),
        OddsHistory.objects.filter(entrant_id="e1").count(),
    )
    assert (
        list(PollRun.objects.filter(race_id="r2").values_list("left_out", "reason"))
        == [(1, "$.data.runners: e1 is of another race")] * 2
    )


DIVIDEND = {"id": "d1", "product_name": "Pool Win", "status": "Final", "dividend": 2.4, "pool_size": 1000}
PLACING = {"position": 1, "runner_number": 1, "name": "Runner 1", "entrant_id": "e1"}
BAD: dict[str, Any] = {
    "dividends": [DIVIDEND, DIVIDEND | {"dividend": "NaN"}],
    "results": [PLACING, PLACING | {"position": None}],
    "tote_pools": [{"product_type": "Win", "total": 1000}, {"product_type": "Place", "total": -1}],
}


def test_a_race_ends_whatever_rows_of_its_end_are_bad(now: datetime) -> None:
    poll(now, tote_pools=BAD["tote_pools"][:1])
    sound = RacePool.objects.get().data_quality_score
    assert poll(now + 15 * SECOND, status="Final", **BAD).outcome == "changed"
    result = RaceResult.objects.get()
    assert (result.result_status, len(result.results), len(result.dividends)) == ("final", 1, 1)
    run = PollRun.objects.get(polled_at=now + 15 * SECOND)
    assert run.left_out == 3
    assert run.reason == "$.data.tote_pools[1].total: Expected 'float' >= 0.0"
    pool = RacePool.objects.get()
    assert pool.win_pool_total == 1000
    assert pool.place_pool_total is None
    assert (pool.data_quality_score or 0) == (sound or 0) - 15


def test_an_unchanged_answer_with_a_bad_row_tells_of_it_too(now: datetime) -> None:
    for step in (0, 15):
        poll(now + step * SECOND, dividends=BAD["dividends"])
    assert list(PollRun.objects.order_by("polled_at").values_list("outcome", "left_out")) == [
        ("changed", 1),
        ("unchanged", 1),
    ]


def test_two_runners_of_one_number_lose_no_price(now: datetime) -> None:
    double = [FIELD[0], FIELD[1] | {"runner_number": 1}]
    poll(now, status="Final", runners=double, results=[PLACING])
    result: Any = RaceResult.objects.get()
    result.runners = read_entrants("r1")
    prices = RaceResultSerializer(result).data["fixed_odds_data"]
    assert {key: price["entrant_id"] for key, price in prices.items()} == {"1": "e1", "e2": "e2"}


def test_a_meeting_is_settled_by_the_statement_that_ends_its_last_race(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_args: object, **_more: object) -> None:
        raise SystemExit

    poll(now)
    monkeypatch.setattr("moneyflow.pipeline._outdate", die)  # the worker is killed once its write is committed
    with pytest.raises(SystemExit):
        poll(now + 15 * SECOND, status="Final")
    assert Meeting.objects.get().status == "completed"


@pytest.mark.parametrize(
    ("statuses", "settled"),
    [(["Final", "Abandoned"], "completed"), (["Abandoned"] * 2, "abandoned"), (["Final", "Open"], "active")],
)
def test_a_meeting_stands_as_its_races_do(statuses: list[str], settled: str, now: datetime) -> None:
    for number in (1, 2):
        poll(now, f"r{number}", runners=[runner(number)])
    for number, status in enumerate(statuses, start=1):
        poll(now + 15 * SECOND, f"r{number}", runners=[runner(number)], status=status)
    assert Meeting.objects.get().status == settled
    poll(now + 30 * SECOND, "r1", runners=[runner(1)], status="Interim")
    assert Meeting.objects.get().status == "active"


def test_races_of_a_meeting_that_end_at_once_settle_it(now: datetime) -> None:
    races = [f"r{number}" for number in range(1, 5)]

    def finish(race_id: str) -> None:
        poll(now + 15 * SECOND, race_id, runners=[runner(int(race_id[1:]))], status="Final")
        connections.close_all()

    for race_id in races:
        poll(now, race_id, runners=[runner(int(race_id[1:]))])
    with connection.cursor() as cursor:  # they meet while this holds the meeting
        cursor.execute("BEGIN")
        cursor.execute("SELECT FROM meetings FOR UPDATE")
        threads = [Thread(target=finish, args=(race_id,)) for race_id in races]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(0.3)
        cursor.execute("COMMIT")
    for thread in threads:
        thread.join()
    assert Meeting.objects.get().status == "completed"
