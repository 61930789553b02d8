"""A body stands as long as its topic's version is the one it was made under, and no odd name breaks what is kept."""

import time
from typing import Any

import pytest
from pytest_django import Settings

from raceday import valkey
from raceday.published import shelf
from raceday.published.resources import Body, finish
from raceday.published.shelf import BR, GZIP, IDENTITY, Lookup, Mark, RaceNews, TopicState
from tests.support.card import own_keys  # noqa: F401  # a fixture

pytestmark = pytest.mark.usefixtures("own_keys")
ODD = ["a b", "a|b", "a\nb", "ā", "a%2Fb", "{a}:b", "version", ""]
POLLED = "2026-11-21T15:29:00.000+13:00"
SMALL, LARGE = finish(Body(data={"a": 1})), finish(Body(data=["word"] * 1000))


def looked(topic: str, key: str = "k?", encoding: str = IDENTITY) -> Lookup:
    found = shelf.lookup(topic, key, encoding)
    assert found
    return found


def begun(topic: str) -> Lookup:
    noted = shelf.begin(topic)
    assert noted
    return noted


def standing(topic: str) -> TopicState:
    found = shelf.topic_state(topic)
    assert found
    return found


def fields(topic: str) -> dict[bytes, bytes]:
    return dict(valkey.client().hgetall(shelf.name_of(topic)))


@pytest.mark.parametrize("name", ODD)
def test_whatever_a_topic_is_called_it_is_found_again(name: str) -> None:
    topic, key = f"race:{name}", f"/api/x?race_id={name!r}".replace(" ", "+")
    shelf.fill(topic, key, LARGE, noted=begun(topic), mark=Mark(POLLED, 1.5, 0.0), rounds=3)
    found = looked(topic, key, GZIP)
    assert found.is_current and found.copy and found.mark == Mark(POLLED, 1.5, 0.0)
    assert (found.copy.etag, found.copy.content) == (LARGE.etag, LARGE.contents[GZIP])
    assert standing(topic).rounds == {key: 3}
    told = RaceNews(race_id=name, meeting_id=name, state=b"{}", events=[("status", b'{"a":1}')])
    assert shelf.publish(topic, standing(topic), [(key, SMALL, 2)], told=told)
    ((_, entry),) = valkey.client().xrange(valkey.key("events"))
    assert entry == {b"race": name.encode(), b"meeting": name.encode(), b"kind": b"status", b"data": b'{"a":1}'}
    assert (looked(topic, key).is_current, standing(topic).told) == (True, b"{}")
    valkey.client().delete(valkey.key("events"))


@pytest.mark.parametrize("encoding", [IDENTITY, GZIP, BR])
def test_who_wants_it_as_it_is_gets_it_unpacked(encoding: str) -> None:
    for key, finished in (("small", SMALL), ("large", LARGE)):
        shelf.fill("card", key, finished, noted=begun("card"), mark=None, rounds=1)
    small, large = looked("card", "small", encoding).copy, looked("card", "large", encoding).copy
    assert small and large
    assert (small.encoding, small.content, large.encoding) == (IDENTITY, b'{"a":1}', encoding)
    assert encoding != IDENTITY or large.content == b"[" + b",".join([b'"word"'] * 1000) + b"]"


def test_a_body_read_before_a_change_is_outdated_as_soon_as_it_is_there() -> None:
    noted = begun("race:r1")
    assert shelf.outdate({"race:r1": "2"}) == [True]
    shelf.fill("race:r1", "k?", SMALL, noted=noted, mark=None, rounds=1)
    assert not looked("race:r1").is_current
    shelf.fill("race:r1", "k?", SMALL, noted=begun("race:r1"), mark=None, rounds=1)
    assert looked("race:r1").is_current


def test_outdating_tells_which_versions_are_new_and_marks_the_first_topic() -> None:
    mark = Mark(POLLED, 1.0, 2.0)
    assert shelf.outdate({"race:r1": "1", "card": None}, mark) == [True, True]
    assert (looked("race:r1").mark, looked("card").mark) == (mark, None)
    later = mark._replace(epoch=9.0)
    assert shelf.outdate({"race:r1": "1"}, later) == [False]
    assert (looked("race:r1").mark, looked("race:r1").version) == (later, "1")
    assert shelf.outdate({"card": None}) == [True]
    assert shelf.outdate({}) == []


def test_the_first_of_two_limits_counts_and_none_is_for_ever() -> None:
    def until(body: float, mark: float) -> float:
        copy = shelf.Copy("v", 200, "e", body, 1, None, IDENTITY, b"")
        return Lookup("v", Mark(POLLED, 0.0, mark), copy).fresh_until

    assert [until(0, 0), until(5, 0), until(0, 6), until(5, 6), until(7, 6)] == [0, 5, 6, 5, 6]
    assert Lookup(None, None, None).fresh_until == 0


def test_a_reader_moves_a_mark_that_has_run_out_and_no_other() -> None:
    ahead, past = Mark(POLLED, 1.0, time.time() + 60), Mark(POLLED, 2.0, time.time() - 60)
    mine = Mark(POLLED, 3.0, time.time() + 30)
    for stands, expected in ((ahead, ahead), (past, mine), (Mark(POLLED, 4.0, 0.0), Mark(POLLED, 4.0, 0.0))):
        shelf.outdate({"race:r1": "1"}, stands)
        shelf.fill("race:r1", "k?", SMALL, noted=begun("race:r1"), mark=mine, rounds=1)
        assert looked("race:r1").mark == expected


@pytest.mark.parametrize("overtaken_by", ["another version", "another telling", "the topic's end"])
def test_a_publication_that_was_overtaken_changes_nothing(overtaken_by: str) -> None:
    topic = "race:r1"
    shelf.outdate({topic: "1"}, Mark(POLLED, 1.0, 0.0))
    found = standing(topic)
    told = RaceNews(race_id="r1", meeting_id="m1", state=b"{}", events=[("snapshot", b"{}")])
    if overtaken_by == "another version":
        shelf.outdate({topic: "2"})
    elif overtaken_by == "another telling":
        assert shelf.publish(topic, found, [("other?", SMALL, 1)], told=told._replace(events=[]))
    else:
        valkey.client().delete(shelf.name_of(topic))
    before = fields(topic)
    assert shelf.publish(topic, found, [("k?", SMALL, 1)], told=told) is False
    assert (fields(topic), valkey.client().exists(valkey.key("events"))) == (before, 0)


def test_news_told_ahead_are_known_to_the_publication_that_follows() -> None:
    shelf.outdate({"race:r1": "1"})
    first = RaceNews(race_id="r1", meeting_id="m1", state=b"one", events=[("snapshot", b"{}")])
    under_way = standing("race:r1")
    assert shelf.read_told("race:r1") is None
    assert shelf.publish("race:r1", under_way, [("k?", SMALL, 1)], told=first)
    told = shelf.read_told("race:r1")
    assert told == ("1", b"one")
    ahead = first._replace(state=b"two", events=[("alert", b"2")])
    assert [shelf.announce("race:r1", told[0], ahead) for _ in range(2)] == [True, False]
    assert shelf.publish("race:r1", under_way, [], told=first) is False  # it does not know of them
    found = standing("race:r1")
    assert (found.told, found.is_made, looked("race:r1").is_current) == (b"two", False, True)
    assert shelf.publish("race:r1", found, [("k?", SMALL, 1)], told=first._replace(events=[("pool", b"3")]))
    logged = [entry[b"kind"] for _, entry in valkey.client().xrange(valkey.key("events"))]
    assert (logged, standing("race:r1").is_made) == ([b"snapshot", b"alert", b"pool"], True)


def test_a_publication_replaces_all_that_stood_there_but_the_mark() -> None:
    shelf.outdate({"race:r1": "1"}, Mark(POLLED, 1.0, 0.0))
    shelf.fill("race:r1", "old?", SMALL, noted=begun("race:r1"), mark=None, rounds=1)
    assert shelf.publish("race:r1", standing("race:r1"), [("new?", LARGE, 4)], keep_seconds=100)
    assert set(fields("race:r1")) == {b"version", b"mark", b"new? gzip", b"new? br"}
    assert looked("race:r1", "new?").is_current and looked("race:r1").mark == Mark(POLLED, 1.0, 0.0)
    assert 0 < valkey.client().ttl(shelf.name_of("race:r1")) <= 100


def test_the_log_is_trimmed_and_its_ids_rise() -> None:
    shelf.outdate({"race:r1": "1"})
    for number in range(400):
        news = [("pool", b"%d" % number)]
        told = RaceNews(race_id="r1", meeting_id="m1", state=b"", events=news, most_events=100)
        found = standing("race:r1")
        assert shelf.publish("race:r1", found, [], told=told)
        shelf.outdate({"race:r1": str(number)})
    entries = valkey.client().xrange(valkey.key("events"))
    assert 100 <= len(entries) < 300
    assert entries[-1][1][b"data"] == b"399"


def test_endless_variety_does_not_grow_a_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "MOST_FIELDS", 20)
    for number in range(50):
        if noted := shelf.begin("race:r1"):
            shelf.fill("race:r1", f"{number}?", LARGE, noted=noted, mark=None, rounds=0)
    assert 20 < len(fields("race:r1")) <= 22
    assert shelf.publish("race:r1", standing("race:r1"), [("new?", SMALL, 1)])
    assert shelf.begin("race:r1") is not None


def test_one_of_many_makes_a_body_until_it_is_made_or_too_late() -> None:
    assert [shelf.take("card", "k?", 60) for _ in range(3)] == [True, False, False]
    assert shelf.take("card", "other?", 60)
    shelf.release("card", "k?")
    assert shelf.take("card", "k?", 0.01)
    time.sleep(0.05)
    assert shelf.take("card", "k?", 60)


def test_that_somebody_reads_is_noted_now_and_then_and_outlives_a_publication(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.fill("card", "k?", SMALL, noted=begun("card"), mark=None, rounds=1)
    assert looked("card").read == 0
    shelf.note_read("card", looked("card"))
    first = looked("card").read
    assert 0 < first == standing("card").read
    shelf.note_read("card", looked("card"))
    assert shelf.publish("card", standing("card"), [("k?", SMALL, 1)])
    assert looked("card").read == first
    monkeypatch.setattr(shelf, "NOTE_SECONDS", -1)
    shelf.note_read("card", looked("card"))
    assert looked("card").read > first


def test_a_topic_nobody_changes_goes_at_last() -> None:
    begun("meeting:m1")
    shelf.outdate({"card": None})
    for topic in ("meeting:m1", "card"):
        assert 0 < valkey.client().ttl(shelf.name_of(topic)) <= shelf.TOPIC_SECONDS


def test_without_valkey_nothing_is_found_kept_or_raised(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(valkey, "PAUSE_SECONDS", 0.0)
    away: dict[str, Any] = {**settings.CACHES["default"], "LOCATION": "unix:///nowhere/valkey.sock"}
    settings.CACHES = {"default": away}
    assert (shelf.lookup("card", "k?", BR), shelf.begin("card"), shelf.topic_state("card")) == (None, None, None)
    assert (shelf.take("card", "k?", 1), shelf.outdate({"card": None})) == (False, [])
    assert shelf.publish("card", TopicState("1", None, "", None, {}, False), []) is False
    shelf.fill("card", "k?", SMALL, noted=Lookup("1", None, None), mark=None, rounds=1)
    shelf.release("card", "k?")
