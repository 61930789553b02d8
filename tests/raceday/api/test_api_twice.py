"""The original client's base URL ends in /api and half of its paths begin with it: both addresses are one."""

from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import Settings

from raceday.racing_day import racing_day
from races.models import Race
from tests.support.card import START, make_meeting, make_race, own_keys  # noqa: F401  # a fixture
from tests.support.lane import LaneClient, cross_origin, lasting
from tests.support.resources import ADDRESSES, KEPT, make_whole_card

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_keys")]


@pytest.fixture
def client() -> LaneClient:
    return LaneClient()


@pytest.fixture
def race(make_partitions: Callable[..., None]) -> Race:
    make_partitions(racing_day(START))
    return make_whole_card()


@pytest.mark.parametrize("encoding", ["identity", "br"])
def test_below_a_second_api_every_page_is_the_same_hit(client: LaneClient, race: Race, encoding: str) -> None:
    accepted: dict[str, Any] = {"HTTP_ACCEPT_ENCODING": encoding}
    for route in (route for route in KEPT if ADDRESSES[route].startswith("/api/")):
        miss = client.get(f"/api{ADDRESSES[route]}", **accepted)
        for address in (f"/api{ADDRESSES[route]}", ADDRESSES[route]):
            client.forget()
            hit = client.get(address, **accepted)
            assert (route, miss["X-Cache"], hit["X-Cache"]) == (route, "MISS", "HIT")
            assert (hit.status_code, lasting(hit), hit.content) == (miss.status_code, lasting(miss), miss.content)
    assert all(path.startswith("/api/") and not path.startswith("/api/api/") for path, _, _ in client.handler.lane.kept)


@pytest.mark.parametrize(
    ("method", "address"),
    [
        *[
            ("get", "/api/races/none"),
            ("get", "/api/races/r1/"),
            ("get", "/api/entrants?colour=red"),
            ("head", "/api/races/r1"),
        ],
        *[
            ("get", "/api/nowhere"),
            ("get", "/api/api"),
            ("delete", "/api/races/r1"),
            ("put", "/api/user-alert-configs/reset"),
        ],
        *[
            ("post", "/api/user-alert-configs"),
            ("get", "/api/races/batch?ids=r1"),
            ("get", "/api/changes?race_id=r1&x=1"),
        ],
        *[("get", "/api/stream?race_id=r1"), ("get", "/api/cache/stats"), ("get", "/api/schema")],
    ],
)
def test_below_a_second_api_all_else_is_the_same_too(client: LaneClient, method: str, address: str) -> None:
    make_race(make_meeting())
    once, twice = getattr(client, method)(address), getattr(client, method)(f"/api{address}")
    assert (twice.status_code, twice.content) == (once.status_code, once.content)
    assert lasting(twice) == lasting(once)


def test_below_a_third_api_there_is_nothing(client: LaneClient) -> None:
    make_race(make_meeting())
    answer = client.get("/api/api/api/races/r1")
    assert (answer.status_code, answer.json()) == (404, {"error": "there is nothing at this address"})


def test_what_the_client_posts_below_a_second_api_is_read_there_and_here(client: LaneClient) -> None:
    address = "/api/user-alert-configs"
    config = client.get(f"/api{address}").json()
    told = client.post(f"/api{address}", config | {"toggle_all": False}, content_type="application/json")
    assert told.json() == {"success": True, **config, "toggle_all": False}
    assert client.get(f"/api{address}").json() == client.get(address).json() == config | {"toggle_all": False}
    assert client.put(f"/api{address}/reset").json() == {"success": True, **config}


def test_below_a_second_api_requests_count_alike(client: LaneClient, race: Race, settings: Settings) -> None:
    settings.RATE_LIMIT_PER_MINUTE, settings.RATE_LIMIT_EXPENSIVE_PER_5_MINUTES = 4, 2
    prefixes = ("", "/api", "/api")
    whole = [client.get(prefix + ADDRESSES["race-history"]) for prefix in prefixes]
    assert [answer.status_code for answer in whole] == [200, 200, 429]
    left = [client.get(f"{prefix}/api/races/r1")["X-RateLimit-Remaining"] for prefix in prefixes]
    assert left == ["3", "2", "1"]
    assert "X-RateLimit-Limit" not in client.get("/api/api/health").headers


def test_pages_of_other_origins_may_read_below_a_second_api(client: LaneClient, race: Race, settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://client.example"]
    asked: dict[str, Any] = {"HTTP_ORIGIN": "https://client.example"}
    preflight = asked | {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST"}
    for address in ("/api/races/r1", "/api/nowhere"):
        assert cross_origin(client.get(f"/api{address}", **asked)) == cross_origin(client.get(address, **asked))
        told = client.options(f"/api{address}", **preflight)
        assert cross_origin(told) == cross_origin(client.options(address, **preflight))
        assert told["Access-Control-Allow-Origin"] == "https://client.example"
