"""What staff do to kept bodies: what is named is made anew, nothing wrong can be kept, nothing else is touched."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from pytest_django import Settings

from moneyflow import publishing
from operations.cache import actions
from operations.cache.actions import Done
from operations.cache.statistics import collect
from raceday import clock, valkey
from raceday.published import events, resources, shelf
from raceday.published.resources import ResourceRequest
from races.models import Race
from tests.support.card import own_keys  # noqa: F401  # a fixture
from tests.support.lane import LaneClient
from tests.support.paths import ROOT
from tests.support.stored_races import ENTRANTS, LIVE, RACES, kept_races, outcome  # noqa: F401  # a fixture, too

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("kept_races")]
COUNT = """
from raceday import metrics
for outcome, number in (("hit", 2), ("miss", 1)):
    metrics.CACHE_REQUESTS.labels(route="race", outcome=outcome).inc(number)
"""
STATS = """
import django, json; django.setup()
from operations.cache.statistics import routes
print(json.dumps(routes()))
"""


@pytest.fixture
def reader() -> LaneClient:
    return LaneClient()


def asked(address: str) -> ResourceRequest:
    found = actions.page_at(address)
    assert found is not None
    return found


def standing(race_id: str) -> dict[bytes, bytes]:
    fields: dict[bytes, bytes] = valkey.client().hgetall(shelf.name_of(f"race:{race_id}"))
    return fields


def logged() -> int:
    return int(valkey.client().xlen(valkey.key(events.LOG)))


# ── Invalidate and clear ────────────────────────────────────────────────────────────────────────
def test_a_race_is_made_anew_in_all_its_variants_and_no_other_is(reader: LaneClient) -> None:
    reader.get(f"{ENTRANTS}&history=7")
    assert actions.invalidate_race("r1") == Done(topics=1, bodies=5)
    Race.objects.update(name="Another")
    assert [outcome(reader, address) for address in (LIVE, f"{ENTRANTS}&history=7")] == ["MISS", "MISS"]
    assert reader.get("/api/races/r1").json()["name"] == "Another"
    assert outcome(reader, "/api/races/r2/live") == "HIT"


@pytest.mark.parametrize(
    "address",
    ["/api/entrants?raceId=r1", "/api/entrants/?history=50&race_id=r1", "https://host:8000/api/entrants?race_id=r1"],
)
def test_a_page_is_found_as_any_client_would_ask_for_it(reader: LaneClient, address: str) -> None:
    assert actions.invalidate_page(asked(address)) == Done(topics=1, bodies=1)
    assert outcome(reader, ENTRANTS) == "MISS"


def test_of_a_page_that_nobody_asked_for_no_body_is_counted() -> None:
    assert actions.invalidate_page(asked(f"{ENTRANTS}&history=7")) == Done(topics=1, bodies=0)


def test_a_pattern_reaches_each_topic_with_such_a_key(reader: LaneClient) -> None:
    for address in (RACES, "/api/meetings"):
        reader.get(address)
    assert actions.invalidate_pattern("/api/entrants?*") == Done(topics=2, bodies=2)
    assert [outcome(reader, address) for address in (LIVE, RACES, "/api/meetings")] == ["MISS", "HIT", "HIT"]


@pytest.mark.parametrize("pattern", ["/api/nothing*", "race:*", "version", "[", "/api/entrants"])
def test_a_pattern_that_no_key_matches_does_nothing(reader: LaneClient, pattern: str) -> None:
    assert actions.invalidate_pattern(pattern) == Done(topics=0, bodies=0)
    assert outcome(reader, LIVE) == "HIT"


def test_what_is_not_kept_is_not_made_to_stand_on_the_shelf() -> None:
    assert actions.invalidate_race("nobody") == Done(topics=0, bodies=0)
    assert not valkey.client().exists(shelf.name_of("race:nobody"))


ACTS: dict[str, Callable[[], Done]] = {
    "race": lambda: actions.invalidate_race("r1"),
    "page": lambda: actions.invalidate_page(asked(LIVE)),
    "pattern": lambda: actions.invalidate_pattern("*r1*"),
    "clear": actions.clear,
}


@pytest.mark.parametrize("act", ACTS)
def test_a_body_read_before_it_cannot_be_kept_after_it(reader: LaneClient, act: str) -> None:
    noted = shelf.begin("race:r1")
    assert noted is not None
    finished = resources.finish(resources.make(asked(LIVE)))
    ACTS[act]()
    Race.objects.update(name="Another")
    shelf.fill("race:r1", asked(LIVE).key, finished, noted=noted, mark=None, rounds=8)
    assert outcome(reader, LIVE) == "MISS"
    assert reader.get(LIVE).json()["race"]["name"] == "Another"


@pytest.mark.parametrize("act", ACTS)
def test_a_publication_that_began_before_it_puts_nothing_there_after_it(act: str) -> None:
    shelf.outdate({"race:r1": "2"})
    found = shelf.topic_state("race:r1")
    assert found is not None
    ACTS[act]()
    assert not shelf.publish("race:r1", found, [])


@pytest.mark.parametrize("act", ACTS)
def test_mark_and_told_stay_so_that_age_is_known_and_streams_hear_only_what_is_new(
    reader: LaneClient, act: str
) -> None:
    before, length = standing("r1"), logged()
    ACTS[act]()
    after = standing("r1")
    assert [after[name] for name in (b"mark", b"told")] == [before[name] for name in (b"mark", b"told")]
    assert after[b"version"] != before[b"version"]
    assert "Age" in reader.get(LIVE).headers
    assert publishing.publish("race:r1")
    assert logged() == length


@pytest.mark.parametrize("act", ACTS)
def test_an_unchanged_poll_finds_the_publication_lost_and_asks_for_another(act: str) -> None:
    assert shelf.outdate({"race:r1": "1"}) == [False]
    ACTS[act]()
    assert shelf.outdate({"race:r1": "1"}) == [True]


def test_clearing_drops_every_body_and_nothing_that_is_no_topic(reader: LaneClient) -> None:
    reader.get("/api/meetings")
    others = {name: valkey.key(name) for name in ("limit:ordinary:x", "making:race:r1:x", "login:x")}
    for name in others.values():
        valkey.client().set(name, 1)
    length, seconds = logged(), valkey.client().ttl(shelf.name_of("race:r1"))
    assert actions.clear() == Done(topics=3, bodies=9)
    assert set(standing("r1")) == {b"version", b"mark", b"told", b"read"}
    assert valkey.client().exists(*others.values()) == len(others)
    assert logged() == length > 0
    assert 0 < valkey.client().ttl(shelf.name_of("race:r1")) <= seconds
    assert outcome(reader, "/api/meetings") == "MISS"


def test_a_shelf_of_many_topics_is_walked_to_its_end() -> None:
    shelf.outdate(dict.fromkeys(f"alerts:{number}" for number in range(1200)))
    assert actions.clear().topics == 1202
    assert collect()["topics"] == {"alerts": 1200, "race": 2}


def test_a_prefix_that_reads_like_a_pattern_meets_no_other_keys(settings: Settings) -> None:
    plain = valkey.client()
    prefix = settings.CACHES["default"]["KEY_PREFIX"]
    settings.CACHES = {"default": {**settings.CACHES["default"], "KEY_PREFIX": prefix[:-1] + "?"}}
    assert actions.clear() == Done(topics=0, bodies=0)
    assert plain.hlen(f"{prefix}:1:{shelf.NAME}race:r1") > 3


# ── Stats ───────────────────────────────────────────────────────────────────────────────────────
def test_stats_count_what_is_kept(reader: LaneClient) -> None:
    reader.get("/api/meetings")
    shelf.outdate({"race:r2": "2"}, resources.mark_of(clock.now() - timedelta(seconds=90), keep_seconds=60))
    told = collect()
    assert (told["topics"], told["bodies"], told["is_complete"]) == ({"card": 1, "race": 2}, 9, True)
    fields = [*standing("r1").items(), *standing("r2").items()]
    fields += valkey.client().hgetall(shelf.name_of("card")).items()
    for encoding, size in told["bytes"].items():
        assert size == sum(len(value) for name, value in fields if name.endswith(f" {encoding}".encode()))
    assert 90 <= told["oldest_mark"]["age_seconds"] < 150
    assert 0 <= told["newest_mark"]["age_seconds"] < 60
    assert told["events"]["length"] == logged() == 2
    first, last = (events.read_id(told["events"][name]) for name in ("first_id", "last_id"))
    assert first and last and first < last
    assert told["valkey"]["used_bytes"] > 0


def test_of_an_empty_shelf_nothing_is_made_up(settings: Settings) -> None:
    settings.CACHES = {"default": {**settings.CACHES["default"], "KEY_PREFIX": f"test-{uuid4()}"}}
    told = collect()
    assert (told["topics"], told["bodies"], told["oldest_mark"], told["newest_mark"]) == ({}, 0, None, None)
    assert told["events"] == {"length": 0, "first_id": None, "last_id": None}


def test_where_no_counters_are_in_reach_it_says_so() -> None:
    told = collect()
    assert told["routes"] is None
    assert "PROMETHEUS_MULTIPROC_DIR" in told["routes_unknown"]


@pytest.mark.usefixtures("unmeasured")
def test_hit_rates_add_up_what_every_process_answered(tmp_path: Path) -> None:
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    env["DJANGO_SETTINGS_MODULE"] = os.environ["DJANGO_SETTINGS_MODULE"]
    for program in (COUNT, COUNT):
        subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=env, check=True, timeout=60)
    told = subprocess.run(
        [sys.executable, "-c", STATS], cwd=ROOT, env=env, check=True, timeout=60, capture_output=True, text=True
    )
    assert json.loads(told.stdout) == [{"route": "race", "hits": 4, "stales": 0, "misses": 2, "hit_rate": 0.6667}]
    command = [sys.executable, "manage.py", "cache", "stats"]
    said = subprocess.run(command, cwd=ROOT, env=env, check=True, timeout=60, capture_output=True, text=True)
    assert "hit rate    66.7%  race: 4 hits, 0 stale, 2 misses\n" in said.stdout
