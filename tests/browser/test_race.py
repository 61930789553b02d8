"""The page of a race in a browser: its figures against the server's, its keys, what it remembers, what it tells."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Page, expect

from board.money import amounts_of, timeline_of
from board.state import state_of
from board.templatetags import board, race
from tests.support.browser import ask, in_one_page, open_race
from tests.support.streams import eventually

START = datetime(2026, 11, 21, 2, 30, tzinfo=UTC)
NAMES = "abc"
FIGURES = """async ([entrants, history, alerts, startMs]) => {
    const { amountsOf, timelineOf } = await import("/static/board/money.js");
    const runners = amountsOf(entrants, history, alerts);
    const { slots, rows } = timelineOf(entrants, history, startMs);
    for (const runner of runners) delete runner.spark;
    return [runners, slots, rows.map(({ cells }) => cells)];
}"""
WORDS = """async (numbers) => {
    const { dollars, odds, percent, signedDollars } = await import("/static/board/words.js");
    return numbers.map(([cents, price]) => [dollars(cents), signedDollars(cents), percent(price), odds(price)]);
}"""
# The texts of the parts that events change: as this page has them, and as the server's newest page has them.
SHOWN = """async () => {
    const parts = "#runners [data-cell], #pools dd, #quality, #late-money > *, #timeline-table th, #timeline-table td";
    const read = (root) => [...root.querySelectorAll(parts)].map((part) => part.textContent.trim());
    const answer = await fetch(location.pathname, { headers: { Accept: "text/html" } });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const { stateOf } = await import("/static/board/state.js");
    const { history } = stateOf(fresh);
    return [read(document), read(fresh), history.timestamps.at(-1)];
}"""
SPARK = """async (columns) => {
    const { sparkOf } = await import("/static/board/money.js");
    return columns.map(([times, column]) => sparkOf(times, column));
}"""
STATE = """async (written) => {
    const { stateOf } = await import("/static/board/state.js");
    document.documentElement.innerHTML = "<script type='application/json' id='state'></script>";
    document.getElementById("state").textContent = written;
    return stateOf(document);
}"""
NEWS = """async ([body, alert]) => {
    for (let timer = 0; timer < 10_000; timer++) clearInterval(timer); // what the page does by itself needs its parts
    document.body.innerHTML = '<div id="late-money"></div>';
    const { showAlerts } = await import("/static/board/alerts.js");
    const box = document.getElementById("late-money");
    showAlerts(body);
    const before = box.textContent;
    showAlerts({ ...body, alerts: [alert] });
    return [before, box.textContent, box.firstChild.role];
}"""


@pytest.fixture
def race_page(page: Page, base_url: str) -> Page:
    page.goto(f"/races/{open_race(base_url, after_seconds=30)}")  # a busy machine needs half of them for the page
    expect(page.locator("#stream")).to_have_text("live")
    return page


# ── The figures ──
@st.composite
def fields(draw: st.DrawFn) -> tuple[list[dict[str, Any]], dict[str, Any], list[dict[str, Any]]]:
    """A few runners with readings over an hour or some seconds, and alerts on some of them."""
    gaps = draw(st.lists(st.sampled_from([4, 12, 15, 16, 30, 60, 300]), max_size=12))
    until = draw(st.integers(-400, 4000))
    times = [round(1000 * START.timestamp()) - 1000 * (until + sum(gaps[place:])) for place in range(len(gaps))]
    cents = st.none() | st.integers(0, 10_000)
    prices = st.none() | st.sampled_from([1.5, 2.1, 2.4, 8.0, 21.0])

    def column(values: Any) -> Any:
        return draw(st.lists(values, min_size=len(times), max_size=len(times)))

    history = {
        "timestamps": times,
        "resets": draw(st.lists(st.sampled_from(times), max_size=1)) if times else [],
        "entrants": [
            {"entrant_id": name, "win_pool_amount": column(cents), "fixed_win_odds": column(prices)} for name in NAMES
        ],
    }
    entrants = [
        {"entrant_id": name, "is_scratched": draw(st.booleans()), "fixed_win_odds": draw(prices)} for name in NAMES
    ]
    alerts = draw(
        st.lists(st.fixed_dictionaries({"entrant_id": st.sampled_from("abc"), "severity": st.integers(1, 3)}))
    )
    return entrants, history, alerts


@given(field=fields())
@in_one_page
def test_the_browser_reckons_as_the_server_does(blank: Page, field: tuple[Any, Any, Any]) -> None:
    entrants, history, alerts = field
    runners = amounts_of(entrants, history, alerts)
    timeline = timeline_of(runners, history, START)
    rows = [[asdict(cell) for cell in cells] for _, cells in timeline.rows]
    made = blank.evaluate(FIGURES, [entrants, history, alerts, round(1000 * START.timestamp())])
    assert made == [[asdict(runner) for runner in runners], [float(slot) for slot in timeline.slots], rows]


def test_the_small_line_spans_a_quarter_of_an_hour_and_needs_two_points(blank: Page) -> None:
    minute = 60_000
    old = [[0, 20 * minute, 25 * minute, 30 * minute], [9.0, 1.0, None, 3.0]]
    assert blank.evaluate(SPARK, [old, [[0], [1.0]], [[0, minute], [5.0, 5.0]]]) == [
        *("1.0,18.0 69.0,2.0", "", "1.0,18.0 69.0,18.0"),
    ]


@given(field=fields())
@in_one_page
def test_the_browser_reads_the_state_that_a_page_brings(blank: Page, field: tuple[Any, Any, Any]) -> None:
    entrants, history, alerts = field
    live = {"entrants": entrants, "alerts": alerts}
    written = state_of(live, history, ["win_pool_amount", "fixed_win_odds"])
    assert blank.evaluate(STATE, written) == {"live": live, "history": history}


NUMBERS = st.lists(
    st.tuples(st.none() | st.integers(-2_000_000, 2_000_000), st.none() | st.floats(0, 5000, allow_subnormal=False)),
    min_size=20,
)


@given(numbers=NUMBERS)
@in_one_page
def test_the_browser_writes_figures_as_the_server_does(blank: Page, numbers: Sequence[tuple[Any, Any]]) -> None:
    written = [
        [board.dollars(cents), race.signed(cents), board.percent(price), board.odds(price)] for cents, price in numbers
    ]
    assert blank.evaluate(WORDS, numbers) == written


def test_exact_halves_are_rounded_alike(blank: Page) -> None:
    numbers = list(zip([50, 150, 250, -50, -150, 30], [0.25, 12.25, 12.75, 0.35, 3, 0], strict=True))
    written = [[board.dollars(cents), race.signed(cents), board.percent(share)] for cents, share in numbers]
    assert [words[:3] for words in blank.evaluate(WORDS, numbers)] == written


def test_events_bring_the_page_to_what_the_server_shows(race_page: Page) -> None:
    *_, first = race_page.evaluate(SHOWN)
    for _ in range(120):  # the race closes meanwhile, and before that it is polled often
        race_page.wait_for_timeout(500)
        here, there, newest = race_page.evaluate(SHOWN)
        if newest > first and here == there:
            return
    assert here == there
    pytest.fail(f"no reading came since {first}; the clock: {race_page.locator('.clock').inner_text()}")


def test_a_page_that_cannot_fetch_what_it_missed_says_so(race_page: Page, complaints: list[str]) -> None:
    race_page.route("**/races/*", lambda route: route.abort())
    race_page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # it looks for what it has missed
    expect(race_page.locator("#warning")).to_have_text("STALE: newer figures could not be fetched.")
    race_page.unroute("**/races/*")
    expect(race_page.locator("#warning")).to_be_hidden()
    complaints.clear()  # of what was not fetched


def test_a_new_alert_is_told_in_a_sentence(blank: Page) -> None:
    alert = {
        **{"entrant_id": "a", "name": "Kowhai Lad", "runner_number": 7, "severity": 2, "raised_at": "2026-11-21"},
        **{"seen_cents": 42_000, "expected_cents": 6000, "window_seconds": 15, "one_in_races": 913.2},
        **{"share_before_percentage": 9.8, "share_after_percentage": 15.2, "tote_odds_before": 8.5},
        **{"tote_odds_after": 5.5, "fixed_odds_before": 7, "fixed_odds_after": None, "seconds_since_start": 7},
        "record": {"settled": 96, "won": 13, "expected": 11.2},
    }
    blank.goto("/late-money")
    body: dict[str, Any] = {"alerts": [], "silent_because": None}
    before, after, role = blank.evaluate(NEWS, [body, alert])
    assert before == ""  # what a page brings, it has told
    assert after == (
        "▲ 7 Kowhai Lad +$420 in 15 s, expected $60, 1 in 910 races share 9.8 % → 15.2 %, tote 8.50 → 5.50, fixed"
        " 7.00 → – · 7 s after the advertised start such alerts won 13 of 96, 11.2 expected"
    )
    assert role == "alert"


# ── Keys and what is remembered ──
def test_keys_choose_the_timeline_and_the_choice_stays(race_page: Page) -> None:
    for key, name in {"p": "Place money", "o": "Fixed odds"}.items():
        race_page.keyboard.press(key)
        expect(race_page.locator("#timeline-name")).to_have_text(name)
    race_page.reload()
    expect(race_page.locator("#timeline-name")).to_have_text("Fixed odds")


def test_s_sorts_and_rows_stay_in_the_order_that_was_asked(race_page: Page) -> None:
    shares = """() => {
        for (let order = 0; order < 3; order += 1) document.getElementById("sort").click();
        const cells = document.querySelectorAll("#runners tbody [data-cell=share]");
        return [...cells].map((cell) => parseFloat(cell.textContent) || -1);
    }"""

    def are_sorted() -> bool:  # a reading that came since may not be written yet
        found: list[float] = race_page.evaluate(shares)
        return found == sorted(found, reverse=True)

    race_page.locator("#runners tbody").hover()  # no row moves by itself from now on
    race_page.keyboard.press("s")
    expect(race_page.locator("#sort")).to_have_text("by share")
    eventually(are_sorted)
    expect(race_page.locator("#sort")).to_have_text("by share")


def test_space_pauses_the_figures_and_not_the_clock(race_page: Page) -> None:
    race_page.keyboard.press(" ")
    expect(race_page.locator("#pause")).to_contain_text("Paused: figures of")
    figures = race_page.locator("#runners tbody").inner_text()
    clock = race_page.locator(".clock .countdown").inner_text()
    expect(race_page.locator(".clock .countdown")).not_to_have_text(clock)
    race_page.wait_for_timeout(3000)
    assert race_page.locator("#runners tbody").inner_text() == figures
    race_page.keyboard.press(" ")
    expect(race_page.locator("#pause")).to_have_text("Pause")


def test_the_list_of_keys_turns_them_all_off_on_every_page(race_page: Page) -> None:
    address = race_page.url
    race_page.keyboard.press("?")
    dialog = race_page.get_by_role("dialog", name="Keys")
    expect(dialog).to_contain_text("timeline: Place")
    dialog.get_by_label("turn all keys off").check()
    dialog.get_by_role("button", name="Close").click()
    race_page.keyboard.press("p")
    expect(race_page.locator("#timeline-name")).to_have_text("Win money")
    race_page.goto("/late-money")
    race_page.keyboard.press("m")
    expect(race_page.locator("#sound")).to_have_text("off")
    race_page.goto(address)
    race_page.get_by_role("button", name="Keys").click()
    dialog.get_by_label("turn all keys off").uncheck()
    dialog.get_by_role("button", name="Close").click()
    race_page.keyboard.press("p")
    expect(race_page.locator("#timeline-name")).to_have_text("Place money")
    race_page.goto("/late-money")
    race_page.keyboard.press("m")
    expect(race_page.locator("#sound")).not_to_have_text("off")


def test_a_watched_race_has_a_chip_and_a_key(race_page: Page, base_url: str) -> None:
    address = race_page.url
    race_page.get_by_role("button", name="Watch").click()
    race_page.goto(f"/races/{open_race(base_url, after_seconds=90)}")
    chip = race_page.locator("#watched a")
    expect(chip.locator(".status")).to_contain_text("·")  # its code and status, which the stream told
    race_page.keyboard.press("1")
    expect(race_page).to_have_url(address)
    race_page.get_by_role("button", name="Watched").click()
    expect(race_page.locator("#watched a")).to_have_count(0)


def test_sound_is_off_until_the_user_turns_it_on_and_stays_off_without_a_gesture(race_page: Page) -> None:
    expect(race_page.locator("#sound")).to_have_text("Sound off")
    race_page.locator("#sound").click()
    expect(race_page.locator("#sound")).to_have_text("Sound on")
    race_page.reload()
    expect(race_page.locator("#sound")).to_contain_text("blocked")
    race_page.locator("#sound").click()
    expect(race_page.locator("#sound")).to_have_text("Sound on")


# ── The user's colours ──
def test_colours_are_edited_stored_and_shown(race_page: Page, base_url: str, complaints: list[str]) -> None:
    race_page.get_by_role("button", name="My colours").click()
    dialog = race_page.get_by_role("dialog", name="My colours")
    dialog.get_by_label("User").fill("Kim")
    first = dialog.get_by_role("group", name="Range 1")
    first.get_by_label("from").fill("60")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("percentage_range_max")  # 60 is not below 10
    complaints.clear()  # of the 400
    first.get_by_label("from").fill("0")
    first.get_by_label("colour").fill("#123456")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    stored = ask(base_url, "/api/user-alert-configs", user_id="Kim")["indicators"][0]
    assert (stored["percentage_range_min"], stored["color"]) == (0, "#123456")
    expect(race_page.locator("#timeline-table [data-colour='#123456']").first).to_be_visible()


@pytest.mark.parametrize("pool_type", ["win", "odds"])
def test_the_colours_are_those_that_the_api_tells(pool_type: str, page: Page, base_url: str) -> None:
    race_id = ask(base_url, "/api/races/upcoming", limit=100, lookback_minutes=120)["races"][0]["race_id"]
    page.goto(f"/races/{race_id}")
    page.locator("#timeline-views").get_by_role("button", name={"win": "Win", "odds": "Odds"}[pool_type]).click()
    script = """() => {
        const table = document.querySelector("#timeline-table table");
        const slots = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
        const coloured = [...table.querySelectorAll("td[data-colour^='#']")];
        return [slots, coloured.map((cell) => [slots[cell.cellIndex], cell.dataset.colour])];
    }"""
    running = {
        each["entrant_id"]
        for each in ask(base_url, f"/api/races/{race_id}/live")["entrants"]
        if not each["is_scratched"]
    }

    def is_as_told() -> bool:  # a reading may come between the two
        slots, coloured = page.evaluate(script)
        told = ask(base_url, "/api/late-money/indicators", race_id=race_id, pool_type=pool_type)["columns"]
        wanted = [
            (board.slot(column["time_interval"]), each["color"])
            for column in told
            for each in column["entrants"]
            if each["entrant_id"] in running
        ]
        past = slots[1:-2]  # the newest slot may have more by now
        here, there = ([tuple(each) for each in cells if each[0] in past] for cells in (coloured, wanted))
        return sorted(here) == sorted(there)

    eventually(is_as_told)
