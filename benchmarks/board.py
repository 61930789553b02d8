"""Pages in a real browser: bytes and time of a first view, work for an event, frames, memory, commit to screen."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks import board_polls, stream
from benchmarks.board_race import KINDS, Played, make_race, served
from benchmarks.browser import browser, chromium_to_measure, metrics, page_of, spans_ms
from benchmarks.client_day import demo
from benchmarks.figures import Figure

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FIELD, FIELD_READINGS, FIELD_SECONDS = 16, 120, 15  # half an hour of the feed's refreshes
LARGE, LARGE_READINGS, LARGE_SECONDS = 24, 1000, 0.85  # all within the quarter of an hour that a page has in full
VIEWS, POLLS, BOARD_SECONDS = 9, 40, 30
EVENT_SECONDS = 0.1  # each event has frames of its own
MEMORY_SPEED, MEMORY_SECONDS = 50, 60
MEMORY_CADENCES = {f"CADENCE_{name}_SECONDS": "300" for name in ("FAR", "NEAR", "SOON")}
MEMORY_CADENCES |= {"CADENCE_CLOSING_SECONDS": "30", "CADENCE_SETTLING_SECONDS": "60"}
SIZE_MARK_KB, USABLE_MARK_MS, EVENT_MARK_MS, FRAME_MARK_MS = 60, 300, 4, 16
GROWTH_MARK_PERCENT = 10
SCRIPT = ("FunctionCall", "RunMicrotasks", "EvaluateScript")
# The page is usable in the first frame after its script has taken it over.
NOTE_WHEN_USABLE = """
new MutationObserver((_, observer) => {
    if (!document.body?.classList.contains("scripted")) return;
    observer.disconnect();
    requestAnimationFrame(() => performance.mark("usable"));
}).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["class"] });
"""
USABLE_MS = """() => {
    const [view] = performance.getEntriesByType("navigation"), [usable] = performance.getEntriesByName("usable");
    const painted = performance.getEntriesByName("first-contentful-paint")[0];
    return usable && painted ? Math.max(usable.startTime, painted.startTime) - view.responseEnd : null;
}"""


def measure(rounds: int | None) -> list[Figure]:
    """Measure the page of a race; `rounds` takes fewer views and polls, and shortens the day to seconds."""
    chromium_to_measure()
    field = make_race(runners=FIELD, readings=FIELD_READINGS, seconds=FIELD_SECONDS)
    large = make_race(runners=LARGE, readings=LARGE_READINGS, seconds=LARGE_SECONDS)
    with served() as address, browser() as found:
        figures = [
            *_first_view(found, address, field, min(rounds or VIEWS, VIEWS)),
            _scripting(found, address, field, rounds or POLLS),
            *_frames(found, address, large, rounds or POLLS),
        ]
    figures += _memory(rounds * 10 if rounds else MEMORY_SECONDS)
    return [*figures, stream.measure_boards(rounds or BOARD_SECONDS), *board_polls.measure(rounds)]


def _figure(name: str, what: str, figure: float, unit: str, **mark: Any) -> Figure:
    return Figure(name=f"board.{name}", what=what, figure=figure, unit=unit, **mark)


@contextmanager
def _opened(found: "Browser", address: str, race: Played) -> Iterator["Page"]:
    page = page_of(found, address, NOTE_WHEN_USABLE)
    page.goto(f"/races/{race.race_id}")
    page.wait_for_function(USABLE_MS)
    page.wait_for_selector("#stream.live")
    yield page
    page.context.close()


# ── The first view ──────────────────────────────────────────────────────────────────────────────


def _first_view(found: "Browser", address: str, race: Played, views: int) -> list[Figure]:
    """Open a race as one who was never here."""
    took_ms: list[float] = []
    for _ in range(views + 1):  # the first makes the body
        page = page_of(found, address, NOTE_WHEN_USABLE)
        bodies, heads, fonts = _count(page)
        page.goto(f"/races/{race.race_id}")
        took_ms.append(page.wait_for_function(USABLE_MS).json_value())
        page.wait_for_selector("#stream.live")
        page.context.close()
    what = f"of a race of {FIELD} runners and {FIELD_READINGS} readings"
    usable = f"body received → painted and live, median of {views}"
    return [
        _figure("bytes", f"a first view {what}, compressed", sum(bodies) / 1000, "kB", at_most=SIZE_MARK_KB),
        _figure("bytes_most", "of which the largest, mostly the page itself", max(bodies) / 1000, "kB"),
        _figure("bytes_heads", "beside them the heads of answers", sum(heads) / 1000, "kB"),
        _figure("requests", "the same", len(bodies), "requests"),
        _figure("fonts", "the same", len(fonts), "fonts", at_most=0.0),
        _figure("usable", usable, median(took_ms[1:]), "ms", at_most_paced=USABLE_MARK_MS),
        _figure("usable_max", "the slowest of them", max(took_ms[1:]), "ms"),
    ]


def _count(page: "Page") -> tuple[list[float], list[float], list[str]]:
    """Return lists that fill while a page loads: bytes of each body and each head on the wire, and fonts."""
    heads: dict[str, float] = {}
    bodies: list[float] = []
    sizes: list[float] = []
    fonts: list[str] = []

    def finish(told: Any) -> None:
        sizes.append(heads.get(told["requestId"], 0.0))
        bodies.append(told["encodedDataLength"] - sizes[-1])

    session = page.context.new_cdp_session(page)
    session.on(
        "Network.responseReceived",
        lambda told: heads.update({told["requestId"]: told["response"]["encodedDataLength"]}),
    )
    session.on("Network.loadingFinished", finish)
    page.on("request", lambda asked: fonts.append(asked.url) if asked.resource_type == "font" else None)
    session.send("Network.enable")
    return bodies, sizes, fonts


# ── Work for an event ───────────────────────────────────────────────────────────────────────────


def _scripting(found: "Browser", address: str, race: Played, polls: int) -> Figure:
    trace = _traced(found, address, race, polls)
    spent_ms = sum(cpu for _, cpu in spans_ms(trace, *SCRIPT))
    what = f"CPU of scripts for an event, of {polls * len(KINDS)}, {FIELD} runners; ticks of the clock included"
    return _figure("scripting", what, spent_ms / polls / len(KINDS), "ms", at_most_paced=EVENT_MARK_MS)


def _frames(found: "Browser", address: str, race: Played, polls: int) -> list[Figure]:
    tasks = spans_ms(_traced(found, address, race, polls), "RunTask")
    what = f"longest task of the page's thread, {LARGE} runners × {LARGE_READINGS} points, {polls * len(KINDS)} events"
    cpu_ms, wall_ms = max(cpu for _, cpu in tasks), max(wall for wall, _ in tasks)
    return [
        _figure("frame", f"{what}: CPU", cpu_ms, "ms", at_most_paced=FRAME_MARK_MS),
        _figure("frame_wall", "the same by the clock, with waiting for a core", wall_ms, "ms"),
    ]


def _traced(found: "Browser", address: str, race: Played, polls: int) -> bytes:
    with _opened(found, address, race) as page:
        _play(page, race, 2)  # what was never drawn before is compiled
        found.start_tracing(page=page, categories=["devtools.timeline", "disabled-by-default-devtools.timeline"])
        _play(page, race, polls)
        return found.stop_tracing()


def _play(page: "Page", race: Played, polls: int) -> None:
    for _ in range(polls):
        for kind in KINDS:
            race.tell(kind)
            page.wait_for_timeout(EVENT_SECONDS * 1000)


# ── A long day ──────────────────────────────────────────────────────────────────────────────────


def _memory(seconds: int) -> list[Figure]:
    """Leave Today open in a demo at speed 50 and weigh it twice, each time after what is garbage has gone."""
    with demo(MEMORY_SPEED, **MEMORY_CADENCES) as (port, _), browser() as found:
        page = page_of(found, f"http://127.0.0.1:{port}")
        page.goto("/")
        page.wait_for_selector("#stream.live")
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        until = time.monotonic() + seconds
        page.wait_for_timeout(seconds * 1000 / 4)
        early = _weigh(session)
        page.wait_for_timeout(max(0.0, until - time.monotonic()) * 1000)
        late = _weigh(session)
    hours = seconds * MEMORY_SPEED / 3600
    what = f"growth of Today's memory over the last three quarters of {hours:.1f} h at speed {MEMORY_SPEED}"
    names = {"heap": "JSHeapUsedSize", "nodes": "Nodes", "listeners": "JSEventListeners"}
    return [
        _figure(f"memory.{name}", f"{what}: {name}", 100 * (late[counted] / early[counted] - 1), "%", at_most=mark)
        for (name, counted), mark in zip(names.items(), (GROWTH_MARK_PERCENT, None, None), strict=True)
    ] + [_figure("memory.size", "JavaScript heap in the end", late["JSHeapUsedSize"] / 1e6, "MB")]


def _weigh(session: Any) -> dict[str, float]:
    session.send("HeapProfiler.collectGarbage")
    return metrics(session)
