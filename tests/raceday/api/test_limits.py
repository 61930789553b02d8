"""A client that asks too much is told so, and when to come back."""

from datetime import timedelta
from time import monotonic
from urllib.parse import quote

import pytest
from django.core.cache import caches
from django.test import Client
from pytest_django import Settings

from raceday import clock
from raceday.api.limits import Scope, count, scope_of
from raceday.racing_day import nz_iso
from raceday.valkey import REST_SECONDS
from tests.support.card import make_meeting, make_race, own_keys  # noqa: F401  # a fixture
from tests.support.lane import LaneClient

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_keys", "limits")]
ADDRESS = "192.0.2.1"


@pytest.fixture
def limits(settings: Settings) -> None:
    settings.RATE_LIMIT_PER_MINUTE = 3
    settings.RATE_LIMIT_EXPENSIVE_PER_5_MINUTES = 1


@pytest.mark.parametrize(
    ("path", "query", "scope"),
    [
        ("/api/meetings", "", Scope.ORDINARY),
        ("/api/schema", "", Scope.ORDINARY),
        ("/api/nowhere", "", Scope.ORDINARY),
        ("/api/money-flow-timeline/", "race_id=r1&entrants=e1&limit=2000", Scope.ORDINARY),
        ("/api/user-alert-configs", "", Scope.ORDINARY),
        ("/api/races/r1/history", "", Scope.EXPENSIVE),
        ("/api/races/r1/history/", "pool_type=win", Scope.EXPENSIVE),
        ("/api/races/r1/history", "since=1970-01-01T00:00:00Z", Scope.EXPENSIVE),
        *[  # refused before they cost anything
            ("/api/races/r1/history", f"since={text}", Scope.ORDINARY)
            for text in ("x", "", "2199-01-01T00:00:00", "%00", "T" * 50_000)
        ],
        ("/api/races/r1/history", "since=2199-01-01T00:00:00Z", Scope.ORDINARY),
        ("/api/races/r1/history/", "s%69nce=2199-01-01T00:00:00+13:00&poolType=win", Scope.ORDINARY),
        ("/api/races/r1/history", "since=2199-01-01T00:00:00Z&since=1970-01-01T00:00:00Z", Scope.ORDINARY),
        ("/api/entrants", "race_id=r1", Scope.ORDINARY),
        ("/api/entrants", "race_id=r1&history=0", Scope.ORDINARY),
        ("/api/entrants", "race_id=r1&history=200", Scope.ORDINARY),
        ("/api/entrants/", "race_id=r1&history=201", Scope.EXPENSIVE),
        ("/api/entrants", "race_id=r1&h%69story=2000", Scope.EXPENSIVE),
        ("/api/entrants", "race_id=r1&history=300.0", Scope.EXPENSIVE),
        ("/api/health", "", None),
        ("/api/health/", "", None),
        ("/health", "", None),
        ("/metrics", "", None),
        ("/admin/login/", "", None),
        ("/static/x.css", "", None),
    ],
)
def test_only_whole_histories_are_expensive(path: str, query: str, scope: Scope | None) -> None:
    assert scope_of(path, query) == scope


@pytest.mark.parametrize("query", ["", "&pool_type=win"])
@pytest.mark.parametrize(("minutes", "scope"), [(59, Scope.ORDINARY), (61, Scope.EXPENSIVE), (-5, Scope.ORDINARY)])
def test_a_history_that_goes_further_back_than_an_hour_counts_as_a_whole_one(
    minutes: int, scope: Scope, query: str
) -> None:
    since = nz_iso(clock.now() - timedelta(minutes=minutes))
    for written in (since, quote(since)):  # as a client writes it that does not encode its +, and as one that does
        assert scope_of("/api/races/r1/history", f"since={written}{query}") == scope


def test_a_kept_history_is_charged_by_how_far_back_it_was_asked_for(settings: Settings) -> None:
    settings.RATE_LIMIT_PER_MINUTE = 100
    make_race(make_meeting(), polled_at=clock.now(), start_time=clock.now())
    client, whole = LaneClient(), "/api/races/r1/history?since=1970-01-01T00:00:00Z"
    recent = f"/api/races/r1/history?since={quote(nz_iso(clock.now() - timedelta(minutes=5)))}"
    assert client.outcomes(whole, whole) == ["MISS", "none"]
    assert client.get(whole).status_code == 429
    assert client.outcomes(recent, recent, recent) == ["MISS", "HIT", "HIT"]


def test_each_answer_tells_what_is_left_and_the_one_past_the_limit_is_a_429(client: Client) -> None:
    for left in ("2", "1", "0"):
        answer = client.get("/api/meetings")
        assert (answer.status_code, answer["X-RateLimit-Limit"], answer["X-RateLimit-Remaining"]) == (200, "3", left)
        assert "Retry-After" not in answer.headers
    refused = client.get("/api/meetings")
    assert (refused.status_code, refused["X-RateLimit-Remaining"], refused["Cache-Control"]) == (429, "0", "no-store")
    assert 1 <= int(refused["Retry-After"]) <= 60
    assert refused["X-RateLimit-Reset"] == refused["Retry-After"]
    assert refused["X-Content-Type-Options"] == "nosniff"
    seconds = refused["Retry-After"]
    assert refused.json() == {
        "error": f"too many requests; try again in {seconds} s",
        "details": {"limit": 3, "window_seconds": 60, "retry_after_seconds": int(seconds)},
    }


def test_a_refused_write_stores_nothing(client: Client) -> None:
    for _ in range(3):
        client.get("/api/user-alert-configs")
    assert client.put("/api/user-alert-configs/reset?user_id=me").status_code == 429
    caches["default"].delete_pattern("limit:*")  # type: ignore[attr-defined]  # as time would
    assert client.put("/api/user-alert-configs/reset?user_id=me").status_code == 200


def test_expensive_requests_have_a_count_of_their_own(client: Client) -> None:
    whole = "/api/entrants?race_id=r1&history=2000"
    assert [client.get(whole).status_code for _ in range(2)] == [200, 429]
    assert client.get("/api/entrants?race_id=r1").status_code == 200
    assert 60 < int(client.get(whole)["Retry-After"]) <= 300


def test_refusals_do_not_lengthen_the_wait(client: Client) -> None:
    for _ in range(10):
        client.get("/api/meetings")
    cache = caches["default"]
    (key,) = cache.keys("limit:*")  # type: ignore[attr-defined]
    cache.expire(key, 7)  # type: ignore[attr-defined]
    assert client.get("/api/meetings")["Retry-After"] == "7"
    cache.delete(key)
    assert client.get("/api/meetings").status_code == 200


def test_another_address_has_its_own_count(client: Client) -> None:
    for _ in range(4):
        client.get("/api/meetings", REMOTE_ADDR=ADDRESS)
    assert client.get("/api/meetings", REMOTE_ADDR=ADDRESS).status_code == 429
    assert client.get("/api/meetings", REMOTE_ADDR="192.0.2.2").status_code == 200


@pytest.mark.parametrize(("behind_proxy", "last"), [(True, 200), (False, 429)])
def test_only_behind_a_proxy_its_word_for_the_client_counts(
    client: Client, settings: Settings, behind_proxy: bool, last: int
) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if behind_proxy else None
    for number in range(4):
        answer = client.get("/api/meetings", HTTP_X_FORWARDED_FOR=f"203.0.113.1, 198.51.100.{number}")
    assert answer.status_code == last


def test_health_and_metrics_are_never_refused(client: Client) -> None:
    for _ in range(5):
        health, metrics = client.get("/api/health"), client.get("/metrics")
    assert (health.status_code, metrics.status_code) != (429, 429)
    assert "X-RateLimit-Limit" not in health.headers


def test_no_limit_leaves_the_headers_off(client: Client, settings: Settings) -> None:
    settings.RATE_LIMIT_PER_MINUTE = 0
    answers = [client.get("/api/meetings") for _ in range(5)]
    assert {answer.status_code for answer in answers} == {200}
    assert "X-RateLimit-Limit" not in answers[-1].headers


def test_without_valkey_nobody_is_refused_and_the_log_says_so_once(
    client: Client, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "unix:///nowhere/valkey.sock"}}
    answers = [client.get("/api/meetings") for _ in range(5)]
    assert {answer.status_code for answer in answers} == {200}
    assert "X-RateLimit-Limit" not in answers[-1].headers
    assert caplog.text.count("valkey_away'") == 1


def test_a_valkey_that_is_back_is_asked_again_after_a_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("raceday.valkey._away", {"until": monotonic() + REST_SECONDS})
    assert count(ADDRESS, Scope.ORDINARY) is None
    monkeypatch.setattr("raceday.valkey._away", {"until": monotonic()})
    assert count(ADDRESS, Scope.ORDINARY) is not None


def test_a_304_tells_what_is_left_too(client: Client) -> None:
    make_race(make_meeting())
    etag = client.get("/api/races/r1")["ETag"]
    again = client.get("/api/races/r1", HTTP_IF_NONE_MATCH=etag)
    assert (again.status_code, again["X-RateLimit-Remaining"]) == (304, "1")


def test_requests_at_once_are_each_counted() -> None:
    allowances = [count(ADDRESS, Scope.ORDINARY) for _ in range(4)]
    assert [allowance.is_refused for allowance in allowances if allowance] == [False, False, False, True]
