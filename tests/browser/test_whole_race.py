"""A race from Open to Final: what its page shows is what the API says, without loading the page again."""

from itertools import groupby
from typing import Any

from playwright.sync_api import Page, expect

from board.templatetags.board import dollars, odds, percent
from tests.support.browser import ask, open_race
from tests.support.streams import eventually

INSTANTS = 10  # at least
PAUSE_MS = 300
POOLS = (*(f"{name}_pool_total" for name in ("win", "place", "quinella", "trifecta", "first4")), "total_race_pool")
SHOWN = """() => {
    const text = (row) => (name) => row.querySelector(`[data-cell=${name}]`).textContent;
    const rows = [...document.querySelectorAll("#runners tbody tr")], names = ["fixed", "tote", "cents", "share"];
    const totals = [...document.querySelectorAll("[data-pool]")];
    return {
        status: document.getElementById("status").textContent,
        runners: Object.fromEntries(rows.map((row) => [row.dataset.id, names.map(text(row))])),
        pools: Object.fromEntries(totals.map(({ dataset, textContent }) => [dataset.pool, textContent])),
    };
}"""


def told(base_url: str, race_id: str) -> dict[str, Any]:
    """Return what the API says of a race, as the page would write it."""
    live = ask(base_url, f"/api/races/{race_id}/live")
    columns = ask(base_url, f"/api/races/{race_id}/history", pool_type="win")["entrants"]
    money = {each["entrant_id"]: (each["win_pool_amount"], each["win_pool_percentage"]) for each in columns}
    runners = {}
    for entrant in live["entrants"]:
        amounts, shares = money.get(entrant["entrant_id"], ([None], [None]))
        prices = odds(entrant["fixed_win_odds"]), odds(entrant["pool_win_odds"])
        runners[entrant["entrant_id"]] = [*prices, dollars(amounts[-1]), percent(shares[-1])]
    pools = {name: dollars((live["pools"] or {}).get(name)) for name in POOLS}
    return {"status": live["race"]["status"].upper(), "runners": runners, "pools": pools}


def test_a_race_is_shown_as_the_api_tells_it_from_open_to_final(page: Page, base_url: str) -> None:
    race_id = open_race(base_url, after_seconds=6)
    page.goto(f"/races/{race_id}")
    page.evaluate("window.isTheSamePage = true")
    seen: list[Any] = []
    while len(seen) < INSTANTS or seen[-1]["status"] != "FINAL":
        seen.append(agreed(page, base_url, race_id))
        page.wait_for_timeout(PAUSE_MS)
    assert len({str(each["runners"]) for each in seen}) > INSTANTS / 3  # it moved
    statuses = [status for status, _ in groupby(each["status"] for each in seen)]
    assert (statuses[0], statuses[-1]) == ("OPEN", "FINAL")
    winner = ask(base_url, "/api/race-results", race_id=race_id)["results_data"][0]
    expect(page.locator("#result")).to_contain_text(f"1. {winner['runner_number']} {winner['name']}")
    assert page.evaluate("window.isTheSamePage")


def agreed(page: Page, base_url: str, race_id: str) -> Any:
    """Wait until the page shows what the API says at the same time, and return it."""
    found: list[Any] = []

    def is_shown() -> bool:
        said = told(base_url, race_id)
        found.append(page.evaluate(SHOWN))
        return bool(found[-1] == said)

    eventually(is_shown)
    return found[-1]
