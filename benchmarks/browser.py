"""A real browser for benchmarks: the machine's own Chromium, steered by Playwright, and what it says of its work."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import inf
from typing import TYPE_CHECKING, Any

from benchmarks.figures import BenchmarkError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, CDPSession, Page

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
MAIN_THREAD = "CrRendererMain"


def chromium() -> str | None:
    """Return where the machine has a Chromium; None if it has none."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


def chromium_to_measure() -> str:
    """Return where Chromium is; BenchmarkError in one sentence where it or Playwright is missing."""
    try:
        import playwright  # noqa: F401, PLC0415
    except ImportError:
        raise BenchmarkError("board needs Playwright, which `./run bench` installs for developers.") from None
    if (found := chromium()) is None:
        raise BenchmarkError("board needs Chromium, and this machine has none (Debian: apt install chromium).")
    return found


@contextmanager
def browser() -> Iterator["Browser"]:
    """Run Chromium."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - developers have it, a product does not

    with sync_playwright() as steering:
        found = steering.chromium.launch(executable_path=chromium_to_measure())
        yield found
        found.close()


def metrics(session: "CDPSession") -> dict[str, float]:
    """Return what the browser has counted of a page so far; `Performance.enable` comes first."""
    return {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}


def spans_ms(trace: bytes, *names: str) -> list[tuple[float, float]]:
    """Return how long the page's main thread was in events of these names: milliseconds by the clock and of CPU.

    An event within another one of them is not counted again.
    """
    events: list[Mapping[str, Any]] = json.loads(trace)["traceEvents"]
    threads = {
        (each["pid"], each["tid"])
        for each in events
        if each["name"] == "thread_name" and each["args"]["name"] == MAIN_THREAD
    }
    whole = [
        each for each in events if each["name"] in names and each["ph"] == "X" and (each["pid"], each["tid"]) in threads
    ]
    found, end = [], -inf
    for each in sorted(whole, key=lambda each: each["ts"]):
        if each["ts"] >= end:
            end = each["ts"] + each["dur"]
            found.append((each["dur"] / 1000, each.get("tdur", each["dur"]) / 1000))
    return found


def page_of(browser: "Browser", base_url: str, script: str = "") -> "Page":
    """Return a page of a browser that has seen nothing yet."""
    context = browser.new_context(base_url=base_url, viewport={"width": 1280, "height": 900})
    if script:
        context.add_init_script(script)
    return context.new_page()
