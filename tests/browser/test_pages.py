"""Pages in a browser, beside what holds for every page: filters, days, the replay, pages that are not live."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.test_every_page import MODES, WIDTHS, serious
from tests.support.browser import ask, instant

CHOOSE_CAMEL = """(select) => {
    select.add(new Option("camel"));
    select.value = "camel";
    select.dispatchEvent(new Event("change", { bubbles: true }));
}"""


@pytest.fixture
def ended_race(page: Page) -> str:
    """Return a race that has ended; the first does so soon after the start."""
    page.goto("/")
    expect(page.locator(".day a.final").first).to_be_attached(timeout=120_000)
    return str(page.locator(".day a.final").first.get_attribute("href"))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("address", ["/welcome", "/nothing"])
def test_pages_that_are_not_live_fit_and_axe_finds_nothing_serious(
    address: str, mode: str, new_context: Callable[..., BrowserContext], complaints: list[str]
) -> None:
    page = new_context(**MODES[mode]).new_page()
    page.goto(address)
    look_over(page)
    assert page.locator("script").count() == 0
    complaints.clear()  # the browser's own, of a 404


@pytest.mark.parametrize("mode", MODES)
def test_a_replay_fits_and_axe_finds_nothing_serious(
    mode: str, new_context: Callable[..., BrowserContext], ended_race: str
) -> None:
    page = new_context(**MODES[mode]).new_page()
    page.goto(f"{ended_race}/replay")
    expect(page.locator("#result")).to_be_visible()
    look_over(page)


def look_over(page: Page) -> None:
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert serious(page) == []


def test_filters_hide_what_does_not_match_and_stay_in_the_address(page: Page) -> None:
    page.goto("/")
    rows = page.locator(".day tbody tr")
    page.get_by_label("Code").select_option("harness")
    expect(page).to_have_url("/?code=harness")
    shown = [row for row in rows.all() if row.is_visible()]
    assert shown
    assert {row.get_attribute("data-code") for row in shown} == {"harness"}
    page.reload()
    expect(page.get_by_label("Code")).to_have_value("harness")
    assert len([row for row in rows.all() if row.is_visible()]) == len(shown)
    page.get_by_label("Code").select_option("")
    expect(page).to_have_url("/")
    assert all(row.is_visible() for row in rows.all())


def test_a_filter_that_nothing_matches_says_so(page: Page) -> None:
    page.goto("/?code=camel")
    expect(page.locator("#card .no-match")).to_be_hidden()  # no such code, no filter
    page.get_by_label("Code").evaluate(CHOOSE_CAMEL)  # at once: the page may be made anew
    expect(page.locator("#card .no-match")).to_be_visible()
    assert not any(row.is_visible() for row in page.locator(".day tbody tr").all())


def test_the_day_before_keeps_the_filter(page: Page) -> None:
    page.goto("/?country=NZ")
    page.locator("a[rel=prev]").click()
    expect(page.get_by_label("Country")).to_have_value("NZ")
    expect(page.get_by_text("No meeting on this day.")).to_be_visible()
    page.get_by_role("link", name="today", exact=True).click()
    expect(page.locator("h1")).to_contain_text("Today")


def test_status_renews_itself(page: Page) -> None:
    page.goto("/status")
    before = page.locator("main .sub").first.inner_text()
    expect(page.locator("main .sub").first).not_to_have_text(before, timeout=20_000)
    expect(page.locator("#stream")).to_have_text("live")


def test_a_replay_shows_the_race_as_it_was(page: Page, base_url: str, ended_race: str) -> None:
    page.goto(f"{ended_race}/replay")
    expect(page.locator("#result")).to_be_visible()
    final = shares(page)
    history = ask(base_url, f"/api{ended_race}/history", pool_type="win")
    seconds = int(page.locator("#at").get_attribute("min") or 0) + 1
    shown_ms = 1000 * (instant(ask(base_url, f"/api{ended_race}")["start_time"]) + seconds)
    place = max(number for number, at in enumerate(history["timestamps"]) if at <= shown_ms)
    page.locator("#at").evaluate("(at, to) => { at.value = to; at.dispatchEvent(new Event('input')); }", seconds)
    expect(page.locator("#result")).to_be_hidden()
    assert shares(page) != final
    assert pooled(page) == [cents(history, entrant, place) for entrant in ids(page)]


def test_a_replay_plays_by_itself_and_by_keys(page: Page, ended_race: str) -> None:
    page.goto(f"{ended_race}/replay")
    at = page.locator("#at")
    expect(at).to_have_value(str(at.get_attribute("max")))
    page.keyboard.press("ArrowLeft")
    expect(at).to_have_value(str(int(at.get_attribute("max") or 0) - 1))
    at.evaluate("(at) => { at.value = at.min; at.dispatchEvent(new Event('input')); }")
    page.keyboard.press("Space")
    expect(page.locator("#play")).to_have_text("Pause")
    expect(at).not_to_have_value(str(at.get_attribute("min")))
    page.locator("#play").click()
    expect(page.locator("#play")).to_have_text("Play")


def shares(page: Page) -> list[str]:
    return page.locator("[data-cell=share]").all_inner_texts()


def pooled(page: Page) -> list[str]:
    return page.locator("[data-cell=cents]").all_text_contents()


def ids(page: Page) -> list[str]:
    return [str(row.get_attribute("data-id")) for row in page.locator("#runners tbody tr").all()]


def cents(history: dict[str, Any], entrant_id: str, place: int) -> str:
    """Write what was in the Win pool on an entrant, as the page does."""
    (column,) = (each["win_pool_amount"] for each in history["entrants"] if each["entrant_id"] == entrant_id)
    return "–" if not column or column[place] is None else f"${round(column[place] / 100):,}"
