"""What a poll changed is there, made, before anybody asks; what was lost on the way is found by the next poll."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from django.test import Client

from moneyflow.history.timeline import Cursor
from moneyflow.history.views import CONTINUED_ROUNDS
from moneyflow.pipeline import process_answer
from moneyflow.publishing import READ_SECONDS, publish, warm, warm_card
from raceday import clock, valkey
from raceday.published import events, resources, shelf
from raceday.published.resources import ROUNDS
from raceday.published.shelf import GZIP, IDENTITY, Lookup
from raceday.racing_day import nz_instant, racing_day
from races.models import Race
from tests.support.card import make_meeting, make_race, own_keys  # noqa: F401  # a fixture
from tests.support.lane import LaneClient
from tests.support.snapshots import answer, event, runner

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_keys")]
RACE, LIVE, POOLS, ENTRANTS = (
    "/api/races/r1",
    "/api/races/r1/live",
    "/api/race-pools?race_id=r1",
    "/api/entrants?race_id=r1",
)
RESULTS, HISTORY = "/api/race-results?race_id=r1", "/api/races/r1/history"
MEETING = ["/api/meetings/m1", "/api/meetings/m1/races", "/api/meetings/m1/status", "/api/races?meeting_id=m1"]
CARD = ["/api/meetings", "/api/races/upcoming", "/api/races/next-scheduled"]
FINAL: dict[str, Any] = {
    "results": [{"position": 1, "runner_number": 1, "name": "Runner 1", "entrant_id": "r1-e1"}],
    "dividends": [{"id": "d", "product_name": "Pool Win", "status": "Final", "dividend": 2.4, "pool_size": 1000}],
}
FIRST = nz_instant(racing_day(clock.now())) + timedelta(hours=12)


@pytest.fixture(autouse=True)
def noon(clock_goes_on_from: Callable[[datetime], None]) -> None:
    """No race of today's card starts tomorrow."""
    clock_goes_on_from(FIRST)


@pytest.fixture
def client() -> LaneClient:
    return LaneClient()


def poll(dollars: float, *, after: int, status: str = "Open", race_id: str = "r1", **data: Any) -> tuple[str, ...]:
    """A poll so many seconds after the first, to its commit; returns the topics that are to be published."""
    at = FIRST + timedelta(seconds=after)
    pools = [{"product_type": "Win", "total": dollars}]
    runners = [runner(1, pool_win=dollars / 100, fixed_win=2.5), runner(2, pool_win=3.1, fixed_win=3.0)]
    runners = [{**one, "entrant_id": f"{race_id}-{one['entrant_id']}"} for one in runners]
    start = int(FIRST.timestamp()) + 1800
    body = event(race_id, generated_at=at, tote_pools=pools, runners=runners, **data)
    body["data"]["race"] |= {"status": status, "advertised_start": start, "actual_start": start}
    return process_answer(race_id, answer(body, polled_at=at)).outdated


def poll_and_publish(dollars: float, *, after: int, **race: Any) -> list[bool]:
    return [publish(topic) for topic in poll(dollars, after=after, **race)]


def found(address: str, encoding: str = IDENTITY, topic: str = "race:r1") -> Lookup:
    path, _, query = address.partition("?")
    asked = resources.find(path, query)
    assert asked
    looked = shelf.lookup(topic, asked.key, encoding)
    assert looked
    return looked


def told() -> list[events.Event]:
    """What publications told; the polls' own readings are before it."""
    every = map(events.parse, valkey.client().xrange(valkey.key(events.LOG)))
    return [event for event in every if event.kind != events.FLOW]


def test_what_a_poll_changed_is_there_before_anybody_asks(client: LaneClient) -> None:
    assert poll_and_publish(1000, after=0) == [True, True, True]
    addresses = [RACE, LIVE, POOLS, *MEETING, *CARD]
    assert client.outcomes(*addresses) == ["HIT"] * len(addresses)
    assert client.handler.came == 0
    assert client.get(POOLS).json()["win_pool_total"] == 100_000


def test_entrants_are_made_while_somebody_reads_them(client: LaneClient) -> None:
    poll_and_publish(1000, after=0)
    assert client.outcomes(LIVE, RACE, POOLS) == ["HIT"] * 3
    poll_and_publish(1500, after=5)
    assert not found(ENTRANTS).copy
    assert client.outcomes(ENTRANTS) == ["MISS"]
    for number in range(2, ROUNDS + 4):
        poll_and_publish(1500 + number, after=5 * number)
        assert found(ENTRANTS).is_current
    valkey.client().hset(shelf.name_of("race:r1"), "read", time.time() - READ_SECONDS - 1)
    for number in range(ROUNDS + 1):
        poll_and_publish(2000 + number, after=100 + 5 * number)
    assert not found(ENTRANTS).copy


def test_the_next_poll_puts_its_figures_in_place_of_the_old(client: LaneClient) -> None:
    poll_and_publish(1000, after=0)
    client.get(ENTRANTS)
    assert poll_and_publish(1500, after=5) == [True]
    live, pools, entrants = (client.get(address) for address in (LIVE, POOLS, ENTRANTS))
    assert {one["X-Cache"] for one in (live, pools, entrants)} == {"HIT"}
    assert live.json()["pools"] == pools.json()
    assert pools.json()["win_pool_total"] == 150_000
    assert (live.json()["entrants"][0]["pool_win_odds"], entrants.json()[0]["pool_win_odds"]) == (15.0, 15.0)
    assert len({one["X-Polled-At"] for one in (live, pools, entrants)}) == 1


def test_a_published_body_is_what_django_would_have_made() -> None:
    poll_and_publish(1000, after=0)
    LaneClient().get(ENTRANTS)
    poll_and_publish(1500, after=5)
    for address in (RACE, POOLS, ENTRANTS, *MEETING[:1], *MEETING[2:], CARD[0], CARD[2]):  # the others tell the time
        hit, miss = LaneClient().get(address), Client().get(address)
        assert (hit["X-Cache"], miss["X-Cache"]) == ("HIT", "MISS")
        assert (hit.content, hit["ETag"], hit.status_code) == (miss.content, miss["ETag"], miss.status_code)


def test_an_unchanged_poll_keeps_the_bodies_and_moves_their_mark(client: LaneClient) -> None:
    poll_and_publish(1000, after=0)
    before = client.get(POOLS)
    assert poll(1000, after=5) == ()
    client.forget()
    after = client.get(POOLS)
    assert (after["X-Cache"], after["ETag"]) == ("HIT", before["ETag"])
    assert after["X-Polled-At"] > before["X-Polled-At"]


def test_the_streams_are_told_the_whole_first_and_then_what_changed() -> None:
    poll_and_publish(1000, after=0)
    poll_and_publish(1500, after=5)
    first, *later = told()
    assert (first.kind, first.race_id, first.meeting_id) == (events.SNAPSHOT, "r1", "m1")
    assert {one.kind for one in later} == {"pool", "odds"}
    (pool,) = [msgspec.json.decode(one.data) for one in later if one.kind == "pool"]
    assert (pool["race_id"], pool["pools"]["win_pool_total"]) == ("r1", 150_000)


def test_a_topic_is_published_and_told_once() -> None:
    topics = poll(1000, after=0)
    assert [publish(topic) for topic in topics] == [True, True, True]
    assert publish("race:r1") is False
    assert len(told()) == 1


def test_of_two_polls_before_a_publication_the_later_one_is_published() -> None:
    poll(1000, after=0)
    poll(1500, after=5)
    assert publish("race:r1")
    assert [msgspec.json.decode(one.data)["pools"]["win_pool_total"] for one in told()] == [150_000]


def test_a_poll_in_the_middle_of_a_publication_is_the_one_that_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    poll(1000, after=0)
    topic_state = shelf.topic_state
    came: list[tuple[str, ...]] = []

    def look_and_be_overtaken(topic: str) -> shelf.TopicState | None:
        looked = topic_state(topic)
        if not came:
            came.append(poll(1500, after=5))
        return looked

    monkeypatch.setattr(shelf, "topic_state", look_and_be_overtaken)
    assert publish("race:r1")
    assert found(POOLS).is_current
    assert LaneClient().get(POOLS).json()["win_pool_total"] == 150_000
    assert len(told()) == 1


@pytest.mark.parametrize("lost", ["the topic", "the version"])
def test_a_lost_publication_is_found_by_the_next_unchanged_poll(client: LaneClient, lost: str) -> None:
    poll_and_publish(1000, after=0)
    poll(1500, after=5)
    if lost == "the topic":
        valkey.client().delete(shelf.name_of("race:r1"))
    else:
        valkey.client().hset(shelf.name_of("race:r1"), "version", "of an earlier poll")
    assert poll(1500, after=10) == ("race:r1",)
    assert publish("race:r1")
    assert (client.outcomes(POOLS), client.get(POOLS).json()["win_pool_total"]) == (["HIT"], 150_000)
    assert poll(1500, after=15) == ()


@pytest.mark.parametrize(
    ("variant", "rounds"),
    [
        (f"{ENTRANTS}&history=7", ROUNDS),
        (f"{HISTORY}?since={quote(FIRST.isoformat())}", CONTINUED_ROUNDS),
        (f"/api/money-flow-timeline?race_id=r1&entrants=r1-e1&cursor_after={quote(Cursor('r1').write())}", 0),
    ],
    ids=["entrants", "history", "timeline"],
)
def test_a_variant_somebody_asked_for_is_made_again_for_its_rounds_and_then_dropped(
    client: LaneClient, variant: str, rounds: int
) -> None:
    poll_and_publish(1000, after=0)
    assert client.outcomes(variant, variant) == ["MISS", "HIT"]
    current = []
    for number in range(1, ROUNDS + 2):
        poll_and_publish(1000 + number, after=5 * number)
        current.append(found(variant).copy is not None and found(variant).is_current)
    assert sum(current) in {rounds, max(0, rounds - 1)}
    assert current == sorted(current, reverse=True)
    assert client.outcomes(variant) == ["MISS"]


def test_a_finished_race_is_complete_and_stands_until_its_retention(client: LaneClient) -> None:
    poll_and_publish(1000, after=0)
    poll_and_publish(2000, after=5, status="Final", **FINAL)
    addresses = [RACE, LIVE, POOLS, ENTRANTS, RESULTS, HISTORY]
    assert client.outcomes(*addresses, *MEETING) == ["HIT"] * (len(addresses) + len(MEETING))
    assert client.get(RESULTS).json()["results_available"] is True
    assert client.get(MEETING[2]).json()["isCompleted"] is True
    assert [found(address, GZIP).fresh_until for address in addresses if address != LIVE] == [0.0] * 5
    left = valkey.client().ttl(shelf.name_of("race:r1"))
    assert 29 * 86_400 < left <= 30 * 86_400


def test_reading_a_finished_race_does_not_shorten_its_stay(client: LaneClient) -> None:
    poll_and_publish(1000, after=0, status="Final", **FINAL)
    client.outcomes(f"{ENTRANTS}&history=7")
    assert poll(1000, after=5, status="Final", **FINAL) == ()
    assert valkey.client().ttl(shelf.name_of("race:r1")) > 29 * 86_400


def test_a_race_that_is_gone_is_not_published() -> None:
    shelf.outdate({"race:r1": "1"})
    assert publish("race:r1") is False
    assert publish("race:never") is False
    assert told() == []


def make_card(*races: str) -> None:
    now = clock.now()
    meeting = make_meeting(date=racing_day(now))
    for race_id in races:
        race = make_race(meeting, race_id=race_id, start_time=now + timedelta(minutes=30), polled_at=None)
        Race.objects.filter(pk=race.pk).update(race_date_nz=racing_day(now))


def test_the_card_is_warm_before_the_first_reader(client: LaneClient) -> None:
    make_card("r1", "r2")
    assert warm_card() == 2
    assert client.outcomes(*MEETING, *CARD) == ["HIT"] * 7
    assert client.handler.came == 0


def test_a_start_makes_the_races_that_valkey_has_not_and_leaves_the_others(client: LaneClient) -> None:
    poll(1000, after=0)
    poll(1000, after=0, race_id="r2")
    valkey.client().delete(shelf.name_of("race:r1"), shelf.name_of("race:r2"))
    assert warm() == 4  # card, meeting and both races
    addresses = [RACE, LIVE, POOLS, *MEETING, *CARD]
    assert client.outcomes(*addresses) == ["HIT"] * len(addresses)
    assert warm() == 2
    assert poll(1000, after=5) == ()


@pytest.mark.parametrize("race_id", ["a b|c", "āé", "a%2Fb", "{0}", "a+b&c=d", "x\ny"])
def test_an_odd_id_is_published_like_another(client: LaneClient, race_id: str) -> None:
    poll_and_publish(1000, after=0, race_id=race_id)
    name = quote(race_id, safe="")
    addresses = [f"/api/races/{name}", f"/api/races/{name}/live", f"/api/race-pools?race_id={name}"]
    assert client.outcomes(*addresses) == ["HIT"] * 3
    assert client.get(addresses[2]).json()["race_id"] == race_id


def test_a_result_that_comes_later_takes_the_place_of_the_404(client: LaneClient) -> None:
    poll_and_publish(1000, after=0)
    assert client.outcomes(RESULTS, RESULTS) == ["MISS", "HIT"]
    assert client.get(RESULTS).status_code == 404
    poll_and_publish(2000, after=5, status="Final", **FINAL)
    client.forget()
    assert (client.get(RESULTS).status_code, client.get(RESULTS)["X-Cache"]) == (200, "HIT")
