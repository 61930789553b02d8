"""Who looks at the admin, at what race, and what is queued by what they do."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django_q.signing import SignedPackage

from accounts.models import User
from raceday.queue.broker import FIELD, StreamBroker
from raceday.racing_day import racing_day
from races.models import Race
from tests.support.card import START, make_meeting, make_race


@pytest.fixture
def reader(client: Client) -> Client:
    """Staff without any right."""
    client.force_login(User.objects.create_user("reader", is_staff=True))
    return client


@pytest.fixture
def race(make_partitions: Callable[..., None]) -> Race:
    make_partitions(racing_day(START))
    return make_race(make_meeting(meeting_id=f"m-{uuid4()}"), race_id=f"r-{uuid4()}")


@pytest.fixture
def queued() -> Iterator[Callable[[object], list[dict[str, Any]]]]:
    """Gives the tasks waiting on the cluster `default` that have an argument, and takes them off in the end."""
    queue = StreamBroker(list_key="default")
    found: list[bytes] = []

    def look(argument: object) -> list[dict[str, Any]]:
        waiting: Any = queue.connection.xrange(queue.stream)
        entries = [(entry, SignedPackage.loads(fields[FIELD].decode())) for entry, fields in waiting]
        mine = [(entry, task) for entry, task in entries if argument in task["args"]]
        found.extend(entry for entry, _ in mine)
        return [task for _, task in mine]

    yield look
    for entry in found:
        queue.connection.xdel(queue.stream, entry)
