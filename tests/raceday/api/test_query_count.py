"""An answer tells what it cost the database, a kept one does not."""

import pytest
from django.test import Client

from tests.support.card import make_meeting, own_keys  # noqa: F401  # a fixture
from tests.support.lane import LaneClient

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_keys")]
NAMES = ("X-Query-Count", "X-Query-Time", "X-Query-Avg")


def test_an_answer_that_was_made_tells_its_queries_and_their_milliseconds(client: Client) -> None:
    make_meeting()
    answer = client.get("/api/meetings/m1")
    count, total_ms, average_ms = (float(answer[name]) for name in NAMES)
    assert count == 1
    assert 0 < total_ms == average_ms


def test_the_average_is_that_of_all_queries(client: Client) -> None:
    answer = client.put("/api/user-alert-configs/reset")
    count, total_ms, average_ms = (float(answer[name]) for name in NAMES)
    assert count > 1
    assert average_ms == pytest.approx(total_ms / count, abs=0.01)


def test_an_error_without_a_query_tells_zero(client: Client) -> None:
    assert [float(client.get("/api/nowhere")[name]) for name in NAMES] == [0, 0, 0]


def test_a_304_tells_the_queries_it_took_to_know(client: Client) -> None:
    make_meeting()
    etag = client.get("/api/meetings?date=2026-11-21")["ETag"]
    answer = client.get("/api/meetings?date=2026-11-21&race_type=thoroughbred", HTTP_IF_NONE_MATCH=etag)
    assert (answer.status_code, answer["X-Query-Count"]) == (304, "1")


@pytest.mark.parametrize("address", ["/api/meetings?date=2026-11-21", "/admin/login/"])
def test_kept_bodies_and_pages_of_the_admin_have_no_such_headers(address: str) -> None:
    client = LaneClient()
    client.get(address)
    assert not set(NAMES) & set(client.get(address).headers)
