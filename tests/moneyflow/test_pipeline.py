import gzip
from collections.abc import Callable
from datetime import date, datetime, timedelta
from itertools import permutations
from threading import Thread
from typing import Any

import pytest
from django.db import connection, connections
from django.db.models import Model
from hypothesis import given, settings
from hypothesis import strategies as st

from moneyflow.models import MoneyFlowHistory, OddsHistory
from moneyflow.pipeline import process_answer
from moneyflow.transform.records import Outcome
from raceday import clock
from raceday.feed.client import FeedAnswer, FeedError
from raceday.models import FeedPayload, PollRun
from raceday.published import shelf
from raceday.published.shelf import IDENTITY, Lookup
from raceday.racing_day import nz_iso
from races.models import Entrant, PollMark, Race, RacePool, RaceResult
from tests.support.card import own_keys  # noqa: F401  # a fixture
from tests.support.snapshots import answer, event, runner

pytestmark = pytest.mark.django_db(transaction=True)


def polled(at: datetime, pool: float, *, race_id: str = "r1", odds: float = 2.0, **data: Any) -> FeedAnswer:
    """An answer about a race of two made by the feed `at` an instant, with the advertised start kept in place."""
    pools = [{"product_type": "Win", "total": pool}, {"product_type": "Quaddie", "total": 9_999}]
    runners = [runner(1, pool_win=odds, fixed_win=2.5), runner(2, pool_win=3.1, fixed_win=3.0)]
    body = event(race_id, generated_at=at, **{"runners": runners, "tote_pools": pools} | data)
    body["data"]["race"]["advertised_start"] = int(at.timestamp()) // 3600 * 3600 + 7200
    return answer(body, polled_at=at)


@pytest.fixture
def now() -> datetime:
    return clock.now().replace(minute=5, second=0, microsecond=0)


def history(entrant_id: str = "e1") -> list[tuple[datetime, int | None, int | None]]:
    rows = MoneyFlowHistory.objects.filter(entrant_id=entrant_id).order_by("event_timestamp")
    return list(rows.values_list("event_timestamp", "win_pool_amount", "incremental_win_amount"))


def test_first_contact_writes_race_entrants_pools_history_and_the_poll_run(now: datetime) -> None:
    walked = process_answer("r1", polled(now, 1000))
    assert (walked.outcome, walked.points) == (Outcome.CHANGED, 2)
    race = Race.objects.select_related("meeting", "pool", "mark").get()
    assert (race.meeting.meeting_name, race.status, race.actual_start) == ("Otaki", "Open", None)
    assert race.pool.win_pool_total == race.pool.total_race_pool == 1000
    assert race.mark.generated_at == now
    assert Entrant.objects.filter(race=race, win_odds__isnull=False).count() == 2
    assert OddsHistory.objects.count() == 4
    assert list(PollRun.objects.values_list("race_id", "outcome")) == [("r1", "changed")]


def test_the_next_poll_has_increments_and_only_moved_prices(now: datetime) -> None:
    process_answer("r1", polled(now, 1000))
    process_answer("r1", polled(now + timedelta(seconds=15), 1500, odds=2.0))
    (_, first, none), (_, second, increment) = history()
    assert none is None
    assert first is not None and second is not None
    assert increment == second - first
    assert OddsHistory.objects.count() == 4


def test_an_unchanged_poll_moves_only_the_freshness_mark(now: datetime) -> None:
    process_answer("r1", polled(now, 1000))
    before = stored()
    later = now + timedelta(seconds=15)
    assert process_answer("r1", polled(later, 1000)).outcome == Outcome.UNCHANGED
    assert stored() == before
    assert PollMark.objects.get().polled_at == later
    assert PollRun.objects.filter(outcome="unchanged").count() == 1


def stored() -> list[list[Any]]:
    tables: list[type[Model]] = [Race, Entrant, RacePool, RaceResult, MoneyFlowHistory, OddsHistory]
    return [list(table._default_manager.order_by("pk").values()) for table in tables]


def test_a_poll_run_twice_is_stored_once(now: datetime) -> None:
    found = polled(now, 1000)
    process_answer("r1", found)
    before = stored()
    assert process_answer("r1", found).outcome == Outcome.UNCHANGED
    assert stored() == before


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_polls_in_any_order_leave_the_history_whole(order: tuple[int, ...], now: datetime) -> None:
    polls = [polled(now + timedelta(seconds=5 * step), 1000 + 300 * step, odds=2.0 + step) for step in range(3)]
    for step in order:
        process_answer("r1", polls[step])
    rows = history()
    amounts = [amount for _, amount, _ in rows if amount is not None]
    assert [at for at, _, _ in rows] == [poll.polled_at for poll in polls]
    assert [increment for _, _, increment in rows] == [None, amounts[1] - amounts[0], amounts[2] - amounts[1]]
    assert RacePool.objects.get().win_pool_total == 1600
    assert str(Entrant.objects.get(pk="e1").win_odds) == "4.00"


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=2, max_size=7), st.randoms())
def test_any_polls_in_any_order_sum_to_last_minus_first(drawn: list[tuple[int, int]], random: Any) -> None:
    now = clock.now().replace(minute=5, second=0, microsecond=0)
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE meetings, money_flow_history, odds_history CASCADE")
    polls = [
        polled(now + timedelta(seconds=5 * step), 1000 + 100 * pool, odds=2.0 + odds)
        for step, (odds, pool) in enumerate(drawn)
    ]
    arriving = list(polls)
    random.shuffle(arriving)
    for poll in arriving:
        process_answer("r1", poll)
    rows = history()
    assert sum(increment or 0 for _, _, increment in rows) == (rows[-1][1] or 0) - (rows[0][1] or 0)
    assert [increment for _, _, increment in rows].count(None) == 1
    mark = PollMark.objects.get()
    assert mark.generated_at == polls[-1].polled_at
    # Whatever the order, one more poll brings the history's last amount to what the race now stands at.
    process_answer("r1", polled(now + timedelta(seconds=60), 1000 + 100 * drawn[-1][1], odds=2.0 + drawn[-1][0]))
    assert RacePool.objects.get().win_pool_total == 1000 + 100 * drawn[-1][1]
    newest = MoneyFlowHistory.objects.filter(race_id="r1").order_by("-event_timestamp")[:2]
    assert sum(row.win_pool_amount or 0 for row in newest) == pytest.approx(100_000 + 10_000 * drawn[-1][1], abs=1)


def test_polls_of_one_race_by_many_workers_at_once_are_all_stored(now: datetime) -> None:
    def work(step: int) -> None:
        process_answer("r1", polled(now + timedelta(seconds=5 * step), 1000 + 10 * step))
        connections.close_all()

    threads = [Thread(target=work, args=(step,)) for step in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(history()) == 6
    assert PollMark.objects.get().version == 6
    rows = history()
    assert sum(increment or 0 for _, _, increment in rows) == (rows[-1][1] or 0) - (rows[0][1] or 0)


def test_results_and_dividends_are_stored_at_interim_and_final(now: datetime) -> None:
    def ended(status: str, at: datetime) -> FeedAnswer:
        body = event("r1", generated_at=at)
        body["data"]["race"]["status"] = status
        body["data"]["results"] = [{"position": 1, "runner_number": 1, "name": "Runner 1", "entrant_id": "e1"}]
        body["data"]["dividends"] = [
            {"id": status, "product_name": "Pool Win", "status": status, "dividend": 2.4, "pool_size": 1000}
        ]
        return answer(body, polled_at=at)

    process_answer("r1", ended("Interim", now))
    assert RaceResult.objects.get().result_status == "interim"
    process_answer("r1", ended("Final", now + timedelta(seconds=60)))
    result = RaceResult.objects.get()
    assert (result.result_status, [row["status"] for row in result.dividends]) == ("final", ["Interim", "Final"])
    race = Race.objects.select_related("meeting").get()
    assert (race.status, race.meeting.status) == ("Final", "completed")
    assert race.actual_start is not None


def test_an_unreadable_answer_leaves_its_path_and_its_body(now: datetime) -> None:
    body = event("r1", generated_at=now)
    body["data"]["race"]["race_number"] = "two"
    found = answer(body, polled_at=now)
    assert process_answer("r1", found).outcome == "parse_error"
    run = PollRun.objects.get()
    assert run.reason == "$.data.race.race_number: Expected 'int', got 'str'"
    assert bytes(FeedPayload.objects.get(poll_run=run).body) == found.body
    assert not Race.objects.exists()


def test_a_cut_off_body_is_told_and_kept(now: datetime) -> None:
    whole = gzip.compress(answer(event("r1")).body)
    found = FeedAnswer(body=whole[:-20], encoding="gzip", polled_at=now, fetch_ms=1.0)
    walked = process_answer("r1", found)
    assert walked.reason == "$: the gzip body is cut off, or unpacks to more than 20 MB"
    assert FeedPayload.objects.count() == 1


def test_an_answer_about_another_race_is_not_stored(now: datetime) -> None:
    assert process_answer("r2", polled(now, 1000, race_id="r1")).reason == "$.data.race.event_id: asked for r2, got r1"
    assert not Race.objects.exists()


def test_a_feed_error_is_a_poll_run(now: datetime) -> None:
    process_answer("r1", FeedError(reason="HTTP 503", http_status=503, retry_after=None, polled_at=now, fetch_ms=3.0))
    assert list(PollRun.objects.values_list("outcome", "reason", "http_status")) == [("feed_error", "HTTP 503", 503)]


def test_a_day_without_a_partition_is_told_and_nothing_of_the_poll_is_written(
    now: datetime, make_partitions: Callable[..., None]
) -> None:
    old = polled(now - timedelta(days=60), 1000)
    assert process_answer("r1", old).outcome == "no_partition"
    assert not Race.objects.exists()
    assert "no partition" in (PollRun.objects.get().reason or "")
    day: date = (now - timedelta(days=60)).date()
    make_partitions(*(day + timedelta(days=offset) for offset in (-1, 0, 1)))
    assert process_answer("r1", old).outcome == Outcome.CHANGED
    assert [(run.outcome, run.reason) for run in PollRun.objects.all()] == [("changed", None)]


@pytest.mark.usefixtures("own_keys")
def test_a_changed_poll_outdates_the_bodies_of_its_race_and_an_unchanged_one_moves_its_mark(now: datetime) -> None:
    def look() -> Lookup:
        found = shelf.lookup("race:r1", "none", IDENTITY)
        assert found
        return found

    assert process_answer("r1", polled(now, 1000)).outdated == ("race:r1", "meeting:m1", "card")
    first = look()
    unchanged = now + timedelta(seconds=15)
    assert process_answer("r1", polled(unchanged, 1000)).outdated == ()
    second = look()
    assert (second.version, second.mark and second.mark.polled_at) == (first.version, nz_iso(unchanged))
    assert process_answer("r1", polled(now + timedelta(seconds=30), 1100)).outdated == ("race:r1",)
    assert look().version != first.version


def test_a_poll_is_one_read_and_one_write(now: datetime) -> None:
    process_answer("r1", polled(now, 1000))
    before = statements_run()
    process_answer("r1", polled(now + timedelta(seconds=15), 2000))
    assert statements_run() - before == 2
    process_answer("r1", polled(now + timedelta(seconds=30), 2000))
    assert statements_run() - before == 4


def statements_run() -> int:
    """The statements this connection has had prepared and run so far; Django's own cursors are not among them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(generic_plans + custom_plans) FROM pg_prepared_statements")
        return int(cursor.fetchone()[0])
