"""The log of events for clients that poll, and what its ids prove."""

import json
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from raceday import valkey
from raceday.published import events
from raceday.published.events import MOST_EVENTS, holds, read_id
from raceday.streams import changes
from tests.support.card import own_keys  # noqa: F401  # a fixture

pytestmark = pytest.mark.usefixtures("own_keys")
CHANGES = "/api/changes"


def log(*races: str, kind: str = "pool") -> list[str]:
    entries = [{"race": race, "meeting": "m1", "kind": kind, "data": json.dumps({"race_id": race})} for race in races]
    return [valkey.client().xadd(valkey.key(events.LOG), entry).decode() for entry in entries]


def ask(client: Client, query: str) -> Any:
    answer = client.get(f"{CHANGES}?{query}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_without_since_a_client_learns_where_it_is(client: Client) -> None:
    assert ask(client, "race_id=r1") == {"events": [], "next": "0-0", "resync": False}
    [last] = log("r2")
    assert ask(client, "race_id=r1")["next"] == last


def test_page_by_page_a_client_sees_each_of_its_events_once(client: Client) -> None:
    ids = log("r1", "r2", "r1", "r1")
    first = ask(client, "raceId=r1&since=0-0&limit=2")
    assert first["events"][0] == {"id": ids[0], "event": "pool", "data": {"race_id": "r1"}}
    assert (first["events"][1]["id"], first["next"]) == (ids[2], ids[2])
    second = ask(client, f"race_id=r1&since={first['next']}&limit=2")
    assert ([event["id"] for event in second["events"]], second["next"]) == ([ids[3]], ids[3])
    assert ask(client, f"race_id=r1&since={second['next']}") == {"events": [], "next": ids[3], "resync": False}


def test_events_of_others_move_a_client_on(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "LOOK_AT", 3)
    ids = log("r2", "r2", "r2", "r1")
    first = ask(client, "race_id=r1&since=0-0")
    assert (first["events"], first["next"]) == ([], ids[2])
    assert [event["id"] for event in ask(client, f"race_id=r1&since={ids[2]}")["events"]] == [ids[3]]


def test_a_meeting_and_topics_choose_what_comes(client: Client) -> None:
    [pool, alert, body] = [*log("r1"), *log("r2", kind="alert"), *log("r3", kind="snapshot")]
    told = ask(client, "meeting_id=m1&since=0-0&topics=alert")["events"]
    assert [(event["id"], event["event"]) for event in told] == [(alert, "alert"), (body, "snapshot")]
    assert pool < alert


@pytest.mark.parametrize("since", ["1-1", "9999999999999-0"])
def test_an_id_that_is_not_in_the_log_is_a_resync_from_now(client: Client, since: str) -> None:
    [last] = log("r1")
    assert ask(client, f"race_id=r1&since={since}") == {"events": [], "next": last, "resync": True}


@pytest.mark.parametrize("query", ["", "race_id=r1&limit=0", "race_id=r1&since=x", "race_id=r1&x=1", "topics=pool"])
def test_a_query_that_makes_no_sense_is_refused(client: Client, query: str) -> None:
    answer = client.get(f"{CHANGES}?{query}")
    assert (answer.status_code, list(answer.json())) == (400, ["error", "details"])


def test_without_valkey_there_are_no_changes_to_tell(client: Client, settings: Settings) -> None:
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "unix:///nowhere/valkey.sock"}}
    answer = client.get(f"{CHANGES}?race_id=r1")
    assert (answer.status_code, list(answer.json())) == (503, ["error"])
    valkey._away.clear()


@pytest.mark.parametrize("text", ["", "1", "1-", "-1", "1-2-3", "١-١", "1-99999999999999999999", " 1-1"])
def test_what_is_no_id_is_not_read(text: str) -> None:
    assert read_id(text) is None


@pytest.mark.parametrize(
    ("since", "first", "length", "is_held"),
    [
        ((5, 0), (5, 0), 10, True),
        ((5, 0), (6, 0), 10, False),  # trimmed, or of a tail that was lost
        ((5, 0), None, 10, False),  # newer than the log
        ((0, 0), (6, 0), 10, True),
        ((0, 0), None, 0, True),
        ((0, 0), (6, 0), MOST_EVENTS, False),  # something may have been trimmed
    ],
)
def test_only_an_id_that_is_still_there_proves_that_nothing_is_missing(
    since: events.Position, first: events.Position | None, length: int, is_held: bool
) -> None:
    assert holds(since, first, length=length) is is_held
