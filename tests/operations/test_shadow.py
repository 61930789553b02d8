"""A shadow tells what differs from what is only late, and two servers of the same data drift nowhere."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from threading import Thread
from typing import Any

import httpx
import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st
from pytest_django.live_server_helper import LiveServer

from operations.management.commands.shadow import root_of
from operations.shadow import MISSING, Drift, Verdict, fields_of, judge
from raceday import clock
from tests.support.card import make_entrant, make_meeting, make_race, own_keys  # noqa: F401  # a fixture

EQUAL, LATE, DIFFERENT, ONLY_OURS, ONLY_THEIRS = Verdict


# ── The comparison ──────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        ([1, 2, 3], [1, 2, 3], EQUAL),
        ([1, 2, 3], [1, 1, 2], LATE),  # they are a look behind
        ([1, 1, 2], [1, 2, 3], LATE),  # we are
        ([10, 20, 30], [15, 25, 35], LATE),  # each saw other steps of the same climb
        (["a", "b", "b"], ["a", "c", "d"], LATE),
        ([5, 5, 5], [6, 7, 8], DIFFERENT),  # one stands still
        ([6, 7, 8], [5, 5, 5], DIFFERENT),
        ([1, 1, 1], [2, 2, 2], DIFFERENT),
        (["a", "b", "b"], ["a", "a", "b"], LATE),
        ([None, None, None], [0, 0, 0], DIFFERENT),
        ([True, True, True], [False, False, False], DIFFERENT),
        (["1", "1", "1"], [1, 1, 1], DIFFERENT),
        ([1, 1, 1], [MISSING, MISSING, MISSING], ONLY_OURS),
        ([MISSING, MISSING, MISSING], [1, 1, 1], ONLY_THEIRS),
        ([MISSING, 1, 1], [MISSING, MISSING, 1], LATE),
        ([MISSING, MISSING, 1], [MISSING, 2, 2], LATE),
    ],
)
def test_the_middle_one_of_three_looks_is_judged(ours: list[object], theirs: list[object], verdict: Verdict) -> None:
    assert judge(ours, theirs, 1) is verdict


@given(st.lists(st.none() | st.integers() | st.text(max_size=2), min_size=2), st.booleans())
def test_who_is_one_look_behind_is_never_different(values: list[object], is_ours: bool) -> None:
    behind = [values[0], *values]
    values = [*values, values[-1]]
    drift = Drift()
    for now, before in zip(values, behind, strict=True):
        ours, theirs = (before, now) if is_ours else (now, before)
        drift.look("race", "r1", ours={"field": ours}, theirs={"field": theirs})
    drift.end()
    (counts,) = drift.counts.values()
    assert counts.keys() <= {EQUAL, LATE}
    assert counts.total() == len(values)


def test_items_are_known_by_who_they_are_whatever_their_order() -> None:
    runners = [{"entrant_id": name, "odds": [{"type": "win"}, {"type": "place"}]} for name in "ab"]
    assert dict(fields_of(runners)) == dict(fields_of(runners[::-1]))
    assert dict(fields_of(runners[:1])) == {
        "[a].entrant_id": "a",
        "[a].odds[0].type": "win",
        "[a].odds[1].type": "place",
    }


def test_fields_of_runners_are_one_field() -> None:
    drift = Drift()
    body = {"fixed_odds_data": {"7": {"name": "x"}, "8": {"name": "y"}}}
    drift.look("race-results", "r1", ours=body, theirs=body)
    drift.end()
    assert drift.counts == {("race-results", "fixed_odds_data.name"): Counter({EQUAL: 2})}


def test_an_instant_is_the_same_however_it_is_written_and_a_servers_own_times_are_left_out() -> None:
    ours = {"start_time": "2026-11-21T15:30:00.000+13:00", "updated_at": "2026-11-21T15:30:00.000+13:00", "day": "1"}
    assert dict(fields_of(ours)) == dict(fields_of({"start_time": "2026-11-21T02:30:00Z", "day": "1"}))
    assert dict(fields_of({"date": "2026-11-21"})) == {"date": "2026-11-21"}


def test_a_difference_is_counted_with_an_example_and_is_not_good() -> None:
    drift = Drift(frozenset({"ignored"}))
    for odds in (4.4, 4.4):
        drift.look("entrants", "r1", ours={"odds": odds, "ignored": 1}, theirs={"odds": odds + 1, "ignored": 2})
    drift.end()
    assert drift.counts == {("entrants", "odds"): Counter({DIFFERENT: 2})}
    assert drift.examples == {("entrants", "odds"): "r1 odds: ours 4.4, theirs 5.4"}
    assert not drift.is_good()


@pytest.mark.parametrize(("ours", "theirs", "is_good"), [({"a": 1}, {}, True), ({}, {"a": 1}, False)])
def test_a_client_misses_what_only_they_have(ours: object, theirs: object, is_good: bool) -> None:
    drift = Drift()
    drift.look("race", "r1", ours=ours, theirs=theirs)
    drift.end()
    assert drift.is_good() is is_good


# ── The command, on a real server and one that says something else ──────────────────────────────
@contextmanager
def other_server(url: str, spoil: Callable[[str, Any], Any]) -> Iterator[str]:
    """Pass requests on to a server, and its answers back as `spoil` has them."""

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = httpx.get(f"{url}{self.path}", trust_env=False)
            body = json.dumps(spoil(self.path, answer.json())).encode()
            self.send_response(answer.status_code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Other)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


@pytest.fixture
def ours(live_server: LiveServer, own_keys: None) -> str:  # noqa: F811
    race = make_race(make_meeting(), start_time=clock.now())
    for number in (1, 2):
        make_entrant(race, number)
    return str(live_server.url)


def shadow(ours: str, theirs: str, *arguments: str) -> tuple[object, str]:
    said, looks = StringIO(), ("--minutes", "0.005", "--every", "0.2")
    try:
        call_command("shadow", "--ours", ours, "--against", theirs, *looks, *arguments, stdout=said)
    except SystemExit as end:
        return end.code, said.getvalue()
    return 0, said.getvalue()


def odds_up(path: str, body: Any) -> Any:
    return [{**runner, "hold_percentage": 7} for runner in body] if path.startswith("/api/entrants") else body


@pytest.mark.django_db(transaction=True)
def test_a_server_does_not_differ_from_itself(ours: str) -> None:
    code, said = shadow(ours, f"{ours}/api/")
    assert (code, said.splitlines()[-1]) == (0, "A client would miss nothing here.")
    assert "entrants name" in said


@pytest.mark.django_db(transaction=True)
def test_a_field_that_differs_is_named_with_an_example_unless_it_is_to_be_ignored(ours: str) -> None:
    with other_server(ours, odds_up) as theirs:
        code, said = shadow(ours, theirs)
        assert (code, said.splitlines()[-1]) == (1, "A client would notice a difference.")
        assert "different: entrants r1 [r1-e1].hold_percentage: ours None, theirs 7" in said.replace("-e2", "-e1")
        assert shadow(ours, theirs, "--ignore", "hold_percentage")[0] == 0


@pytest.mark.django_db(transaction=True)
def test_a_server_that_does_not_answer_is_told(ours: str) -> None:
    with pytest.raises(CommandError, match=r"nothing could be compared: .*theirs: ConnectError") as fault:
        shadow(ours, "http://127.0.0.1:9")
    assert fault.value.returncode == 2


def test_the_address_may_end_as_the_client_has_it() -> None:
    assert {root_of("http://a/api"), root_of("http://a/api/"), root_of("http://a/")} == {"http://a"}
