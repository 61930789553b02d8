"""The list of routes at `/api`."""

import pytest
from django.test import Client

from raceday.api.index import routes

pytestmark = pytest.mark.django_db


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
