"""Every spelling of a question has one key, and each client gets the encoding it likes best."""

from collections.abc import Callable
from datetime import UTC, datetime
from time import time
from urllib.parse import unquote

import pytest

from raceday.published.resources import Body, best, find, finish, render
from raceday.published.shelf import BR, GZIP, IDENTITY

ENTRANTS = "/api/entrants?history=50&race_id=r1"


def key(path: str, query: str = "") -> str:
    asked = find(path, query)
    assert asked
    return asked.key


@pytest.mark.parametrize("path", ["/api/entrants", "/api/entrants/"])
@pytest.mark.parametrize(
    "query",
    [
        *["race_id=r1", "raceId=r1", "race_id=r1&history=50", "history=50&raceId=r1", "race_id=r1&history=050"],
        *["race_id=%72%31", "race_id=+r1+", "race_id=r1&", "&race_id=r1", "history=%2050&race_id=r1"],
    ],
)
def test_order_case_defaults_and_a_slash_do_not_make_another_body(path: str, query: str) -> None:
    assert key(path, query) == ENTRANTS


@pytest.mark.parametrize("query", ["race_id=R1", "race_id=r1&history=51", "race_id=r2", "race_id=r1%20r2"])
def test_another_question_has_another_key(query: str) -> None:
    assert key("/api/entrants", query) != ENTRANTS


def test_a_key_is_an_address_that_leads_to_itself() -> None:
    for path, query in (("/api/entrants/", "raceId=a%26b%3Dc|d%20e"), ("/api/races/a b|c\u0101/live/", "")):
        first = find(path, query)
        assert first
        again = find(*pages_address(first.key))
        assert again and (again.key, again.topic, again.query) == (first.key, first.topic, first.query)


def pages_address(key: str) -> tuple[str, str]:
    """As a publication reads a key back."""
    path, _, query = key.partition("?")
    return unquote(path), query


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (datetime(2026, 11, 21, 10, 59, 59, tzinfo=UTC), "2026-11-21"),
        (datetime(2026, 11, 21, 11, tzinfo=UTC), "2026-11-22"),
        (datetime(2026, 6, 21, 11, 59, 59, tzinfo=UTC), "2026-06-21"),
        (datetime(2026, 6, 21, 12, tzinfo=UTC), "2026-06-22"),
    ],
)
def test_today_is_that_of_new_zealand_up_to_its_midnight(
    clock_shows: Callable[[datetime], None],
    at: datetime,
    day: str,
) -> None:
    clock_shows(at)
    assert key("/api/meetings") == key("/api/meetings", f"date={day}") == f"/api/meetings?date={day}"


@pytest.mark.parametrize(
    ("path", "query"),
    [
        *[("/api/entrants", "race_id=r1&colour=red"), ("/api/entrants", ""), ("/api/entrants", "race_id=r1&raceId=r1")],
        *[("/api/nowhere", ""), ("/api/health", ""), ("/api/schema", ""), ("/api/races/batch", "ids=r1")],
        *[("/api/user-alert-configs/reset", ""), ("/admin/", ""), ("/metrics", ""), ("/api/races/r1\x00", "")],
        *[("/api/entrants", "race_id=%00"), ("/api/meetings", "date=2026-02-30"), ("", ""), ("/api/races/a/b", "")],
    ],
)
def test_what_is_no_page_or_a_bad_question_is_left_to_django(path: str, query: str) -> None:
    assert find(path, query) is None


def test_a_key_names_one_topic_with_the_ids_as_they_came() -> None:
    odd = "a b|c\n{x}%2F\u0101"
    asked = find(f"/api/races/{odd}/live", "")
    assert asked and asked.topic == f"race:{odd}"
    assert not set(" \n|{}") & set(asked.key)


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        *[("", IDENTITY), ("identity", IDENTITY), ("gzip", GZIP), ("br", BR), ("gzip, deflate, br, zstd", BR)],
        *[("*", BR), ("*;q=0", IDENTITY), ("*;q=0, gzip", GZIP), ("br;q=0, *", GZIP), ("gzip;q=0", IDENTITY)],
        *[("br;q=0.5, gzip;q=0.8", GZIP), ("gzip;q=0.5, identity", IDENTITY), ("GZIP ; Q=1.0", GZIP)],
        *[("gzip;q=0.5, identity;q=0.5", GZIP), ("gzip;q=x", IDENTITY), ("deflate", IDENTITY), (",;,", IDENTITY)],
    ],
)
def test_the_encoding_is_the_one_of_the_best_quality(accepted: str, encoding: str) -> None:
    assert best(accepted) == encoding


def test_a_small_body_is_left_as_it_is_and_a_large_one_is_packed_twice() -> None:
    small, large = finish(Body(data={"a": 1})), finish(Body(data=["x" * 2000]))
    assert (set(small.contents), small.contents[IDENTITY]) == ({IDENTITY}, b'{"a":1}')
    assert set(large.contents) == {GZIP, BR}
    assert max(map(len, large.contents.values())) < 200


def test_no_data_is_null_and_bytes_are_json_already() -> None:
    assert (render(None), render(b'{"a":1}'), render({"a": None})) == (b"null", b'{"a":1}', b'{"a":null}')


def test_equal_bodies_have_equal_etags_and_others_do_not() -> None:
    one, same, other = finish(Body(data=[1])), finish(Body(data=b"[1]")), finish(Body(data=[2]))
    assert one.etag == same.etag != other.etag
    assert one.etag.startswith('W/"')


def test_only_a_limit_makes_a_body_pass() -> None:
    assert finish(Body(data=1)).fresh_until == 0
    assert finish(Body(data=1, keep_seconds=60)).fresh_until > time()
