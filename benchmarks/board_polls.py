"""From the commit of a poll to the screen: five races polled at once, one real browser.

With one window a person looks at one of the races. With a window for each, all are painted at once, without a
graphics card, by the two processors that also run the feed and Raceday: printed without a mark.
"""

import asyncio
from collections.abc import Sequence
from itertools import chain, islice
from math import inf
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from benchmarks import corridor
from benchmarks.board_race import served
from benchmarks.browser import chromium_to_measure
from benchmarks.feed import is_busy, open_races, past_racing
from benchmarks.figures import BenchmarkError, Figure, percentile
from raceday.published import events
from raceday.run.process import ProcessTree

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

RACES, ROUNDS = 5, 40
WINDOWS = (1, RACES)
MARK_MS = 250.0
ARRIVE_SECONDS = 3.0
# In each window: when a reading was heard, and when figures of the race changed; Unix milliseconds.
WATCH = """async (race_id) => {
    const script = document.querySelector("script[type=module][src*='/race.js']").src;
    const { follow } = await import(script.replace("race.js", "stream.js"));
    window.heard = [];
    window.changed = [];
    const now = () => performance.timeOrigin + performance.now();
    follow(`race_id=${race_id}&topics=flow`, (kind, data) => kind === "flow" && heard.push([data.timestamp, now()]));
    const observer = new MutationObserver(() => changed.push(now()));
    for (const id of ["runners", "pools", "timeline-table", "drawn"])
        observer.observe(document.getElementById(id), { subtree: true, childList: true, characterData: true });
}"""


Told = tuple[list[tuple[float, float]], list[float]]  # what WATCH collects


class Seen(Struct, frozen=True):
    """Milliseconds of one poll: commit → logged for the streams → heard by the page → its figures changed."""

    logged: float
    heard: float
    changed: float

    @property
    def whole(self) -> float:
        return self.logged + self.heard + self.changed


def measure(rounds: int | None) -> list[Figure]:
    """Poll five races at once, so many times and at most ROUNDS, and follow each poll to the screen."""
    counted = min(rounds or ROUNDS, ROUNDS)
    found: list[Figure] = []
    with TemporaryDirectory(prefix="raceday-bench-") as folder, ProcessTree() as tree:
        simulation = past_racing()
        corridor.start_feed(tree, "--first-start", simulation.first_start.isoformat())
        busy = (race.race_id for race in open_races(simulation) if is_busy(race, simulation.world, counted + 2))
        with corridor.cluster(tree, Path(folder)) as log, served() as address:
            scenario = corridor.Scenario(RACES, 0, counted)
            for windows in WINDOWS:
                chosen = list(islice(busy, RACES))
                asyncio.run(corridor.poll_rounds(scenario, chosen, 1, log))  # so that pages have something to show
                polls, told, logged = asyncio.run(_look(address, chosen, windows, scenario, log))
                found += _figures(windows, polls, told, logged)
    return found


def _figures(
    windows: int, polls: Sequence[corridor.Poll], told: dict[str, Told], logged: dict[str, list[float]]
) -> list[Figure]:
    changed = [poll for poll in polls if poll.race_id in told and poll.outcome == "changed" and poll.published]
    seen = [each for poll in changed if (each := follow(poll, told[poll.race_id], logged[poll.race_id]))]
    lost = sum(len(heard) < sum(poll.race_id == race_id for poll in changed) for race_id, (heard, _) in told.items())
    if not seen:
        raise BenchmarkError("no poll reached the screen.")
    parts = {
        "logged": "commit → told to the streams",
        "heard": "→ heard by the page",
        "changed": "→ its figures have changed",
    }
    slowest = percentile([each.whole for each in seen], 0.99)
    name = f"board.commit_to_screen.{windows}_windows" if windows > 1 else "board.commit_to_screen.1_window"
    mark = {"at_most": MARK_MS} if windows == 1 else {}
    what = f"commit → figures changed in Chromium, {RACES} races at once, {windows} in sight, {len(seen)} polls"
    return [
        Figure(name=f"{name}.p99", what=what, figure=slowest, unit="ms", **mark),
        Figure(
            name=f"{name}.lost",
            what="windows that missed a reading",
            figure=lost,
            unit="windows",
            at_most=0.0,
        ),
        Figure(name=f"{name}.p50", what="the same", figure=median(s.whole for s in seen), unit="ms"),
        *(
            Figure(
                name=f"{name}.{part}",
                what=f"of which {words}, p50",
                figure=median(getattr(each, part) for each in seen),
                unit="ms",
            )
            for part, words in parts.items()
        ),
    ]


async def _look(
    address: str, race_ids: Sequence[str], windows: int, scenario: corridor.Scenario, log: Any
) -> tuple[list[corridor.Poll], dict[str, Told], dict[str, list[float]]]:
    """Open windows of the first races and poll all; return the polls, what windows noted, and readings as logged."""
    from playwright.async_api import async_playwright  # noqa: PLC0415 - developers have it, a product does not

    async with async_playwright() as steering:
        browser = await steering.chromium.launch(executable_path=chromium_to_measure())
        opened = {race_id: await _window(browser, address, race_id) for race_id in race_ids[:windows]}
        rounds = await corridor.poll_rounds(scenario, race_ids, scenario.rounds, log)
        await asyncio.sleep(ARRIVE_SECONDS)
        told = {race_id: await page.evaluate("[heard, changed]") for race_id, page in opened.items()}
        await browser.close()
    return list(chain(*rounds)), told, await asyncio.to_thread(corridor.logged, events.FLOW)


async def _window(browser: "Browser", address: str, race_id: str) -> "Page":
    """Open a window of its own: tabs that are not in front are painted only now and then."""
    page = await browser.new_page(base_url=address)
    await page.goto(f"/races/{race_id}")
    await page.wait_for_selector("#stream.live")
    await page.evaluate(WATCH, race_id)
    return page


def follow(poll: corridor.Poll, told: Told, logged: list[float]) -> Seen | None:
    """Follow a changed poll; None if it was not heard, or if no figure on the page is another one by it."""
    assert poll.published is not None
    committed = poll.published * 1000 - poll.publish_ms
    at_log = next((at for at in logged if at >= committed - 1), None)
    heard = [at for _, at in told[0] if at >= committed]
    if at_log is None or not heard:
        return None
    until = heard[1] if len(heard) > 1 else inf
    on_screen = next((at for at in told[1] if heard[0] <= at < until), None)
    if on_screen is None:
        return None
    return Seen(logged=max(0.0, at_log - committed), heard=heard[0] - at_log, changed=on_screen - heard[0])
