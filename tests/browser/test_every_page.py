"""What holds for every page, whatever it shows."""

import re

from playwright.sync_api import Page, expect


def test_today_loads(page: Page) -> None:
    page.goto("/")
    expect(page).to_have_title(re.compile("Raceday"))
    expect(page.locator("#stream")).to_have_text("live")
