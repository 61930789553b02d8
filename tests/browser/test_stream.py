"""One connection for all tabs of a browser, whoever comes and goes."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest
from playwright.sync_api import BrowserContext, Page
from redis import Redis

from faults.tree import Tree
from tests.support.browser import SPEED, ask, instant, open_race, parts, stopped
from tests.support.streams import NAME, eventually

TELL_SECONDS = 0.02
STREAM = "document.querySelector('script[type=module]').src.replace(/[^/]*$/, 'stream.js')"
HEALTH = f"async () => (await import({STREAM})).health()"
HEARD = f"async () => (await import({STREAM})).heardAt()"
NOW = f"async () => (await import({STREAM})).clock.now()"
FOLLOW = f"""async (query) => {{
    window.heard = [];
    const {{ follow }} = await import({STREAM});
    window.leave = follow(query, (kind, data) => window.heard.push([kind, data]));
}}"""
HOLDERS = "async () => (await navigator.locks.query()).held.filter(({ name }) => name === 'raceday stream').length"


def streams_open(tree: Tree) -> int:
    """Count the connections that the streams' process holds."""
    held = psutil.net_connections("tcp4")
    return sum(each.laddr.port == tree.port + 1 and each.status == psutil.CONN_ESTABLISHED for each in held)


def await_stream(page: Page) -> None:
    """Wait until a page hears the stream; a busy machine may poll too late for the page to call itself live."""
    eventually(lambda: page.evaluate(HEALTH) == "live")


def kinds(page: Page, race_id: str) -> set[str]:
    heard = page.evaluate("window.heard")
    return {kind for kind, data in heard if (data.get("race_id") or data.get("race", {}).get("race_id")) == race_id}


@pytest.fixture
def tabs(new_context: Callable[..., BrowserContext], base_url: str, tree: Tree) -> Callable[[int], list[Page]]:
    """Open tabs of one browser: Today, then races, each live."""
    eventually(lambda: streams_open(tree) == 0)
    context = new_context()
    races = [race["race_id"] for race in ask(base_url, "/api/races/upcoming", limit=100)["races"]]

    def open_tabs(count: int) -> list[Page]:
        addresses = ["/", *(f"/races/{race_id}" for race_id in races)][:count]
        pages = [context.new_page() for _ in addresses]
        for page, address in zip(pages, addresses, strict=True):
            page.goto(address)
        for page in pages:
            await_stream(page)
        return pages

    return open_tabs


def test_seven_tabs_share_one_stream(tabs: Callable[[int], list[Page]], tree: Tree) -> None:
    pages = tabs(7)
    eventually(lambda: streams_open(tree) == 1)
    assert pages[3].evaluate(HOLDERS) == 1
    ids = [page.evaluate("document.body.dataset.race") for page in pages[1:]]
    for page, race_id in zip(pages[1:], ids, strict=True):
        page.evaluate(FOLLOW, f"race_id={race_id}&topics=pool,flow")
    for page, race_id in zip(pages[1:], ids, strict=True):
        eventually(lambda page=page, race_id=race_id: "snapshot" in kinds(page, race_id))
        assert all(not kinds(page, other) for other in ids if other != race_id)
    assert streams_open(tree) == 1


def test_a_snapshot_that_was_cut_off_by_another_tab_comes_again(tabs: Callable[[int], list[Page]], tree: Tree) -> None:
    today, race = tabs(2)
    with stopped(parts(tree, "valkey")):
        race.evaluate(FOLLOW, "race_id=made-up-1&topics=pool")
        race.wait_for_timeout(1000)  # its stream is open, and waits for Valkey
        today.evaluate(FOLLOW, "race_id=made-up-2&topics=pool")
        today.wait_for_timeout(500)
    eventually(lambda: "snapshot" in kinds(race, "made-up-1") and "snapshot" in kinds(today, "made-up-2"))


def test_when_the_tab_that_has_the_stream_goes_the_next_one_takes_over(
    tabs: Callable[[int], list[Page]], tree: Tree
) -> None:
    first, second, third = tabs(3)
    race_id = second.evaluate("document.body.dataset.race")
    second.evaluate(FOLLOW, f"race_id={race_id}&topics=pool,flow")
    eventually(lambda: "snapshot" in kinds(second, race_id))
    first.close()
    before = [page.evaluate(HEARD) for page in (second, third)]
    eventually(lambda: all(page.evaluate(HEARD) > at for page, at in zip((second, third), before, strict=True)))
    assert second.evaluate(HOLDERS) == 1
    eventually(lambda: streams_open(tree) == 1)
    heard = second.evaluate("window.heard.map(([kind]) => kind)")
    assert heard.count("snapshot") == 1  # it went on from the last event that any tab had seen


@contextmanager
def telling(tree: Tree, race_id: str) -> Iterator[list[int]]:
    """Log event after event of a race that nobody runs, and list their numbers."""
    told: list[int] = []
    is_over = Event()

    def tell() -> None:
        with Redis.from_url(tree.redis_url) as client:
            while not is_over.wait(TELL_SECONDS):
                data = json.dumps({"race_id": race_id, "number": len(told)})
                client.xadd(NAME, {"race": race_id, "meeting": "none", "kind": "pool", "data": data})
                told.append(len(told))

    teller = Thread(target=tell)
    teller.start()
    try:
        yield told
    finally:
        is_over.set()
        teller.join()


def test_no_event_is_missed_while_tabs_come_and_go(tabs: Callable[[int], list[Page]], tree: Tree) -> None:
    first, second = tabs(2)
    second.evaluate(FOLLOW, "race_id=made-up&topics=pool")
    eventually(lambda: "snapshot" in kinds(second, "made-up"))

    def heard() -> list[int]:
        return [data["number"] for kind, data in second.evaluate("window.heard") if kind == "pool"]

    with telling(tree, "made-up") as told:
        eventually(heard)
        for number in range(3):
            third = second.context.new_page()
            third.goto("/")
            third.evaluate(FOLLOW, f"race_id=made-up-{number}&topics=flow")
            eventually(lambda third=third, number=number: "snapshot" in kinds(third, f"made-up-{number}"))
            (first if number == 1 else third).close()
    eventually(lambda: heard()[-1] == told[-1])
    assert sorted(set(heard())) == told[heard()[0] :]


def test_a_tab_that_comes_later_gets_a_snapshot_and_one_that_left_nothing(page: Page, base_url: str) -> None:
    race_id = open_race(base_url)
    page.goto(f"/races/{race_id}")
    await_stream(page)
    page.evaluate(FOLLOW, f"race_id={race_id}&topics=flow")
    eventually(lambda: "snapshot" in kinds(page, race_id))
    page.evaluate("window.leave()")
    count = page.evaluate("window.heard.length")
    before = page.evaluate(HEARD)
    eventually(lambda: page.evaluate(HEARD) > before)
    assert page.evaluate("window.heard.length") == count


def test_the_clock_is_the_servers_whatever_the_computers_says(page: Page, base_url: str) -> None:
    page.clock.install(time="2020-01-01T00:00:00Z")
    page.clock.resume()
    page.goto("/")
    await_stream(page)
    health = ask(base_url, "/api/races/upcoming", limit=1)["timestamp"]
    shown = page.evaluate(NOW) / 1000
    assert abs(shown - instant(health)) < 3 * SPEED


def test_readings_reach_a_page_and_go_on_with_its_history(page: Page, base_url: str) -> None:
    race_id = open_race(base_url)
    page.goto(f"/races/{race_id}")
    page.evaluate(FOLLOW, f"race_id={race_id}&topics=flow")

    def readings() -> list[Any]:
        told = [data for kind, data in page.evaluate("window.heard") if kind == "flow"]
        return list({reading["timestamp"]: reading for reading in told}.values())  # the newest may be told twice

    eventually(lambda: len(readings()) >= 3)
    found = readings()
    stored = ask(base_url, f"/api/races/{race_id}/history", pool_type="win")["timestamps"]
    times = [reading["timestamp"] for reading in found]
    assert times == stored[stored.index(times[0]) :][: len(times)]
    assert [reading["previous_timestamp"] for reading in found[1:]] == times[:-1]
