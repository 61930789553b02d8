"""A kept body is never older than the last publication of any of its topics."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.test import RequestFactory
from pytest_django import Settings
from rest_framework.request import Request

from raceday import clock, published
from raceday.published import Body, publish
from tests.card import own_keys  # noqa: F401  # a fixture

pytestmark = pytest.mark.usefixtures("own_keys")
TOPICS = ["race:r1", "card"]


def ask(data: object, *, keep_seconds: int = 60, **query: object) -> HttpResponse:
    request = Request(RequestFactory().get("/api/x/"))
    return published.answer(request, query, topics=TOPICS, body=lambda: Body(data=data, keep_seconds=keep_seconds))


def test_the_second_answer_is_kept_byte_for_byte() -> None:
    first, second = ask({"a": 1}), ask({"a": 2})
    assert (first["X-Cache"], second["X-Cache"]) == ("MISS", "HIT")
    assert (first.content, first["ETag"]) == (second.content, second["ETag"])


@pytest.mark.parametrize("topic", TOPICS)
def test_publishing_any_topic_makes_the_body_a_miss(topic: str) -> None:
    ask("old")
    publish([topic])
    assert ask("new").content == b'"new"'
    assert ask("newer")["X-Cache"] == "HIT"


def test_publishing_another_topic_or_nothing_keeps_the_body() -> None:
    ask("old")
    publish(["race:r2"])
    publish([])
    assert ask("new")["X-Cache"] == "HIT"


def test_a_reader_that_began_before_the_publication_does_not_keep_what_it_read() -> None:
    def read_while_a_poll_commits() -> Body:
        publish(["race:r1"])
        return Body(data="old", keep_seconds=60)

    ask("older")
    publish(["race:r1"])
    request = Request(RequestFactory().get("/api/x"))
    published.answer(request, {}, topics=TOPICS, body=read_while_a_poll_commits)
    assert ask("new").content == b'"new"'


def test_queries_in_any_order_share_a_body_and_other_queries_do_not() -> None:
    ask("one", a=1, b=2)
    assert ask("two", b=2, a=1)["X-Cache"] == "HIT"
    assert ask("three", a=1, b=3)["X-Cache"] == "MISS"


def test_what_is_kept_for_no_time_is_not_kept() -> None:
    ask("one", keep_seconds=0)
    assert ask("two")["X-Cache"] == "MISS"


def test_a_topic_that_valkey_lost_makes_its_bodies_a_miss() -> None:
    ask("old")
    cache.delete("topic:card")
    assert ask("new").content == b'"new"'


def test_a_failure_is_not_kept() -> None:
    request = Request(RequestFactory().get("/api/x"))

    def fail() -> Body:
        raise LookupError

    with pytest.raises(LookupError):
        published.answer(request, {}, topics=TOPICS, body=fail)
    assert ask("new").content == b'"new"'


def test_without_valkey_every_answer_is_a_miss_and_publishing_does_not_fail(settings: Settings) -> None:
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "unix:///nowhere/valkey.sock"}}
    publish(["card"])
    assert (ask("one")["X-Cache"], ask("two").content) == ("MISS", b'"two"')


def test_a_body_of_a_race_tells_when_it_was_polled_and_its_age() -> None:
    polled_at = clock.now() - timedelta(seconds=90)
    body = Body(data=1, keep_seconds=60, polled_at=polled_at)
    request = Request(RequestFactory().get("/api/x"))
    answer = published.answer(request, {}, topics=TOPICS, body=lambda: body)
    assert answer["X-Polled-At"].endswith(("+12:00", "+13:00"))
    assert 90 <= int(answer["Age"]) < 120
    assert "X-Polled-At" not in ask("another", a=1).headers
