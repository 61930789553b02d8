"""What tests of polls and their tasks share."""

from collections.abc import Iterator

import pytest

from raceday.queue.broker import StreamBroker


@pytest.fixture
def queue() -> Iterator[StreamBroker]:
    """The queue of the cluster `default`, empty before and after."""
    queue = StreamBroker(list_key="default")
    queue.delete_queue()
    yield queue
    queue.delete_queue()
