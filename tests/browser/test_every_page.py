"""What holds for every page, whatever it shows: `--screenshot on --output FOLDER` keeps what each test saw."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect

from tests.support.browser import PAGES, address_of

WIDTHS = (1280, 768, 360)
MODES: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "forced": {"forced_colors": "active"},
    "greyscale": {"color_scheme": "light"},
}
GREY = {"type": "achromatopsia"}
# What the tab key should have reached and did not, and whether one sees where the focus is.
MISSED = """() => [...document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0']")]
    .filter((each) => each.dataset.reached === undefined && !each.disabled)
    .filter((each) => each.checkVisibility({ visibilityProperty: true }))
    .map((each) => each.outerHTML.slice(0, 120))"""
MOST_STEPS = 300
FOCUSED = """() => {
    const at = document.activeElement, style = getComputedStyle(at), box = at.getBoundingClientRect();
    if (at === document.body) return null;
    const isSeen = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
    const isOutlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    at.dataset.reached = "";
    return { html: at.outerHTML.slice(0, 120), isSeen, isOutlined };
}"""

every_page = pytest.mark.parametrize("name", PAGES)
Shoot = Callable[[Page, str], None]


@pytest.fixture
def shoot(pytestconfig: pytest.Config, output_path: str) -> Shoot:
    """Keep a picture of a page if pictures are wanted."""

    def shoot(page: Page, name: str) -> None:
        if pytestconfig.getoption("--screenshot") == "on":
            page.wait_for_timeout(200)  # what is drawn anew for another width
            page.screenshot(path=Path(output_path) / f"{name}.png", full_page=True)

    return shoot


@every_page
@pytest.mark.parametrize("mode", MODES)
def test_a_page_fits_and_axe_finds_nothing_serious(
    name: str, mode: str, new_context: Callable[..., BrowserContext], base_url: str, shoot: Shoot
) -> None:
    page = new_context(**MODES[mode]).new_page()
    if mode == "greyscale":
        page.context.new_cdp_session(page).send("Emulation.setEmulatedVisionDeficiency", GREY)
    page.goto(address_of(name, base_url))
    expect(page.locator("#stream")).to_have_text("live")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        shoot(page, f"{name}-{mode}-{width}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert serious(page) == []


def serious(page: Page) -> list[str]:
    """Return what axe finds serious or worse, as rule and element."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{each['id']}: {node['html']}"
        for each in found
        if each["impact"] in {"serious", "critical"}
        for node in each["nodes"]
    ]


@every_page
def test_the_tab_key_reaches_everything_and_one_sees_where(name: str, page: Page, base_url: str) -> None:
    page.goto(address_of(name, base_url))
    page.evaluate("() => { window.fetch = () => new Promise(() => {}); }")  # no race comes or goes meanwhile
    for _ in range(MOST_STEPS):
        page.keyboard.press("Tab")
        if (found := page.evaluate(FOCUSED)) is None:
            break
        assert found["isSeen"] and found["isOutlined"], found["html"]
    assert found is None  # the focus has left the page at its end
    assert page.evaluate(MISSED) == []


@every_page
def test_nothing_moves_for_those_who_asked_for_calm(
    name: str, new_context: Callable[..., BrowserContext], base_url: str
) -> None:
    page = new_context(reduced_motion="reduce").new_page()
    page.goto(address_of(name, base_url))
    expect(page.locator("#stream")).to_have_text("live")
    page.evaluate("document.querySelector('td')?.classList.add('changed')")
    moving = "document.getAnimations().filter(({ effect }) => !effect.target.matches('.stopped')).length"
    assert page.evaluate(moving) == 0


@every_page
def test_a_page_without_a_script_is_whole_and_does_not_call_itself_live(
    name: str, new_context: Callable[..., BrowserContext], base_url: str
) -> None:
    page = new_context(java_script_enabled=False).new_page()
    page.goto(address_of(name, base_url))
    expect(page).to_have_title(re.compile(r"Raceday|^R\d"))
    expect(page.locator("main table, main .card, main #alerts").first).to_be_visible()
    expect(page.locator("#stream")).not_to_have_text("live")
    assert page.locator("noscript meta[http-equiv=refresh]").count() == 1
