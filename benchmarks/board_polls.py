"""From the commit of a poll to the screen: five races polled at once, one real browser with a tab for each."""

import asyncio
from collections.abc import Sequence
from itertools import chain, islice
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
from raceday import valkey
from raceday.published import events
from raceday.run.process import ProcessTree

if TYPE_CHECKING:
    from playwright.async_api import Page

RACES, ROUNDS = 5, 40
MARK_MS = 250
ARRIVE_SECONDS = 1.0
# In each tab: when a reading was heard, and when cells of the table of runners changed; Unix milliseconds.
WATCH = """async (race_id) => {
    const script = document.querySelector("script[type=module][src*='/race.js']").src;
    const { follow } = await import(script.replace("race.js", "stream.js"));
    window.heard = [];
    window.changed = [];
    const now = () => performance.timeOrigin + performance.now();
    follow(`race_id=${race_id}&topics=flow`, (kind, data) => kind === "flow" && heard.push([data.timestamp, now()]));
    const cells = { subtree: true, childList: true, characterData: true };
    new MutationObserver(() => changed.push(now())).observe(document.getElementById("runners"), cells);
}"""


class Seen(Struct, frozen=True):
    """Milliseconds of one poll: commit → logged for the streams → heard by the page → its table changed."""

    logged: float
    heard: float
    changed: float

    @property
    def whole(self) -> float:
        return self.logged + self.heard + self.changed


def measure(rounds: int | None) -> list[Figure]:
    """Poll five races at once, so many times, and follow each poll to the screen."""
    counted = rounds or ROUNDS
    with TemporaryDirectory(prefix="raceday-bench-") as folder, ProcessTree() as tree:
        simulation = past_racing()
        corridor.start_feed(tree, simulation.first_start)
        busy = (race.race_id for race in open_races(simulation) if is_busy(race, simulation.world, counted + 2))
        chosen = list(islice(busy, RACES))
        with corridor.cluster(tree, Path(folder)) as log, served() as address:
            scenario = corridor.Scenario(RACES, 0, counted)
            asyncio.run(corridor.poll_rounds(scenario, chosen, 1, log))  # so that pages have something to show
            seen = asyncio.run(_look(address, chosen, scenario, log))
    return _figures(seen)


def _figures(seen: Sequence[Seen]) -> list[Figure]:
    if not seen:
        raise BenchmarkError("no poll reached the screen.")
    parts = {
        "logged": "commit → told to the streams",
        "heard": "→ heard by the page",
        "changed": "→ its table has changed",
    }
    slowest = percentile([each.whole for each in seen], 0.99)
    what = f"commit → table changed in Chromium, {RACES} races at once in {RACES} tabs, {len(seen)} polls"
    return [
        Figure(name="board.commit_to_screen.p99", what=what, figure=slowest, unit="ms", at_most=MARK_MS),
        Figure(name="board.commit_to_screen.p50", what="the same", figure=median(s.whole for s in seen), unit="ms"),
        *(
            Figure(
                name=f"board.commit_to_screen.{name}",
                what=f"of which {words}, p50",
                figure=median(getattr(each, name) for each in seen),
                unit="ms",
            )
            for name, words in parts.items()
        ),
    ]


async def _look(address: str, race_ids: Sequence[str], scenario: corridor.Scenario, log: Any) -> list[Seen]:
    from playwright.async_api import async_playwright  # noqa: PLC0415 - developers have it, a product does not

    async with async_playwright() as steering:
        browser = await steering.chromium.launch(executable_path=chromium_to_measure())
        context = await browser.new_context(base_url=address)
        tabs = {race_id: await _tab(await context.new_page(), race_id) for race_id in race_ids}
        rounds = await corridor.poll_rounds(scenario, race_ids, scenario.rounds, log)
        await asyncio.sleep(ARRIVE_SECONDS)
        told = {race_id: await tab.evaluate("[heard, changed]") for race_id, tab in tabs.items()}
        await browser.close()
    logged = await asyncio.to_thread(_logged)
    found = (follow(poll, told[poll.race_id], logged[poll.race_id]) for poll in chain(*rounds))
    return [each for each in found if each]


async def _tab(page: "Page", race_id: str) -> "Page":
    await page.goto(f"/races/{race_id}")
    await page.wait_for_selector("#stream.live")
    await page.evaluate(WATCH, race_id)
    return page


def _logged() -> dict[str, list[float]]:
    """Return when the readings of each race were logged, by Valkey's clock, in Unix milliseconds."""
    found: dict[str, list[float]] = {}
    entries: Any = valkey.client().xrange(valkey.key(events.LOG))
    for entry_id, fields in entries:
        if fields[b"kind"] == events.FLOW.encode():
            found.setdefault(fields[b"race"].decode(), []).append(float(entry_id.split(b"-")[0]))
    return found


Told = tuple[list[tuple[float, float]], list[float]]  # what WATCH collects


def follow(poll: corridor.Poll, told: Told, logged: list[float]) -> Seen | None:
    """Follow a changed poll; None for one that changed nothing. Nothing on its way to the screen is BenchmarkError."""
    if poll.outcome != "changed" or poll.published is None:
        return None
    committed = poll.published * 1000 - poll.publish_ms
    at_log = next((at for at in logged if at >= committed - 1), None)
    at_page = next((at for _, at in told[0] if at >= committed), None)
    on_screen = next((at for at in told[1] if at_page and at >= at_page), None)
    if at_log is None or at_page is None or on_screen is None:
        raise BenchmarkError("a poll did not reach the screen.")
    return Seen(logged=max(0.0, at_log - committed), heard=at_page - at_log, changed=on_screen - at_page)
