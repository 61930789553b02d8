"""The cluster `publish`: each outdated topic once, after the polls that are under way, and none is forgotten."""

from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest
from redis.exceptions import ConnectionError as Unreachable

from moneyflow import answers, publisher, publishing
from moneyflow.publisher import TOPICS, ask_to_publish, by_topic, drop_poison, work_off
from raceday.outage import is_outage
from raceday.queue import backlog
from raceday.queue.backlog import MOST_TRIES
from raceday.queue.broker import valkey
from tests.support.snapshots import answer

BACKLOG = (TOPICS, *map(answers.stream, range(answers.SHARDS)))


@pytest.fixture(autouse=True)
def empty() -> Iterator[None]:
    """No topics and no answers, where nobody works."""
    valkey().delete(*BACKLOG)
    yield
    valkey().delete(*BACKLOG)


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The topics that came to be published. How that is done is proved in test_publishing."""
    topics: list[str] = []
    monkeypatch.setattr(publishing, "publish", topics.append)
    return topics


def waiting() -> list[str]:
    asked: Any = valkey().xrange(TOPICS)
    return [fields[b"topic"].decode() for _, fields in asked]


def take() -> publisher.Asking:
    return by_topic(backlog.take(TOPICS, publisher.AT_ONCE))


def take_and_work() -> None:
    work_off(take())


def test_a_topic_that_many_asked_for_is_published_once_and_in_its_turn(published: list[str]) -> None:
    ask_to_publish(["race:1", "card"])
    ask_to_publish(["race:2", "race:1", "card"])
    take_and_work()
    assert (published, waiting()) == (["race:1", "card", "race:2"], [])


def test_nobody_asks_for_nothing() -> None:
    ask_to_publish(())
    assert waiting() == []


def test_no_topic_is_published_while_a_poll_is_on_its_way_to_its_commit(
    published: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "POLLS_FIRST_SECONDS", 60)
    answers.hand_over([("r1", answer(b"{}"))])
    ask_to_publish(["race:1"])
    work = Thread(target=take_and_work)
    work.start()
    work.join(0.1)
    assert (work.is_alive(), published) == (True, [])
    valkey().delete(*BACKLOG[1:])
    work.join(60)
    assert published == ["race:1"]


def test_all_that_waits_is_published_though_polls_never_end(published: list[str]) -> None:
    answers.hand_over([("r1", answer(b"{}"))])
    ask_to_publish(f"race:{number}" for number in range(50))
    take_and_work()
    assert len(published) == 50


def test_a_topic_stays_while_a_server_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def publish(topic: str) -> bool:
        if topic == "race:2":
            raise Unreachable
        return True

    monkeypatch.setattr(publishing, "publish", publish)
    ask_to_publish(["race:1", "race:2", "race:3"])
    with pytest.raises(Unreachable) as fault:
        take_and_work()
    assert is_outage(fault.value)
    assert waiting() == ["race:2", "race:3"]


def test_a_topic_that_cannot_be_published_is_tried_again_and_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    published = []

    def publish(topic: str) -> bool:
        if topic == "race:1":
            raise ValueError("unforeseen")
        published.append(topic)
        return True

    monkeypatch.setattr(publishing, "publish", publish)
    ask_to_publish(["race:1", "race:2"])
    for _ in range(MOST_TRIES):
        assert "race:1" in waiting()
        take_and_work()
        assert published == ["race:2"]
    assert waiting() == []


def test_a_topic_that_ends_its_publisher_each_time_is_given_up(published: list[str]) -> None:
    ask_to_publish(["race:1", "race:2", "race:1"])
    for _ in range(MOST_TRIES):
        drop_poison(take())  # and with this topic its publisher ends
    assert waiting() == ["race:1", "race:2", "race:1"]
    asking = take()
    drop_poison(asking)
    assert waiting() == ["race:2"]
    work_off(asking)
    assert (published, waiting()) == (["race:2"], [])
