"""The pages, as they are without a script."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from board.templatetags import board
from board.urls import WELCOME
from config import urls
from raceday import clock
from raceday.published import resources, shelf
from raceday.racing_day import racing_day
from races.models import RaceResult
from tests.support.card import POLLED, make_alert, make_entrant, make_meeting, make_race, own_keys  # noqa: F401  # a fixture

urlpatterns = [*urls.urlpatterns, WELCOME]  # of the demo
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_keys")]


@pytest.fixture
def race() -> Any:
    day = racing_day(clock.now())
    meeting = make_meeting(date=day)
    made = make_race(meeting, name="Kowhai & Sons", start_time=clock.now() + timedelta(minutes=5), race_date_nz=day)
    for number in (1, 2):
        make_entrant(made, number)
    return made


def shown(client: Client, address: str) -> str:
    response = client.get(address, headers={"accept": "text/html"})
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "script-src 'self'" in response.headers["Content-Security-Policy"]
    return response.content.decode()


def test_today_shows_the_next_races_and_the_day(client: Client, race: Any) -> None:
    page = shown(client, "/")
    assert 'href="/races/r1"' in page
    assert "R1 Awapuni" in page
    assert "None so far." in page


def test_today_marks_a_race_with_late_money(client: Client, race: Any) -> None:
    make_alert(race.entrants.first(), severity=2)
    page = shown(client, "/")
    assert page.count('title="unusual late money"') == 2  # among the next races and on the card
    assert "in 1 race, about 4" in page


def test_without_races_today_says_so(client: Client) -> None:
    page = shown(client, "/")
    assert "Nothing runs now." in page
    assert "No meeting on this day." in page


def test_if_the_next_race_is_far_away_today_says_when_it_is(client: Client, race: Any) -> None:
    assert "Nothing runs now" not in shown(client, "/")
    race.start_time += timedelta(hours=2)
    race.save()
    shelf.outdate({"card": None})
    assert re.search(r"Nothing runs now: next race in <span[^>]*>−2:0[45]:\d\d</span>", shown(client, "/"))


def test_other_days_have_their_races_and_no_next_ones(client: Client, race: Any) -> None:
    today = race.race_date_nz
    tomorrow = today + timedelta(days=1)
    make_race(race.meeting, race_id="r2", race_number=2, race_date_nz=tomorrow, status="Final")
    page = shown(client, f"/?date={tomorrow}")
    assert 'href="/races/r2"' in page
    assert 'href="/races/r1"' not in page
    assert f'rel="prev" href="/?date={today}"' in page
    assert f'rel="next" href="/?date={tomorrow}"' in shown(client, "/")


@pytest.mark.parametrize(
    "query", ["date=1999-12-31", "date=2200-01-02", "date=x", "colour=red", "date=2026-11-21&date="]
)
def test_what_is_no_day_is_a_bad_request(client: Client, query: str) -> None:
    assert client.get(f"/?{query}").status_code == 400


@pytest.mark.parametrize("address", ["/", "/late-money"])
def test_all_filters_of_a_day_share_one_body(address: str) -> None:
    day = racing_day(clock.now())
    queries = ["", "code=harness", "country=NZ&code=", "severity=2&close=after", f"date={day}"]
    keys = {asked.key for query in queries if (asked := resources.find(address, query))}
    assert keys == {f"{address.rstrip('/')}?date={day}"}


def test_a_race_shows_its_runners_and_what_was_seen(client: Client, race: Any) -> None:
    make_alert(race.entrants.first(), severity=3)
    page = shown(client, "/races/r1")
    assert "Kowhai &amp; Sons" in page
    assert "Horse 2" in page
    assert 'role="alert"><b>▲ 1 Horse 1</b>' in page
    assert 'data-race="r1"' in page


def test_a_race_that_is_not_there_is_a_404(client: Client) -> None:
    assert client.get("/races/nowhere").status_code == 404


def test_a_race_that_has_not_ended_has_no_replay(client: Client, race: Any) -> None:
    answer = client.get("/races/r1/replay")
    assert answer.status_code == 404
    assert "This race has not ended." in answer.content.decode()


def test_a_race_that_has_ended_leads_to_its_replay_and_back(client: Client, race: Any) -> None:
    race.status = "Final"
    race.save()
    placing = {"position": 1, "entrant_id": "r1-e1", "runner_number": 1, "name": "Horse 1", "barrier": 1}
    result = {"results": [placing | {"margin_length": None}], "dividends": []}
    RaceResult.objects.create(race=race, **result, result_status="final", result_time=POLLED)
    assert 'href="/races/r1/replay"' in shown(client, "/races/r1")
    page = shown(client, "/races/r1/replay")
    assert "/static/board/replay.js" in page
    assert "/static/board/race.js" not in page
    assert 'href="/races/r1">The page of the race</a>' in page
    assert "data-topics" not in page


def test_late_money_and_its_record_have_pages(client: Client, race: Any) -> None:
    make_alert(race.entrants.first(), severity=1)
    assert "▲ 1 Horse 1" in shown(client, "/late-money")
    assert "about 4 a day" in shown(client, "/record")


@pytest.mark.urls(__name__)
def test_the_demo_says_what_is_invented(client: Client, race: Any, settings: Settings) -> None:
    settings.DEMO = True
    page = shown(client, "/welcome")
    assert "in this demo is invented" in page
    assert 'href="/races/r1"' in page
    assert page.count('href="/welcome"') == shown(client, "/").count('href="/welcome"') == 1


def test_outside_the_demo_there_is_no_welcome(client: Client) -> None:
    answer = client.get("/welcome")
    assert answer.status_code == 404
    assert "There is no page at this address." in answer.content.decode()
    assert "/welcome" not in shown(client, "/")


def test_an_alert_says_what_was_seen_when_and_what_came_of_it(client: Client, race: Any) -> None:
    race.actual_start = POLLED + timedelta(seconds=13)
    race.save()
    make_alert(race.entrants.first(), severity=2, won=True, final_dividend=Decimal("4.6"), final_pool_cents=3_100_000)
    page = shown(client, "/late-money")
    assert 'data-severity="1 2" data-close="before"' in page
    assert "60 s before the advertised start, 13 s before the close" in page
    assert "about 4 a day" in page
    assert "<b>Won</b>, paid 4.60" in page
    assert "$1,000 came into the Win pool after the alert" in page


def test_an_alert_after_the_close_is_marked_so(client: Client, race: Any) -> None:
    race.actual_start = POLLED - timedelta(seconds=4)
    race.save()
    make_alert(race.entrants.first())
    page = shown(client, "/late-money")
    assert 'data-close="after"' in page
    assert "4 s after the close" in page
    assert "<b>Not ended.</b>" in page


def test_a_page_is_a_stored_response_that_a_commit_outdates(client: Client, race: Any) -> None:
    assert client.get("/races/r1").headers["X-Cache"] == "MISS"
    asked = resources.find("/races/r1", "")
    assert asked
    found = shelf.lookup(asked.topic, asked.key, "br")
    assert found
    assert found.is_current
    shelf.outdate({"race:r1": None})
    assert not shelf.lookup(asked.topic, asked.key, "br").is_current  # type: ignore[union-attr]  # it is there


@pytest.mark.parametrize("name", ["page.css", "live.js", "filters.js", "replay.js", "favicon.svg"])
def test_the_pages_files_are_there(client: Client, name: str) -> None:
    assert client.get(f"/static/board/{name}").status_code == 200
    assert client.get(reverse("favicon")).headers["Location"] == "/static/board/favicon.svg"


@pytest.mark.parametrize(
    ("write", "value", "written"),
    [
        (board.dollars, 1534299, "$15,343"),
        (board.dollars, -4200, "−$42"),
        (board.dollars, -10, "$0"),
        (board.dollars, None, "–"),
        (board.percent, 9.04, "9.0 %"),
        (board.percent, None, "–"),
        (board.odds, None, "–"),
        (board.slot, 15, "15m"),
        (board.slot, -0.5, "−0.5"),
        (board.slot, 0, "0"),
        (board.indicator, 4.9, ""),
        (board.indicator, None, ""),
        (board.indicator, 12.0, "rise-10"),
        (board.indicator, 80.0, "rise-50"),
        (board.since_start, -7, "7 s before the advertised start"),
        (board.rounded, 913.2, "910"),
        (board.rounded, None, "–"),
        (board.ratio, None, "–"),
    ],
)
def test_figures_are_written_for_people(write: Any, value: Any, written: str) -> None:
    assert write(value) == written
