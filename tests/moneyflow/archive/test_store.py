"""What a poll leaves in the archive, and how it is read again."""

from datetime import datetime, timedelta

import pytest
from django.db import connection

from moneyflow.archive import store
from moneyflow.archive.packing import DamagedError
from moneyflow.archive.store import ArchivedAnswer, read_answers
from moneyflow.models import FeedAnswer
from moneyflow.pipeline import process_answer
from raceday import clock
from raceday.models import FeedPayload
from raceday.racing_day import day_bounds, racing_day
from raceday.selecting import select
from tests.support.snapshots import answer, event

pytestmark = pytest.mark.django_db(transaction=True)
NUMBER = 5


@pytest.fixture
def noon() -> datetime:
    return day_bounds(racing_day(clock.now()))[0] + timedelta(hours=12)


def poll(at: datetime, dollars: float, race_id: str = "r1", *, is_again: bool = False) -> bytes:
    body = answer(event(race_id, generated_at=at, tote_pools=[{"product_type": "Win", "total": dollars}]), polled_at=at)
    process_answer(race_id, body, is_again=is_again)
    return body.body


def stored(race_id: str = "r1") -> list[ArchivedAnswer]:
    return list(read_answers(select("SELECT * FROM feed_answers WHERE race_id = %s ORDER BY sequence", [race_id])))


def test_each_answer_is_stored_with_its_poll_and_comes_back_as_it_was(noon: datetime) -> None:
    sent = [poll(noon + timedelta(seconds=second), 100 + second // 2) for second in range(NUMBER)]
    found = stored()
    assert [each.answer.content() for each in found] == sent
    assert [each.answer.polled_at for each in found] == [noon + timedelta(seconds=second) for second in range(NUMBER)]
    bases = FeedAnswer.objects.order_by("sequence").values_list("base_at", flat=True)
    assert list(bases) == [None, *(noon + timedelta(seconds=second) for second in range(NUMBER - 1))]


def test_an_answer_that_comes_twice_is_stored_once_and_the_next_one_still_comes_back(noon: datetime) -> None:
    first = poll(noon, 100)
    poll(noon, 100, is_again=True)
    second = poll(noon + timedelta(seconds=5), 101)
    assert [each.answer.content() for each in stored()] == [first, second]


def test_a_late_answer_is_stored_in_the_order_of_writing(noon: datetime) -> None:
    sent = [poll(noon + timedelta(seconds=second), 100 + second) for second in (0, 10, 5)]
    assert [each.answer.content() for each in stored()] == sent


def test_a_writer_without_memory_packs_an_answer_by_itself(noon: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = [poll(noon, 100)]
    monkeypatch.setattr(store, "_newest", {})
    sent.append(poll(noon + timedelta(seconds=5), 101))
    assert FeedAnswer.objects.filter(base_at=None).count() == len(sent)
    assert [each.answer.content() for each in stored()] == sent


def test_no_answer_needs_more_than_so_many_others(noon: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_DEEP", 2)
    sent = [poll(noon + timedelta(seconds=second), 100 + second) for second in range(NUMBER)]
    by_itself = FeedAnswer.objects.order_by("sequence").values_list("base_at", flat=True)
    assert [base_at is None for base_at in by_itself] == [True, False, False, True, False]
    assert [each.answer.content() for each in stored()] == sent


def test_a_day_can_be_read_without_the_day_before(noon: datetime) -> None:
    _, midnight = day_bounds(racing_day(noon))
    poll(midnight - timedelta(seconds=1), 100)
    poll(midnight, 101)
    assert list(FeedAnswer.objects.values_list("base_at", flat=True)) == [None, None]


def test_a_writer_remembers_only_so_many_races(noon: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_RACES", 1)
    monkeypatch.setattr(store, "_newest", {})
    for race_id in ("r1", "r2"):
        process_answer(race_id, answer(event(race_id, generated_at=noon, runners=[]), polled_at=noon))
    poll(noon, 100, "r1")
    poll(noon, 100, "r2")
    assert list(store._newest) == ["r2"]


def test_a_writer_forgets_a_race_that_is_over(noon: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_newest", {})
    for second, status in enumerate(("Interim", "Final")):
        at = noon + timedelta(seconds=second)
        body = event("r1", generated_at=at, runners=[])
        body["data"]["race"]["status"] = status
        process_answer("r1", answer(body, polled_at=at))
        assert list(store._newest) == (["r1"] if status == "Interim" else [])


def test_an_answer_whose_poll_is_not_written_is_not_archived_but_kept_apart(noon: datetime) -> None:
    process_answer("r1", answer(b"{}", polled_at=noon))
    assert (FeedAnswer.objects.count(), FeedPayload.objects.count()) == (0, 1)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("UPDATE feed_answers SET body = 'rubbish' WHERE base_at IS NULL", "it cannot be unpacked"),
        ("UPDATE feed_answers SET sha256 = '' WHERE base_at IS NOT NULL", "or its base is not"),
        ("DELETE FROM feed_answers WHERE base_at IS NULL", "that it is packed against is missing"),
    ],
)
def test_damage_is_told_with_the_answer_that_it_hits(noon: datetime, damage: str, reason: str) -> None:
    poll(noon, 100)
    poll(noon + timedelta(seconds=5), 101)
    with connection.cursor() as cursor:
        cursor.execute(damage)
    with pytest.raises(DamagedError, match=f"the answer about r1 polled at .*{reason}"):
        stored()
