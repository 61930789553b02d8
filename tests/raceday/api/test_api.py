"""What all addresses of the API have in common: names, errors, headers, description."""

import gzip
import re
from pathlib import Path
from typing import Any, NoReturn

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import include, path
from pytest_django import Settings
from rest_framework.decorators import api_view
from rest_framework.request import Request

from raceday.api.fields import CentsField
from raceday.api.queries import snake_case
from tests.support.card import make_entrant, make_meeting, make_race, own_keys  # noqa: F401  # a fixture
from tests.support.lane import LaneClient

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_keys")]
SECRET = "the password is swordfish"


@api_view(["GET"])
def crash(request: Request) -> NoReturn:
    raise RuntimeError(SECRET)


urlpatterns = [path("api/crash", crash), path("", include("config.urls"))]
handler500 = "raceday.api.errors.server_error"


def is_error(answer: Any, status: int) -> bool:
    """An error has its status and is JSON with one sentence, and perhaps details."""
    body = answer.json()
    return answer.status_code == status and isinstance(body["error"], str) and set(body) <= {"error", "details"}


@pytest.mark.parametrize(
    ("given", "expected"), [("raceId", "race_id"), ("race_id", "race_id"), ("date", "date"), ("x2Y", "x2_y")]
)
def test_camel_case_names_become_snake_case(given: str, expected: str) -> None:
    assert snake_case(given) == expected


@pytest.mark.parametrize(
    ("dollars", "cents"), [("322.66", 32266), (322.66, 32266), ("0.00", 0), (0.29, 29), ("1.1", 110)]
)
def test_dollars_become_exact_cents(dollars: Any, cents: int) -> None:
    assert CentsField().to_representation(dollars) == cents


@pytest.mark.parametrize(
    "address",
    ["/api/meetings", "/api/races", "/api/races/r1", "/api/entrants", "/api/race-pools", "/api/race-results"],
)
def test_an_unknown_query_parameter_is_refused_by_name(client: Client, address: str) -> None:
    answer = client.get(f"{address}?colour=red&format=json")
    assert is_error(answer, 400)
    assert set(answer.json()["details"]) == {"colour", "format"}


def test_a_parameter_given_in_both_spellings_is_refused(client: Client) -> None:
    answer = client.get("/api/entrants?race_id=r1&raceId=r2")
    assert answer.json()["details"] == {"race_id": ["given more than once"]}


@pytest.mark.parametrize("address", ["/api/nowhere", "/api/races/r1/extra", "/api/races/%00"])
def test_an_unknown_address_is_a_404_in_json(client: Client, address: str) -> None:
    assert is_error(client.get(address), 404)
    assert is_error(client.post(address), 404)


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "trace"])
@pytest.mark.parametrize("address", ["/api/meetings", "/api/races/r1", "/api/health", "/api/docs", "/api/schema"])
def test_only_reading_is_allowed(client: Client, address: str, method: str) -> None:
    answer = getattr(client, method)(address)
    assert is_error(answer, 405)
    assert set(answer["Allow"].split(", ")) <= {"GET", "HEAD", "OPTIONS"}


def test_a_crash_is_a_500_in_json_that_tells_nothing(settings: Settings) -> None:
    settings.ROOT_URLCONF = __name__
    answer = Client(raise_request_exception=False).get("/api/crash")
    assert is_error(answer, 500)
    assert b"swordfish" not in answer.content
    assert b"Traceback" not in answer.content


def test_a_foreign_host_name_is_a_400_in_json(client: Client) -> None:
    assert is_error(client.get("/api/meetings", HTTP_HOST="elsewhere.example"), 400)


def test_a_body_that_is_not_json_is_not_to_be_had(client: Client) -> None:
    assert is_error(client.get("/api/meetings", HTTP_ACCEPT="text/html"), 406)


@pytest.mark.django_db(transaction=True)
def test_without_postgresql_the_answer_is_a_503_in_json(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    connection.close()
    with monkeypatch.context() as away:
        away.setitem(connection.settings_dict, "HOST", "/nowhere")
        answer = client.get("/api/meetings")
        connection.close()
    assert is_error(answer, 503)
    assert "nowhere" not in answer.json()["error"]
    assert client.get("/api/meetings").status_code == 200


def test_answers_carry_what_caches_need(client: Client) -> None:
    make_race(make_meeting())
    known, unknown, nothing = "/api/races/r1", "/api/races/r2", "/api/nowhere"
    for address, cache_control in [(known, "no-cache"), (unknown, "no-cache"), (nothing, "no-store")]:
        answer = client.get(address)
        assert answer["Cache-Control"] == cache_control
        assert answer["Vary"] == "Accept-Encoding"
        assert answer["X-Content-Type-Options"] == "nosniff"


def test_a_known_etag_is_answered_with_304_until_the_body_changes() -> None:
    client = LaneClient()
    race = make_race(make_meeting())
    etag = client.get("/api/races/r1")["ETag"]
    again = client.get("/api/races/r1", HTTP_IF_NONE_MATCH=etag)
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)
    assert (again["X-Cache"], again["X-Polled-At"]) == ("HIT", "2026-11-21T15:29:00.000+13:00")
    assert etag.startswith('W/"')  # of all encodings
    other = make_race(race.meeting, race_id="r2")
    assert client.get(f"/api/races/{other.race_id}", HTTP_IF_NONE_MATCH=etag).status_code == 200


def test_gzip_is_given_to_those_who_ask_and_matches_the_same_etag(client: Client) -> None:
    race = make_race(make_meeting())
    for number in range(8):
        make_entrant(race, number)
    plain = client.get("/api/entrants?race_id=r1")
    small = client.get("/api/entrants?race_id=r1", HTTP_ACCEPT_ENCODING="gzip")
    assert "Content-Encoding" not in plain.headers
    assert (small["Content-Encoding"], gzip.decompress(small.content)) == ("gzip", plain.content)
    again = client.get("/api/entrants?race_id=r1", HTTP_IF_NONE_MATCH=small["ETag"], HTTP_ACCEPT_ENCODING="gzip")
    assert again.status_code == 304


def test_head_has_the_headers_of_get_and_no_body(client: Client) -> None:
    make_race(make_meeting())
    head, get = client.head("/api/races/r1"), client.get("/api/races/r1")
    assert (head.status_code, head.content, head["ETag"]) == (200, b"", get["ETag"])


def test_the_schema_is_valid_and_describes_every_address(tmp_path: Path, client: Client) -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "schema.yaml"))
    paths = client.get("/api/schema", HTTP_ACCEPT="application/json").json()["paths"]
    assert set(paths) == {
        *["/api/meetings", "/api/meetings/{meeting_id}", "/api/races", "/api/races/{race_id}", "/api/entrants"],
        *["/api/race-pools", "/api/race-results", "/api/health"],
        *["/api/meetings/{meeting_id}/races", "/api/meetings/{meeting_id}/status"],
        *["/api/races/navigation", "/api/races/upcoming", "/api/races/next-scheduled", "/api/races/batch"],
        *["/api/races/{race_id}/live", "/api/races/{race_id}/history", "/api/money-flow-timeline"],
        *["/api/late-money/indicators"],
        *["/api/late-money", "/api/late-money/record", "/api/user-alert-configs", "/api/user-alert-configs/reset"],
        *["/api/stream", "/api/changes", "/api/db-health/stats"],
        *["/api/cache/stats", "/api/cache/invalidate", "/api/cache/clear", "/api/cache/warm"],
    }
    writing = {path: set(methods) for path, methods in paths.items() if set(methods) != {"get"}}
    assert writing == {
        "/api/user-alert-configs": {"get", "post"},
        "/api/user-alert-configs/reset": {"put"},
        **{key: {"post"} for key in ("/api/cache/clear", "/api/cache/invalidate", "/api/cache/warm")},
    }
    assert all(method["summary"] for methods in paths.values() for method in methods.values())
    assert [parameter["name"] for parameter in paths["/api/entrants"]["get"]["parameters"]] == ["history", "race_id"]


def test_the_docs_page_needs_no_foreign_host_and_its_assets_are_served_here(client: Client) -> None:
    page = client.get("/api/docs").content.decode()
    assert "//" not in re.sub(r"^\s*// .*$", "", page, flags=re.MULTILINE)
    assert '"validatorUrl": null' in page
    assert 'url: "/api/schema"' in page.replace("\\u002D", "-")
    assets = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(assets) == 4
    assert {client.get(asset).status_code for asset in assets} == {200}
