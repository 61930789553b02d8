"""Tasks in words, and what is said of a failed one while it may still be delivered again."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django_q.models import Failure, Task
from django_q.signing import SignedPackage
from django_q.tasks import async_task
from pytest_django import Settings

from operations.admin import task_words
from operations.admin.redelivery import MOST_ATTEMPTS, failures_in_words, outlook
from raceday.queue.broker import StreamBroker
from raceday.queue.cluster import CLUSTERS
from races.models import Race
from tests.support.staff import FAILURES, act, make_failure

pytestmark = pytest.mark.django_db
Take = Callable[..., str]


@pytest.fixture
def take() -> Iterator[Take]:
    """Queues a task, has it taken as a cluster does, and returns its id; in the end it is acknowledged."""
    queue = StreamBroker(list_key="default")
    taken: list[bytes] = []

    def queue_and_take(*task: Any) -> str:
        name: str = async_task(*task, q_options={"cluster": "default"})
        while True:
            for entry, signed in queue.dequeue() or []:
                taken.append(entry)
                if SignedPackage.loads(signed.decode())["id"] == name:
                    return name

    yield queue_and_take
    for entry in taken:
        queue.acknowledge(entry)


def test_every_cluster_and_every_task_that_is_queued_has_words() -> None:
    assert set(task_words.CLUSTERS) == set(CLUSTERS)
    for function in task_words.DUTIES:
        module, _, name = function.rpartition(".")
        assert callable(getattr(__import__(module, fromlist=[name]), name))


def test_a_task_is_described_by_what_it_is_about(race: Race) -> None:
    assert task_words.describe(
        [
            ("moneyflow.tasks.poll_now", (race.pk,)),
            ("moneyflow.tasks.import_day", ("2026-11-21",)),
            ("moneyflow.tasks.daily", ()),
            ("elsewhere.work", ("a",)),
        ]
    ) == [f"Poll of {race}", "Import of 2026-11-21", "Daily work", "elsewhere.work of a"]


def test_a_search_by_a_races_name_finds_its_tasks(reader: Client, race: Race) -> None:
    failure = make_failure(args=(race.pk,))
    make_failure(args=("another",))
    page = reader.get(reverse(FAILURES), {"q": "awapuni maiden"})
    assert [task.pk for task in page.context["cl"].result_list] == [failure.pk]
    assert f"Poll of {race}" in page.content.decode()
    assert f"Poll of {race}" in reader.get(reverse("admin:django_q_failure_change", args=[failure.pk])).content.decode()


def test_a_failure_that_is_delivered_again_says_so_and_is_not_queued_twice(
    admin_client: Client, race: Race, take: Take
) -> None:
    again = make_failure(id=take("moneyflow.tasks.poll_now", race.pk), args=(race.pk,), attempt_count=1)
    make_failure(id=uuid4().hex)
    page = admin_client.get(reverse(FAILURES)).content.decode()
    assert f"attempt 2 of {MOST_ATTEMPTS}" in page
    assert "failed for good" in page
    assert failures_in_words() == "2, 1 of them tried again"
    answer = act(admin_client, reverse(FAILURES), "try_again", again.pk)
    assert b"Left alone: 1, tried again without you." in answer.content
    assert Failure.objects.filter(pk=again.pk).exists()
    assert not LogEntry.objects.exists()


def test_a_retry_is_recorded_under_the_tasks_name(admin_client: Client, race: Race, queued: Any) -> None:
    act(admin_client, reverse(FAILURES), "try_again", make_failure(args=(race.pk,)).pk)
    assert len(queued(race.pk)) == 1
    assert LogEntry.objects.get().object_repr == f"Poll of {race}"


@pytest.mark.parametrize(
    ("attempts", "taken", "said"),
    [
        (1, {"t": (1, 10.0)}, "will be tried again in 20 s, attempt 2 of 3"),
        (2, {"t": (2, 10.0)}, "will be tried again in 20 s, attempt 3 of 3"),
        (1, {"t": (1, 60.0)}, "will be tried again in 0 s, attempt 2 of 3"),
        (1, {"t": (2, 0.5)}, "is being tried again, attempt 2 of 3"),
        (2, {"t": (3, 0.5)}, "is being tried again, attempt 3 of 3"),
        (3, {"t": (3, 1.0)}, "failed for good"),
        (3, {"other": (1, 10.0)}, "failed for good"),
        (1, None, "not known: Valkey cannot be reached"),
    ],
)
def test_what_comes_of_a_failure(attempts: int, taken: Any, said: str) -> None:
    assert outlook(Task(id="t", attempt_count=attempts), taken) == said


def test_the_page_of_queues_names_clusters_and_the_tasks_at_work(reader: Client, race: Race, take: Take) -> None:
    take("moneyflow.tasks.poll_now", race.pk)
    page = reader.get(reverse("admin:queues")).content.decode()
    for words in (f"Poll of {race}", *task_words.CLUSTERS.values()):
        assert words.replace("'", "&#x27;") in page


def test_without_valkey_failures_are_not_called_final(reader: Client, settings: Settings) -> None:
    make_failure()
    settings.REDIS_URL = "redis://127.0.0.1:1/0"  # nothing listens there
    page = reader.get(reverse(FAILURES)).content
    assert b"not known: Valkey cannot be reached" in page
    assert b"failed for good" not in page
