"""An alert on a real stream: it reaches whoever follows the race while no body of the poll is made yet."""

from collections.abc import Callable
from datetime import datetime

import pytest
from pytest_django import Settings

from moneyflow.publishing import publish
from tests.raceday.streams.test_streams import streams, valkey  # noqa: F401  # fixtures
from tests.support.late_polls import FOUND, START, finds, poll
from tests.support.streams import Listener, Streams, Valkey


@pytest.fixture
def followed(
    valkey: Valkey,  # noqa: F811
    streams: Streams,  # noqa: F811
    settings: Settings,
    clock_goes_on_from: Callable[[datetime], None],
    transactional_db: None,
) -> Streams:
    """Streams that read the Valkey which this process publishes to, with a clock that goes on from START."""
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": valkey.url}}
    clock_goes_on_from(START)
    return streams


def test_a_reading_reaches_a_subscriber_before_the_bodies(followed: Streams) -> None:
    follower = Listener(followed, "race_id=r1&topics=flow,pool")
    assert follower.next()[0].event == "snapshot"
    poll(900, after=-60)
    [told] = follower.next()
    assert (told.event, told.data["previous_timestamp"], told.data["entrant_ids"]) == ("flow", None, ["e1", "e2"])
    publish("race:r1")
    assert follower.next()[0].event == "snapshot"


def test_an_alert_reaches_a_subscriber_before_the_bodies_and_once(followed: Streams) -> None:
    for topic in poll(900, after=-60).outdated:
        publish(topic)
    follower, only_alerts = (Listener(followed, f"race_id=r1{topics}") for topics in ("", "&topics=alert"))
    assert [subscriber.next()[0].event for subscriber in (follower, only_alerts)] == ["snapshot"] * 2
    poll(1000, after=5, judge=finds(FOUND))
    [told] = follower.next()
    assert (told.event, told.data["alert"]["entrant_id"], told.data["race_id"]) == ("alert", "e1", "r1")
    assert publish("race:r1")
    assert [message.event for message in follower.next()] == ["pool"]
    late = Listener(followed, "race_id=r1", last_id=told.id)
    assert late.next()[0].event == "pool"
    assert Listener(followed, "race_id=r1").next()[0].data["alerts"] == [told.data["alert"]]
    poll(1100, after=10, judge=finds(FOUND))
    publish("race:r1")
    assert only_alerts.next() == [told]
