"""The lane says what Django would say, from what was finished before; what Django refuses, it refuses."""

from collections.abc import Callable
from time import monotonic
from typing import Any
from urllib.parse import quote

import brotli
import pytest
from django.test import Client
from pytest_django import Settings

from raceday.api import headers
from raceday.api.limits import Scope
from raceday.published import lane, shelf
from raceday.published.lane import PROCESS_BODIES, PROCESS_BYTES, PROCESS_SECONDS, Lane, Ready, is_known
from raceday.racing_day import racing_day
from races.models import Race
from tests.support.card import START, make_meeting, make_race, own_keys  # noqa: F401  # a fixture
from tests.support.lane import LaneClient, cross_origin, lasting
from tests.support.resources import ADDRESSES, KEPT, NEVER_KEPT, make_whole_card, resource_routes

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_keys")]
OF_CONTENT = ("Content-Type", "Content-Length", "Content-Encoding")
ENCODINGS = [
    *[None, "", "br", "gzip", "gzip, br", "identity", "*", "gzip;q=0", "*;q=0", "br;q=0.1, gzip;q=0.9"],
    *["gzip;q=0.5, identity;q=0.8", "br;q=0, *;q=0.4", "deflate", "GZIP", "gzip; q=0.000"],
]


@pytest.fixture
def client() -> LaneClient:
    return LaneClient()


@pytest.fixture
def race(make_partitions: Callable[..., None]) -> Race:
    make_partitions(racing_day(START))
    return make_whole_card()


def headers_of(encoding: str | None) -> dict[str, Any]:
    return {} if encoding is None else {"HTTP_ACCEPT_ENCODING": encoding}


# ── The same answer ─────────────────────────────────────────────────────────────────────────────
def test_every_page_of_the_urlconf_has_an_address_in_these_tests() -> None:
    assert resource_routes() == set(ADDRESSES)


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_hit_is_what_django_answers_byte_for_byte(client: LaneClient, race: Race, encoding: str | None) -> None:
    accepted = headers_of(encoding)
    for route in KEPT:
        miss = Client().get(ADDRESSES[route], **accepted)
        for _ in range(2):  # from Valkey, and from this process
            hit = client.get(ADDRESSES[route], **accepted)
            assert (route, miss["X-Cache"], hit["X-Cache"]) == (route, "MISS", "HIT")
            assert (hit.status_code, lasting(hit), hit.content) == (miss.status_code, lasting(miss), miss.content)
    assert client.handler.came == 0


def test_all_encodings_of_a_body_unpack_to_one(client: LaneClient, race: Race) -> None:
    packed = 0
    for route in KEPT:
        whole, br = client.get(ADDRESSES[route]), client.get(ADDRESSES[route], HTTP_ACCEPT_ENCODING="br")
        is_packed = br.get("Content-Encoding") == "br"
        packed += is_packed
        assert (brotli.decompress(br.content) if is_packed else br.content) == whole.content
        assert (br["X-Cache"], br["ETag"]) == ("HIT", whole["ETag"])
    assert 0 < packed < len(KEPT)


def test_what_is_never_kept_is_django_s_each_time(client: LaneClient, race: Race) -> None:
    for route in NEVER_KEPT:
        assert client.outcomes(*[ADDRESSES[route]] * 2) == ["MISS", "MISS"]


def test_head_has_the_headers_of_get_and_no_body(client: LaneClient, race: Race) -> None:
    accepted = headers_of("gzip")
    for route in KEPT:
        miss = client.head(ADDRESSES[route], **accepted)
        get, head = client.get(ADDRESSES[route], **accepted), client.head(ADDRESSES[route], **accepted)
        assert (miss["X-Cache"], get["X-Cache"], head["X-Cache"]) == ("MISS", "HIT", "HIT")
        assert (head.content, miss.content, lasting(head)) == (b"", b"", lasting(get))
        assert lasting(miss) == lasting(head)


@pytest.mark.parametrize("known", ["{}", '"other", {}', "*", "strong"])
def test_who_knows_the_body_is_told_304_with_all_headers(client: LaneClient, race: Race, known: str) -> None:
    for route in KEPT:
        whole = client.get(ADDRESSES[route])
        etag = whole["ETag"]
        said = etag.removeprefix("W/") if known == "strong" else known.format(etag)
        hit = client.get(ADDRESSES[route], HTTP_IF_NONE_MATCH=said)
        assert (hit.status_code, hit.content, hit["X-Cache"]) == (304, b"", "HIT")
        assert lasting(hit) == {name: value for name, value in lasting(whole).items() if name not in OF_CONTENT}


def test_another_etag_gets_the_body() -> None:
    assert not is_known("", 'W/"a"')
    assert not is_known('"ab", W/"b"', 'W/"a"')


def test_a_404_that_is_kept_is_not_a_304(client: LaneClient) -> None:
    make_race(make_meeting())
    shelf.outdate({"race:r1": "v"}, shelf.Mark("2026-11-21T15:29:00.000+13:00", 1.0, 0.0))
    miss = client.get("/api/race-results?race_id=r1")
    hit = client.get("/api/race-results?race_id=r1", HTTP_IF_NONE_MATCH="*")
    assert (hit.status_code, hit.content, hit["X-Cache"]) == (404, miss.content, "HIT")
    assert lasting(hit) == lasting(miss)


# ── The process's own copies ────────────────────────────────────────────────────────────────────
def test_the_process_asks_valkey_again_once_its_copy_is_old(client: LaneClient) -> None:
    meeting = make_meeting()
    client.get("/api/meetings/m1")
    client.get("/api/meetings/m1")  # now this process has a copy
    meeting.meeting_name = "Otaki"
    meeting.save()
    shelf.outdate({"meeting:m1": None})
    (kept,) = client.handler.lane.kept.items()
    assert 0 < kept[1].until - monotonic() <= PROCESS_SECONDS <= 0.25
    assert client.get("/api/meetings/m1")["X-Cache"] == "HIT"
    client.handler.lane.kept[kept[0]] = kept[1]._replace(until=monotonic())
    assert client.get("/api/meetings/m1").json()["meeting_name"] == "Otaki"


def test_settings_are_never_in_the_process_and_read_back_at_once(
    client: LaneClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "PUBLISHING_SECONDS", 60.0)  # of which they have none
    address = "/api/user-alert-configs"
    config = client.get(address).json()
    assert client.get(address)["X-Cache"] == "HIT"
    assert client.handler.lane.kept == {}
    assert client.post(address, config | {"toggle_all": False}, content_type="application/json").status_code == 200
    assert client.get(address).json()["toggle_all"] is False


def test_a_process_keeps_so_many_bodies_and_bytes_and_no_more() -> None:
    lane = Lane(lambda *_: ())
    ready = Ready(0.0, "race", Scope.ORDINARY, "HIT", 200, "", [], "", None, b"")
    for number in range(2 * PROCESS_BODIES + 1):
        lane._keep((f"/api/races/{number}", "", ""), ready)
        assert len(lane.kept) <= PROCESS_BODIES
    for number in range(5):
        lane._keep((str(number), "", ""), ready._replace(content=bytes(PROCESS_BYTES // 2 - 1)))
        assert sum(len(kept.content) for kept in lane.kept.values()) <= PROCESS_BYTES


def test_a_body_sent_over_and_over_does_not_empty_the_process() -> None:
    lane = Lane(lambda *_: ())
    ready = Ready(0.0, "race", Scope.ORDINARY, "HIT", 200, "", [], "", None, bytes(PROCESS_BYTES // 4))
    lane._keep(("other", "", ""), ready._replace(content=b""))
    for _ in range(8):
        lane._keep(("/api/races/r1", "", ""), ready)
    assert len(lane.kept) == 2


# ── What Django refuses ─────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("query", ["colour=red", "race_id=r1&raceId=r1", "history=many", "race_id="])
def test_a_bad_query_of_a_kept_body_is_django_s_400(client: LaneClient, race: Race, query: str) -> None:
    assert client.outcomes("/api/entrants?race_id=r1", "/api/entrants?race_id=r1") == ["MISS", "HIT"]
    assert client.get(f"/api/entrants?{query}").status_code == 400


@pytest.mark.parametrize("host", ["evil.example", "testserver.evil.example", "", "test server", "testserver:x"])
def test_a_host_that_is_not_ours_is_refused_by_django(client: LaneClient, race: Race, host: str) -> None:
    assert client.outcomes("/api/races/r1", "/api/races/r1") == ["MISS", "HIT"]
    answer = client.get("/api/races/r1", HTTP_HOST=host)
    assert (answer.status_code, answer.json()) == (400, {"error": "the request cannot be read"})


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch", "options", "trace"])
def test_only_reading_is_answered_from_the_shelf(client: LaneClient, race: Race, method: str) -> None:
    assert client.outcomes("/api/races/r1", "/api/races/r1") == ["MISS", "HIT"]
    answer = getattr(client, method)("/api/races/r1")
    assert answer.status_code == (200 if method == "options" else 405)
    assert "X-Cache" not in answer.headers


def test_behind_a_proxy_without_https_django_redirects(client: LaneClient, race: Race, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT, settings.SECURE_PROXY_SSL_HEADER = True, ("HTTP_X_FORWARDED_PROTO", "https")
    secure: dict[str, Any] = {"HTTP_X_FORWARDED_PROTO": "https"}
    assert [client.get("/api/races/r1", **secure)["X-Cache"] for _ in range(3)] == ["MISS", "HIT", "HIT"]
    insecure: list[dict[str, Any]] = [{}, {"HTTP_X_FORWARDED_PROTO": "http"}]
    for plain in insecure:
        answer = client.get("/api/races/r1", **plain)
        assert (answer.status_code, answer["Location"]) == (301, "https://testserver/api/races/r1")


def test_with_https_the_lane_s_security_headers_are_django_s(race: Race, settings: Settings) -> None:
    settings.SECURE_HSTS_SECONDS, settings.SECURE_HSTS_PRELOAD = 31_536_000, True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    headers.security_headers.cache_clear()
    try:
        miss = Client().get("/api/races/r1", HTTP_X_FORWARDED_PROTO="https")
        hit = LaneClient().get("/api/races/r1", HTTP_X_FORWARDED_PROTO="https")
    finally:
        headers.security_headers.cache_clear()
    assert (hit["X-Cache"], lasting(hit)) == ("HIT", lasting(miss))
    assert hit["Strict-Transport-Security"] == "max-age=31536000; preload"


def test_an_id_of_any_letters_is_kept_like_another(client: LaneClient) -> None:
    meeting = make_meeting()
    for race_id in ("a b|c", "\u0101\u00e9\u20ac", "a%2Fb", "\u00c4\u0081", "x\ny", "{race_id}"):
        make_race(meeting, race_id=race_id)
        address = f"/api/races/{quote(race_id, safe='')}"
        miss, hit = client.get(address), client.get(address)
        assert (miss["X-Cache"], hit["X-Cache"], hit.json()["race_id"]) == ("MISS", "HIT", race_id)
        assert hit.content == miss.content


def test_a_query_of_raw_bytes_is_left_to_django(client: LaneClient) -> None:
    make_race(make_meeting(), race_id="\u0101")
    client.get("/api/race-pools?race_id=%C4%81")
    raw = client.get("/api/races/navigation", QUERY_STRING="race_id=\u0101".encode().decode("latin-1"))
    assert (raw.status_code, raw["X-Cache"]) == (200, "MISS")


# ── Limits and other origins ────────────────────────────────────────────────────────────────────
def test_hits_count_like_misses_and_past_the_limit_the_lane_refuses(client: LaneClient, settings: Settings) -> None:
    settings.RATE_LIMIT_PER_MINUTE = 4
    make_race(make_meeting())
    left = []
    for outcome in ("MISS", "HIT", "HIT", "HIT"):
        answer = client.get("/api/races/r1")
        left.append(answer["X-RateLimit-Remaining"])
        assert (answer["X-Cache"], answer["X-RateLimit-Limit"], "Retry-After" in answer.headers) == (
            outcome,
            "4",
            False,
        )
    assert left == ["3", "2", "1", "0"]
    refused, plain = client.get("/api/races/r1"), Client().get("/api/races/r1")
    for answer in (refused, plain):
        assert (answer.status_code, answer["X-RateLimit-Remaining"], "X-Cache" in answer.headers) == (429, "0", False)
        assert 1 <= int(answer["Retry-After"]) <= 60
    assert set(refused.headers) == set(plain.headers)
    assert client.get("/api/races/r1", REMOTE_ADDR="192.0.2.9")["X-RateLimit-Remaining"] == "3"


def test_a_304_of_the_lane_counts_and_tells_what_is_left(client: LaneClient, settings: Settings) -> None:
    settings.RATE_LIMIT_PER_MINUTE = 9
    make_race(make_meeting())
    etag = client.get("/api/races/r1")["ETag"]
    answer = client.get("/api/races/r1", HTTP_IF_NONE_MATCH=etag)
    assert (answer.status_code, answer["X-Cache"], answer["X-RateLimit-Remaining"]) == (304, "HIT", "7")


def test_a_whole_history_is_as_expensive_when_it_is_kept(client: LaneClient, race: Race, settings: Settings) -> None:
    settings.RATE_LIMIT_EXPENSIVE_PER_5_MINUTES = 2
    answers = [client.get(ADDRESSES["race-history"]) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert (answers[1]["X-Cache"], answers[1]["X-RateLimit-Remaining"]) == ("HIT", "0")


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize("origin", ["https://client.example", "https://client.example.org", "null", None])
def test_other_origins_are_told_what_django_tells_them(
    client: LaneClient, race: Race, settings: Settings, origin: str | None
) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://client.example"]
    asked: dict[str, Any] = {"HTTP_ORIGIN": origin} if origin else {}
    for etag in ("", "*"):
        for route in KEPT:
            miss, hit = Client().get(ADDRESSES[route], **asked), client.get(ADDRESSES[route], **asked)
            assert (hit["X-Cache"], cross_origin(hit)) == ("HIT", cross_origin(miss))
            known = client.get(ADDRESSES[route], HTTP_IF_NONE_MATCH=etag or "none", **asked)
            assert (known.status_code, cross_origin(known)) == (304 if etag else 200, cross_origin(miss))
    assert ("Access-Control-Allow-Origin" in hit.headers) is (origin == "https://client.example")
