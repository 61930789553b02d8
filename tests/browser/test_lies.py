"""A page must not look alive when its data is dead: each way to lie, and that it comes to an end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import CDPSession, Page, expect

from faults.tree import Tree
from tests.support.browser import SPEED, ask, instant, open_race, parts, stopped
from tests.support.streams import eventually

Hurt = Callable[[Tree], Any]
HOUR_SECONDS = 3600
LONG_BEFORE_SECONDS = 30  # of the machine's time
# What the page said was wrong, in the order in which it said so.
LISTEN = """() => {
    const warning = document.getElementById("warning");
    window.said = [];
    new MutationObserver(() => window.said.push(warning.textContent)).observe(warning, { childList: true });
}"""
# For so long no other script runs, and nothing is laid out or painted.
HANG = "() => { setTimeout(() => { const end = performance.now() + 15000; while (performance.now() < end); }); }"


def is_alive(page: Page) -> None:
    """Hold the page to it that it calls itself live, and nothing in it STALE."""
    expect(page.locator("#stream")).to_have_text("live")
    expect(page.locator("body.stale")).to_have_count(0)
    expect(page.get_by_text("STALE").filter(visible=True)).to_have_count(0)


def is_stale(page: Page) -> None:
    """Hold the page to it that it says so in words, and that nothing in it looks live."""
    expect(page.get_by_text("STALE").filter(visible=True).first).to_be_visible()
    expect(page.locator("body.stale")).to_have_count(1)
    expect(page.locator(".live").filter(visible=True)).to_have_count(0)


# ── What lies ──
@contextmanager
def frozen_feed(tree: Tree) -> Iterator[None]:
    tree.control(fault="freeze")
    try:
        yield
    finally:
        tree.control(fault=None)


LIES: dict[str, Hurt] = {
    "the poller is stopped": lambda tree: stopped(parts(tree, "qcluster", "control")),
    "the feed is frozen": frozen_feed,
    "the stream is cut": lambda tree: stopped(parts(tree, "config.asgi")),
    "Valkey is away": lambda tree: stopped(parts(tree, "valkey")),
    "the database is away": lambda tree: stopped(parts(tree, "bin/postgres")),
}


@pytest.mark.parametrize("lie", LIES)
def test_pages_say_that_they_are_stale_and_that_it_is_over(
    lie: str, page: Page, tree: Tree, base_url: str, complaints: list[str]
) -> None:
    today = page.context.new_page()
    page.goto(f"/races/{open_race(base_url, after_seconds=LONG_BEFORE_SECONDS)}")
    today.goto("/")
    for each in (page, today):
        is_alive(each)
    with LIES[lie](tree):
        for each in (page, today):
            is_stale(each)
    for each in (page, today):
        is_alive(each)
    complaints.clear()  # of what was away


def test_a_page_that_cannot_fetch_what_it_was_told_of_is_stale(page: Page, tree: Tree, complaints: list[str]) -> None:
    page.goto("/")
    is_alive(page)
    with stopped(parts(tree, "raceday.web")):
        page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
        is_stale(page)
    is_alive(page)
    complaints.clear()  # of what was away


# ── What happens to the computer ──
def test_a_laptop_that_slept_says_stale_before_it_is_live_again(page: Page, base_url: str) -> None:
    page.clock.install()
    page.goto(f"/races/{open_race(base_url, after_seconds=LONG_BEFORE_SECONDS)}")
    is_alive(page)
    page.evaluate(LISTEN)
    page.clock.fast_forward("10:00")
    assert any("STALE" in words for words in page.evaluate("window.said"))
    is_alive(page)


@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_that_is_an_hour_wrong_changes_nothing(hours: int, page: Page, tree: Tree, base_url: str) -> None:
    page.clock.install(time=tree.clocks[-1].timestamp() + hours * HOUR_SECONDS)
    race_id = open_race(base_url, after_seconds=LONG_BEFORE_SECONDS)
    page.goto(f"/races/{race_id}")
    is_alive(page)
    start = instant(ask(base_url, f"/api/races/{race_id}")["start_time"])
    shown = page.locator(".clock .countdown").inner_text()
    minutes, seconds = shown.removeprefix("−").split(":")[-2:]
    assert abs(start - tree.clocks[-1].timestamp() - 60 * int(minutes) - int(seconds)) < 3 * SPEED


def test_a_page_whose_script_has_stopped_says_so(page: Page) -> None:
    page.goto("/")
    is_alive(page)
    words = page.get_by_text("this page has stopped")
    quicken(page)
    page.wait_for_timeout(3000)
    expect(words).to_be_hidden()
    page.evaluate("() => { for (let timer = 0; timer < 10_000; timer++) clearInterval(timer); }")
    expect(words).to_be_visible()


def test_even_a_page_whose_script_hangs_changes_its_looks(page: Page) -> None:
    page.goto("/")
    is_alive(page)
    browser = quicken(page)
    frames: list[str] = []

    def take(frame: dict[str, Any]) -> None:
        frames.append(frame["data"])
        browser.send("Page.screencastFrameAck", {"sessionId": frame["sessionId"]})

    browser.on("Page.screencastFrame", take)
    page.evaluate(HANG)
    page.wait_for_timeout(500)
    browser.send("Page.startScreencast", {"format": "png"})

    def is_another() -> bool:
        page.wait_for_timeout(100)
        return len(set(frames)) > 1

    eventually(is_another)
    browser.send("Runtime.terminateExecution")


def quicken(page: Page) -> CDPSession:
    """Let animations run twenty times as fast: nobody waits for half a minute."""
    browser = page.context.new_cdp_session(page)
    browser.send("Animation.enable")
    browser.send("Animation.setPlaybackRate", {"playbackRate": 20})
    return browser
