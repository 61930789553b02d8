"""The page at `/`, and the list of routes that it links to."""

from datetime import timedelta

import pytest
from django.test import Client

from board.templatetags.board import countdown
from raceday import clock
from raceday.api.index import routes
from tests.support.card import make_meeting, make_race

pytestmark = pytest.mark.django_db


def test_the_page_shows_the_races_that_come_next_and_no_ended_one(client: Client) -> None:
    meeting = make_meeting()
    now = clock.now()
    make_race(meeting, race_id="next", name="Kowhai & Sons", start_time=now + timedelta(minutes=5), status="Open")
    make_race(meeting, race_id="late", name="Tui Street", start_time=now - timedelta(minutes=1), status="Open")
    make_race(meeting, race_id="over", name="Long Bay", start_time=now - timedelta(minutes=30), status="Final")
    make_race(meeting, race_id="left", name="Ridgeline", start_time=now - timedelta(days=1), status="Open")
    response = client.get("/")
    page = response.content.decode()
    assert response.status_code == 200
    assert page.index("Tui Street") < page.index("Kowhai &amp; Sons")
    assert "Long Bay" not in page
    assert "Ridgeline" not in page
    assert "+1:0" in page
    assert '<a href="/api/races/next/live">' in page


def test_without_a_race_the_page_says_so(client: Client) -> None:
    assert "No race is to come" in client.get("/").content.decode()


def test_the_page_loads_its_own_files_only(client: Client) -> None:
    response = client.get("/")
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'")
    assert "<script" not in response.content.decode()
    for name in ("page.css", "favicon.svg"):
        assert f"/static/board/{name}" in response.content.decode()
        assert client.get(f"/static/board/{name}").status_code == 200
    assert client.get("/favicon.ico").headers["Location"] == "/static/board/favicon.svg"


def test_a_page_is_read_only(client: Client) -> None:
    assert client.post("/").status_code == 405


@pytest.mark.parametrize("address", ["/api", "/api/"])
def test_the_api_lists_its_routes(client: Client, address: str) -> None:
    body = client.get(address).json()
    assert body["docs"] == "/api/docs"
    assert {"path": "/api/races/{race_id}/live", "methods": ["GET"]} in body["routes"]
    assert {"path": "/api/user-alert-configs", "methods": ["GET", "POST"]} in body["routes"]
    assert client.get(body["schema"]).status_code == 200
    assert client.get("/api/meetings").status_code == 200


def test_each_listed_route_is_below_the_api_and_listed_once() -> None:
    paths = [str(route["path"]) for route in routes()]
    assert all(path.startswith("/api/") for path in paths)
    assert len(paths) == len(set(paths)) > 15


@pytest.mark.parametrize(
    ("seconds", "shown"), [(42, "−0:42"), (0, "+0:00"), (-83, "+1:23"), (3725, "−1:02:05"), (-3600, "+1:00:00")]
)
def test_a_countdown_counts_past_the_start(seconds: int, shown: str) -> None:
    assert countdown(seconds) == shown
