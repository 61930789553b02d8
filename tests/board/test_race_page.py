"""The page of a race as the server makes it: closing, alerts, state for the script, files that it brings."""

import hashlib
import json
import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from board.race import dividends_of, worst_of_each
from board.silks import inks_of
from board.state import state_of
from board.templatetags.race import closing
from raceday import clock
from raceday.racing_day import racing_day
from races.closing import Closing
from races.models import RaceResult
from tests.board.test_pages import shown
from tests.support.card import add_money, make_alert, make_entrant, make_meeting, make_race, own_keys  # noqa: F401

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_keys")]
UPLOT = Path("board/static/board/uplot")
# Of uPlot 1.6.32 as its authors published it.
SHA_256 = {
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "LICENSE": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
}


@pytest.fixture
def race() -> Any:
    day = racing_day(clock.now())
    made = make_race(make_meeting(date=day), start_time=clock.now() + timedelta(seconds=42), race_date_nz=day)
    for number, silks in ((1, "Royal blue, white sash"), (2, None)):
        make_entrant(made, number, silk_colours=silks, fixed_win_odds=Decimal("4.40"))
    return made


def state_in(page: str) -> Any:
    found = re.search(r'<script id="state" type="application/json">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page))


def test_the_clock_says_when_the_race_usually_closes_and_how_that_is_known(client: Client, race: Any) -> None:
    page = text_of(shown(client, "/races/r1"))
    assert "to the advertised start" in page
    assert "usually closed by +0:49, 9 of 10 by +2:18 · by published figures" in page


def test_past_the_start_the_clock_says_so(client: Client, race: Any) -> None:
    race.start_time = clock.now() - timedelta(seconds=23)
    race.save()
    page = shown(client, "/races/r1")
    assert "past the advertised start" in page
    assert re.search(r'class="countdown">\+0:2\d<', page)


def test_a_closed_race_says_when_it_closed(client: Client, race: Any) -> None:
    race.status, race.actual_start = "Closed", clock.now()
    race.save()
    page = shown(client, "/races/r1")
    assert 'id="status">CLOSED</span>' in page
    assert '<small id="clock-says">closed</small><small id="closes" hidden>' in page


def test_the_page_brings_the_state_that_its_script_goes_on_from(client: Client, race: Any) -> None:
    first, _ = race.entrants.order_by("runner_number")
    for seconds, cents in ((40, 1000), (10, 2500)):
        add_money(first, clock.now() - timedelta(seconds=seconds), cents)
    state = state_in(shown(client, "/races/r1"))
    assert state["history"]["entrants"][0]["win_pool_amount"] == [1000, 1500]
    assert "pool_win_odds" not in state["history"]["entrants"][0]
    assert state["live"]["race"]["race_id"] == "r1"
    assert state["live"]["entrants"][0]["fixed_win_odds"] == 4.4
    assert "silk_colours" not in state["live"]["entrants"][0]


def test_columns_are_written_in_steps_and_prices_in_cents() -> None:
    column = {"entrant_id": "a", "win_pool_amount": [1000, None, 990], "fixed_win_odds": [4.4, 4.4, 3.95]}
    history = {"timestamps": [1_795_271_470_000, 1_795_271_475_000, 1_795_271_480_500], "entrants": [column]}
    written = state_of({"entrants": []}, {**history, "resets": []}, ["win_pool_amount", "fixed_win_odds"])
    assert json.loads(written)["history"] == {
        "timestamps": [1_795_271_470_000, 5000, 5500],
        "resets": [],
        "entrants": [{"entrant_id": "a", "win_pool_amount": [1000, None, -10], "fixed_win_odds": [440, 0, -45]}],
    }


def test_a_name_in_the_state_ends_no_script(client: Client, race: Any) -> None:
    race.name = "</script><b>Maiden</b>"
    race.save()
    page = shown(client, "/races/r1")
    assert "</script><b>" not in page
    assert state_in(page)["live"]["race"]["name"] == race.name


def test_silks_are_drawn_from_the_feeds_words(client: Client, race: Any) -> None:
    page = shown(client, "/races/r1")
    assert page.count('class="silk"') == 1
    assert 'aria-label="Royal blue, white sash"' in page
    assert inks_of("no word of it") is None
    assert inks_of("LIME GREEN, ORANGE CAP") == ("#8bd423", "#ee7d16")


def test_each_runner_is_alerted_once_at_its_worst_and_the_newest_comes_first() -> None:
    def alert(runner: str, severity: int, raised_at: str) -> dict[str, Any]:
        return {"entrant_id": runner, "severity": severity, "raised_at": raised_at}

    alerts = [alert("a", 1, "10"), alert("b", 1, "11"), alert("a", 2, "12"), alert("b", 3, "13"), alert("c", 1, "09")]
    assert [(each["entrant_id"], each["severity"]) for each in worst_of_each(alerts)] == [("b", 3), ("a", 2), ("c", 1)]


def test_the_title_names_the_runners_with_late_money(client: Client, race: Any) -> None:
    make_alert(race.entrants.get(runner_number=2), severity=2)
    assert "<title>R1 Awapuni ▲2</title>" in shown(client, "/races/r1")


def test_a_result_stands_beside_what_was_said_of_the_race(client: Client, race: Any) -> None:
    winner = race.entrants.get(runner_number=2)
    outcome = {"won": True, "placed": True, "final_dividend": Decimal("6.10"), "final_share_percentage": Decimal(21)}
    make_alert(winner, severity=2, **outcome, final_pool_cents=3_100_000)
    placing = {"position": 1, "runner_number": 2, "name": "Horse 2", "entrant_id": winner.pk}
    dividend = {"product_name": "Pool Win", "dividend": 6.1, "status": "Final", "description": None}
    RaceResult.objects.create(
        race=race,
        results=[{**placing, "barrier": None, "margin_length": None}],
        dividends=[{**dividend, "pool_size": None, "positions": [{"runner_number": 2, "position": 1}]}],
        result_status="final",
        result_time=clock.now(),
    )
    page = text_of(shown(client, "/races/r1"))
    assert "1. 2 Horse 2" in page
    assert "Win 2$6.10" in page
    assert "won, paid 6.10, share at the end 21.0 %, +$1,000 in the Win pool after the alert" in page


def test_final_dividends_take_the_place_of_interim_ones_in_the_order_of_the_pools() -> None:
    def dividend(product: str, price: float | None, status: str, *numbers: int) -> dict[str, Any]:
        positions = [{"runner_number": number, "position": place} for place, number in enumerate(numbers, start=1)]
        return {"product_name": product, "dividend": price, "status": status, "positions": positions}

    interim = [dividend("Pool Win", 6.0, "Interim", 2), dividend("Pool Place", 0, "Interim", 5)]
    final = [
        *(dividend("Exacta", 30.0, "Final", 2, 7), dividend("Pool Place", 1.5, "Final", 7)),
        *(dividend("Pool Quinella", 20.0, "Final", 7, 2), dividend("Pool Win", 6.1, "Final", 2)),
    ]
    assert dividends_of(interim) == [("Win", "2", 6.0)]
    assert dividends_of([*interim, *final]) == [
        *(("Win", "2", 6.1), ("Place", "7", 1.5), ("Quinella", "7–2", 20.0), ("Exacta", "2–7", 30.0)),
    ]


def test_the_closing_says_which_figures_it_has() -> None:
    assert closing(Closing(half_seconds=None, most_seconds=275, is_most_of_all_codes=True)) == (
        "9 of 10 of all codes by +4:35 · by published figures"
    )
    assert closing(Closing(half_seconds=-4, most_seconds=121, races=1412)) == (
        "usually closed by −0:04, 9 of 10 by +2:01 · of 1,412 races seen here"
    )


@pytest.mark.parametrize("name", SHA_256)
def test_uplot_is_as_its_authors_published_it(name: str) -> None:
    assert hashlib.sha256((UPLOT / name).read_bytes()).hexdigest() == SHA_256[name]
