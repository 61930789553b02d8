"""Live streams over real processes: what a subscriber is told, and that hurting a process loses and repeats nothing."""

import json
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from raceday.published import resources, shelf
from raceday.published.resources import Body
from tests.support.card import make_meeting, make_race
from tests.support.streams import Listener, Message, Streams, Valkey, eventually

BODY = {"race": {"race_id": "r1", "status": "Open"}}
WEB = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def valkey() -> Iterator[Valkey]:
    folder = Path(tempfile.mkdtemp(prefix="raceday-"))
    server = Valkey(folder)
    yield server
    server.kill()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def streams(valkey: Valkey) -> Iterator[Streams]:
    process = Streams(valkey, CORS_ALLOWED_ORIGINS="https://client.example")
    yield process
    process.stop()


@pytest.fixture
def other(valkey: Valkey) -> Iterator[list[Streams]]:
    started: list[Streams] = []
    yield started
    for process in started:
        process.stop()


def pool(number: int) -> tuple[str, Any]:
    return "pool", {"race_id": "r1", "number": number}


# ── What a subscriber is told ───────────────────────────────────────────────────────────────────────
def test_a_reader_gets_what_is_known_and_then_what_changes(valkey: Valkey, streams: Streams) -> None:
    [before] = valkey.tell("r1", BODY, ("snapshot", BODY))
    subscriber = Listener(streams, "raceId=r1")
    assert subscriber.next() == [(before, "snapshot", BODY)]
    assert 1000 <= subscriber.retry <= 3000
    ids = valkey.tell("r1", BODY, pool(1), ("odds", {"race_id": "r1"}))
    assert subscriber.next(2) == [(ids[0], "pool", {"race_id": "r1", "number": 1}), (ids[1], "odds", {"race_id": "r1"})]


def test_of_a_race_nobody_told_of_the_reader_gets_that_and_later_the_body(valkey: Valkey, streams: Streams) -> None:
    subscriber = Listener(streams, "race_id=new")
    [unknown] = subscriber.next()
    assert unknown[1:] == ("snapshot", {"race_id": "new", "known": False})
    [told] = valkey.tell("new", {"a": 1}, ("snapshot", {"a": 1}))
    assert subscriber.next() == [(told, "snapshot", {"a": 1})]


def test_only_the_topics_asked_for_come_but_whole_bodies_always(valkey: Valkey, streams: Streams) -> None:
    subscriber = Listener(streams, "race_id=r1&topics=status,alert")
    subscriber.next()
    valkey.tell("r1", BODY, pool(1), ("odds", {}))
    ids = valkey.tell("r1", BODY, ("alert", {"score": 9}), ("snapshot", BODY), ("status", {}))
    valkey.tell("r2", BODY, ("status", {"of": "another race"}))
    assert [message.id for message in subscriber.next(3)] == ids


def publish_meeting(valkey: Valkey, settings: Settings, *races: str) -> None:
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": valkey.url}}
    body = Body(data={"races": [{"race_id": race} for race in races], "total": len(races)})
    noted = shelf.begin("meeting:m7")
    assert noted
    shelf.fill("meeting:m7", "/api/meetings/m7/races?", resources.finish(body), noted=noted, mark=None, rounds=8)


def test_a_meeting_is_all_its_races_and_those_that_come_later(
    valkey: Valkey, streams: Streams, settings: Settings
) -> None:
    publish_meeting(valkey, settings, "a", "b")
    valkey.tell("a", {"race": "a"}, pool(0))
    subscriber = Listener(streams, "meeting_id=m7&race_id=a")
    first, second = subscriber.next(2)
    assert [first.data, second.data] == [{"race": "a"}, {"race_id": "b", "known": False}]
    assert (first.id, second.id) == ("", valkey.last_id())
    ids = valkey.tell("c", {}, ("snapshot", {"race": "c"}), meeting_id="m7")
    ids += valkey.tell("a", {}, ("pool", {}), meeting_id="m7")
    assert [message.id for message in subscriber.next(2)] == ids


@pytest.mark.django_db(transaction=True)
def test_a_meeting_is_found_in_the_database_and_one_nobody_knows_is_a_404(valkey: Valkey, other: list[Streams]) -> None:
    make_race(make_meeting())
    url = f"postgresql:///{connection.settings_dict['NAME']}?host={connection.settings_dict['HOST']}"
    other.append(Streams(valkey, DATABASE_URL=f"{url}&user={connection.settings_dict['USER']}"))
    answer = other[0].ask("meeting_id=nowhere")
    assert (answer.status, json.loads(answer.read())) == (404, {"error": "no such meeting"})
    [snapshot] = Listener(other[0], "meeting_id=m1").next()
    assert snapshot.event == "snapshot"


# ── Coming back ─────────────────────────────────────────────────────────────────────────────────
def test_some_topics_may_be_followed_of_all_races_without_a_snapshot_of_each(valkey: Valkey, streams: Streams) -> None:
    subscriber = Listener(streams, "topics=alert,status")
    valkey.tell("r1", BODY, pool(1))
    [told] = valkey.tell("r2", BODY, ("alert", {"race_id": "r2"}), meeting_id="m2")
    assert subscriber.next() == [(told, "alert", {"race_id": "r2"})]
    back = Listener(streams, "topics=alert,status", told)
    [later] = valkey.tell("r1", BODY, ("status", {"race_id": "r1"}))
    assert [each.next() for each in (subscriber, back)] == [[(later, "status", {"race_id": "r1"})]] * 2


def test_beside_what_is_followed_some_topics_may_come_of_all_other_races(valkey: Valkey, streams: Streams) -> None:
    subscriber = Listener(streams, "race_id=r1&topics=pool&all_races=alert,status")
    subscriber.next()
    valkey.tell("r2", BODY, pool(1), ("snapshot", BODY))
    ids = valkey.tell("r2", BODY, ("status", {}), ("alert", {})) + valkey.tell("r1", BODY, ("odds", {}), pool(1))[1:]
    assert [message.id for message in subscriber.next(3)] == ids


def test_readings_come_to_who_names_them_the_newest_at_once(valkey: Valkey, streams: Streams) -> None:
    first = Listener(streams, "race_id=flows&topics=pool,flow")
    assert first.next()[0].event == "snapshot"
    ids = valkey.tell("flows", BODY, ("flow", {"timestamp": 1}), ("flow", {"timestamp": 2}))
    assert [message.id for message in first.next(2)] == ids
    second, old = Listener(streams, "race_id=flows&topics=flow"), Listener(streams, "race_id=flows")
    assert [each[1:] for each in second.next(2)] == [("flow", {"timestamp": 2}), ("snapshot", BODY)]
    assert old.next()[0].event == "snapshot"
    [third, later] = valkey.tell("flows", BODY, ("flow", {"timestamp": 3}), pool(1))
    assert second.next()[0].id == third
    assert old.next()[0].id == later


def test_who_asks_for_it_is_told_the_time_and_when_a_race_was_last_polled(valkey: Valkey, streams: Streams) -> None:
    polled_at, generated_at = "2026-11-21T15:29:00.000+13:00", "2026-11-21T15:28:57.500+13:00"
    valkey.tell("r1", BODY, ("snapshot", BODY))
    mark = shelf.write_mark(shelf.Mark(polled_at, 1.0, 0.0, generated_at))
    valkey.client.hset(f"raceday:1:{shelf.NAME}race:r1", "mark", mark)
    valkey.client.set(f"raceday:1:{shelf.NEWEST}", shelf.write_mark(shelf.Mark(polled_at, 1.0, 0.0)))
    subscriber = Listener(streams, "race_id=r1,r2&topics=pool,ping")
    *_, snapshot, ping = subscriber.next(3)
    assert (snapshot.event, ping.event) == ("snapshot", "ping")
    assert (ping.data["polled"], ping.data["generated"]) == ({"r1": polled_at}, {"r1": generated_at})
    assert ping.data["newest"] == {"polled_at": polled_at, "generated_at": None}
    assert ping.data["speed"] == 1.0
    assert abs(ping.data["now"] / 1000 - time.time()) < 60
    assert subscriber.next()[0].event == "ping"
    [day_wide] = Listener(streams, "topics=status,ping").next()
    assert (day_wide.data["polled"], day_wide.data["newest"]) == ({}, ping.data["newest"])


def test_who_comes_back_gets_the_rest_and_no_snapshot(valkey: Valkey, streams: Streams) -> None:
    ids = valkey.tell("r1", BODY, *map(pool, range(600)))
    for subscriber in (
        Listener(streams, "race_id=r1", last_id=ids[0]),
        Listener(streams, f"race_id=r1&since={ids[0]}"),
    ):
        assert [message.id for message in subscriber.next(len(ids) - 1)] == ids[1:]
        ids += valkey.tell("r1", BODY, pool(600))
        assert subscriber.next()[0].id == ids[-1]


def test_who_comes_back_with_more_races_gets_snapshots_of_those(valkey: Valkey, streams: Streams) -> None:
    valkey.tell("other", BODY, ("flow", {"timestamp": 1}))
    ids = valkey.tell("r1", BODY, *map(pool, range(300)))
    back = Listener(streams, f"race_id=r1,other&topics=pool,flow&since={ids[0]}&snapshot_of=other,not-named")
    assert [each[1:] for each in back.next(2)] == [("flow", {"timestamp": 1}), ("snapshot", BODY)]
    assert [message.id for message in back.next(299)] == ids[1:]
    [later] = valkey.tell("other", BODY, pool(300))
    assert back.next()[0].id == later


def test_a_header_is_later_than_the_address_it_comes_with(valkey: Valkey, streams: Streams) -> None:
    ids = valkey.tell("r1", BODY, *map(pool, range(3)))
    assert Listener(streams, f"race_id=r1&since={ids[0]}", last_id=ids[1]).next()[0].id == ids[2]


@pytest.mark.parametrize("since", ["1-1", "9999999999999-0"])
def test_an_id_the_log_does_not_hold_is_a_resync_and_a_fresh_start(
    valkey: Valkey, streams: Streams, since: str
) -> None:
    [last] = valkey.tell("r1", BODY, pool(1))
    subscriber = Listener(streams, "race_id=r1", last_id=since)
    assert subscriber.next(2) == [(since, "resync", {}), (last, "snapshot", BODY)]


def test_a_quiet_reader_is_pinged_and_moves_on(valkey: Valkey, streams: Streams) -> None:
    valkey.tell("r1", BODY)
    subscriber = Listener(streams, "race_id=r1")
    subscriber.next()
    [elsewhere] = valkey.tell("r2", BODY, ("pool", {}))
    subscriber.await_ping()
    assert subscriber.last_id == elsewhere


# ── Hurt ────────────────────────────────────────────────────────────────────────────────────────
def test_killing_the_process_loses_and_repeats_nothing_for_who_comes_back(valkey: Valkey, other: list[Streams]) -> None:
    valkey.tell("r1", BODY)
    other.append(Streams(valkey))
    subscriber = Listener(other[0], "race_id=r1")
    subscriber.next()
    ids, seen = valkey.tell("r1", BODY, *map(pool, range(10))), []
    seen += subscriber.next(10)
    other[0].kill()
    ids += valkey.tell("r1", BODY, *map(pool, range(10, 20)))
    other[0].start()
    ids += valkey.tell("r1", BODY, *map(pool, range(20, 30)))
    subscriber.open()
    seen += subscriber.next(20)
    assert [message.id for message in seen] == ids
    assert [message.data["number"] for message in seen] == list(range(30))


def test_killing_valkey_keeps_streams_open_and_loses_nothing(valkey: Valkey, streams: Streams) -> None:
    valkey.tell("r1", BODY)
    subscriber = Listener(streams, "race_id=r1")
    subscriber.next()
    valkey.tell("r1", BODY, pool(0))
    subscriber.next()
    valkey.kill()
    while_away = Listener(streams, "race_id=r1")
    time.sleep(0.5)
    valkey.start()
    ids = valkey.tell("r1", BODY, pool(1), pool(2))
    assert [message.id for message in subscriber.next(2)] == ids
    assert while_away.next()[0].event == "snapshot"


def test_a_valkey_that_lost_its_last_events_is_a_resync_for_who_saw_them(valkey: Valkey, streams: Streams) -> None:
    valkey.tell("r1", BODY, pool(0))
    folder = valkey.folder / "appendonlydir"
    shutil.copytree(folder, valkey.folder / "earlier")
    subscriber = Listener(streams, "race_id=r1")
    subscriber.next()
    [lost] = valkey.tell("r1", {"lost": True}, pool(1))
    assert subscriber.next()[0].id == lost
    valkey.kill()
    shutil.rmtree(folder)
    shutil.move(valkey.folder / "earlier", folder)
    valkey.start()
    resync, snapshot = subscriber.next(2)
    assert (resync.event, snapshot.event, snapshot.data) == ("resync", "snapshot", BODY)
    [after] = valkey.tell("r1", BODY, pool(2))
    assert subscriber.next()[0].id == after
    assert Listener(streams, "race_id=r1", last_id=lost).next()[0].event == "resync"


def test_a_reader_that_does_not_keep_up_gets_the_latest_state(valkey: Valkey, streams: Streams) -> None:
    valkey.tell("r1", BODY)
    slow = Listener(streams, "race_id=r1")
    slow.next()
    others = Listener(streams, "race_id=r1")
    others.next()
    padding = "x" * 2000
    for part in range(40):
        valkey.tell("r1", {"last": part}, *[("odds", {"number": part, "padding": padding})] * 100)
        others.next(100)
    last = valkey.tell("r1", {"last": "word"}, ("odds", {"number": "last"}))[-1]
    told: list[Message] = []
    while not told or told[-1].id != last:
        told += slow.next()
    assert len(told) < 4000
    assert "snapshot" in [message.event for message in told]
    assert told[-1].data in ({"last": "word"}, {"number": "last"})


def test_a_signal_ends_all_streams_properly(valkey: Valkey, other: list[Streams]) -> None:
    other.append(Streams(valkey))
    subscriber = Listener(other[0], "race_id=r1")
    other[0].process.send_signal(signal.SIGTERM)
    assert subscriber.answer.read().endswith(b"\n\n")  # to the end, which came as HTTP has it
    other[0].process.wait(timeout=3)


# ── At the door ─────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("query", "details"),
    [
        ("", {"race_id": ["ask for a race_id or a meeting_id"]}),
        ("race_id=r1&x=1", {"x": ["unknown query parameter"]}),
        ("race_id=r1&raceId=r2", {"race_id": ["given more than once"]}),
        ("race_id=r1&topics=pool,prices", {"topics": ["unknown topic: prices"]}),
        ("race_id=r1&all_races=alert,flow", {"all_races": ["unknown topic: flow"]}),
        ("topics=flow", {"race_id": ["ask for a race_id or a meeting_id"]}),
        ("race_id=,", {"race_id": ["ask for 1 to 50 races, not 0"]}),
        (f"race_id=r1,{'x' * 101}", {"race_id": ["an id has 100 letters at most"]}),
        (f"meeting_id={','.join(map(str, range(11)))}", {"meeting_id": ["ask for 1 to 10 meetings, not 11"]}),
        ("race_id=r1&since=now", {"since": ["must read 1795271000123-0, as the id of an event does"]}),
    ],
)
def test_a_query_that_makes_no_sense_is_told_by_name(streams: Streams, query: str, details: dict[str, Any]) -> None:
    answer = streams.ask(query)
    assert answer.status == 400  # before it is read: a stream would not end
    assert json.loads(answer.read()) == {"error": f"bad query: {next(iter(details))}", "details": details}


@pytest.mark.parametrize(
    ("query", "status"), [(f"race_id={'r' * 9000}", 414), ("&".join(f"a{number}=1" for number in range(1001)), 400)]
)
def test_a_query_too_large_is_refused_before_it_is_read(streams: Streams, query: str, status: int) -> None:
    assert streams.ask(query).status == status


def test_half_a_head_is_cut_off_on_a_kept_connection_too(streams: Streams) -> None:
    half = b"GET /api/stream HTTP/1.1\r\nHost: local"
    first, second = (socket.create_connection(("127.0.0.1", streams.port), timeout=20) for _ in range(2))
    first.sendall(half)
    second.sendall(b"OPTIONS /api/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b" 204 " in second.recv(65536)
    with suppress(OSError):  # closed before
        second.sendall(half)
    for peer in (first, second):
        with suppress(ConnectionError):
            while peer.recv(65536):
                pass
        peer.close()


def test_a_stream_that_does_not_read_holds_little(valkey: Valkey, other: list[Streams]) -> None:
    other.append(Streams(valkey, STREAMS_PER_CLIENT="0", LOG_LEVEL="WARNING"))
    valkey.tell("r1", {"large": "x" * 200_000})
    Listener(other[0], "race_id=r1").next()
    before = other[0].memory_bytes()
    peers = [other[0].open("race_id=r1") for _ in range(200)]
    for part in range(10):
        valkey.tell("r1", {"large": "y" * 200_000}, *[("odds", {"number": part, "padding": "x" * 2000})] * 50)
    Listener(other[0], "race_id=r1").next()  # whoever reads is served meanwhile
    assert other[0].memory_bytes() - before < 200 * 64_000
    for peer in peers:
        peer.close()


@pytest.mark.parametrize(
    ("method", "path", "host", "status"),
    [
        ("HEAD", "/api/stream", "localhost", 405),
        ("POST", "/api/stream", "localhost", 405),
        ("GET", "/api/races", "localhost", 404),
        ("GET", "/api/api/races", "localhost", 404),
        ("GET", "/api/api/stream", "elsewhere.example", 400),
        ("OPTIONS", "/api/api/stream/", "localhost", 204),
        ("GET", "/api/stream", "elsewhere.example", 400),
        ("OPTIONS", "/api/stream", "localhost", 204),
    ],
)
def test_another_method_address_or_host_is_refused(
    streams: Streams, method: str, path: str, host: str, status: int
) -> None:
    assert streams.ask("race_id=r1", {"Host": host}, method=method, path=path).status == status


def test_below_a_second_api_is_the_same_stream(valkey: Valkey, streams: Streams) -> None:
    [told] = valkey.tell("r1", BODY, ("snapshot", BODY))
    subscriber = Listener(streams, "race_id=r1", path="/api/api/stream")
    assert subscriber.next() == [(told, "snapshot", BODY)]


def test_a_bad_last_event_id_is_told(streams: Streams) -> None:
    assert json.loads(streams.ask("race_id=r1", {"Last-Event-ID": "x"}).read())["details"] == {
        "Last-Event-ID": ["is not the id of an event"]
    }


def test_nothing_between_is_to_keep_or_change_the_stream(streams: Streams) -> None:
    headers = {name.lower(): value for name, value in streams.ask("race_id=r1").getheaders()}
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["cache-control"] == "no-cache, no-transform"
    assert headers["x-accel-buffering"] == "no"
    assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [(WEB, WEB), ("https://client.example", "https://client.example"), ("http://127.0.0.1:3000", None), ("null", None)],
)
def test_pages_of_the_web_server_and_of_named_origins_may_listen(
    streams: Streams, origin: str, allowed: str | None
) -> None:
    for method in ("GET", "OPTIONS"):
        headers = {"Origin": origin, "Access-Control-Request-Method": "GET"}
        answer = streams.ask("race_id=r1", headers, method=method)
        assert answer.getheader("access-control-allow-origin") == allowed
    assert "last-event-id" in (answer.getheader("access-control-allow-headers") or "")


def test_one_address_and_all_together_may_have_so_many_streams(valkey: Valkey, other: list[Streams]) -> None:
    other.append(Streams(valkey, STREAMS_PER_CLIENT="2", STREAMS_MAX="100"))
    other.append(Streams(valkey, STREAMS_PER_CLIENT="0", STREAMS_MAX="2"))
    for process, status in zip(other, (429, 503), strict=True):
        held = [Listener(process, "race_id=r1") for _ in range(2)]
        refused = process.ask("race_id=r1")
        assert (refused.status, refused.getheader("retry-after")) == (status, "10")
        assert list(json.loads(refused.read())) == ["error"]
        held[0].answer.connection.sock.shutdown(socket.SHUT_RDWR)  # type: ignore[attr-defined]
        eventually(lambda process=process: process.ask("race_id=r1").status == 200)


def test_the_web_server_leads_to_the_streams_port(client: Any, settings: Any) -> None:
    settings.STREAM_PORT = 8765
    answer = client.get(
        "/api/stream?raceId=r1&topics=pool", headers={"host": "localhost:8000", "accept": "text/event-stream"}
    )
    assert (answer.status_code, answer["Location"]) == (
        307,
        "http://localhost:8765/api/stream?raceId=r1&topics=pool",
    )
    assert client.get("/api/stream?x=1").status_code == 400
