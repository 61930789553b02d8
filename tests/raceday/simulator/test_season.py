"""One simulated card after another: kept over restarts, and never without a race to come."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from raceday.racing_day import racing_day
from raceday.simulator.day import Simulation, card_of
from raceday.simulator.envelope import ROOT
from raceday.simulator.running import running
from raceday.simulator.season import MOST_CARDS, Season, end_of
from raceday.simulator.server import simulated_app
from raceday.simulator.world import World

BEGAN = datetime(2026, 11, 21, 2, 3, 4, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def season(folder: Path) -> Season:
    return Season(folder / "demo.json", seed="season", world=World())


def races_of(card: Simulation) -> set[str]:
    return {race.race_id for meeting in card_of(card, racing_day(card.first_start)) for race in meeting.races}


def test_a_card_lasts_until_its_last_race_is_over_and_the_next_begins_at_once(tmp_path: Path) -> None:
    racing = season(tmp_path)
    (first,) = racing.at(BEGAN)
    assert first.first_start == BEGAN
    assert racing.at(end_of(first) - SECOND) == [first]
    second, still = racing.at(end_of(first))
    assert still == first
    assert second.first_start == end_of(first)
    assert races_of(first).isdisjoint(races_of(second))


def test_a_card_is_kept_over_a_restart_and_a_later_one_begins_with_the_restart(tmp_path: Path) -> None:
    (first,) = season(tmp_path).at(BEGAN)
    assert season(tmp_path).at(BEGAN + timedelta(hours=1)) == [first]
    later = BEGAN + timedelta(days=3)
    assert [card.first_start for card in season(tmp_path).at(later)] == [later, BEGAN]
    assert json.loads((tmp_path / "demo.json").read_text()) == {
        "seed": "season",
        "first_starts": [BEGAN.timestamp(), later.timestamp()],
    }


def test_only_the_newest_cards_are_remembered(tmp_path: Path) -> None:
    racing = season(tmp_path)
    days = [BEGAN + timedelta(days=day) for day in range(MOST_CARDS + 2)]
    for day in days:
        racing.at(day)
    assert [card.first_start for card in racing.cards] == days[2:]


def test_the_feed_shows_the_races_of_both_cards_and_the_truth_of_both(tmp_path: Path) -> None:
    racing = season(tmp_path)
    (first,) = racing.at(BEGAN)
    now = end_of(first) + SECOND
    second, _ = racing.at(now)
    with running(simulated_app(racing.at, lambda: now)) as url, httpx.Client(base_url=url, timeout=20) as feed:
        days = {"date_from": str(racing_day(BEGAN)), "date_to": str(racing_day(now))}
        meetings = feed.get(f"{ROOT}/meetings", params=days).json()["data"]["meetings"]
        assert {race["id"] for meeting in meetings for race in meeting["races"]} == races_of(first) | races_of(second)
        for card, expected in ((first, "Final"), (second, "Open")):
            race = card_of(card, racing_day(card.first_start))[0].races[0]
            assert feed.get(f"{ROOT}/events/{race.race_id}").json()["data"]["race"]["status"] == expected
        informed = {row["race_id"] for row in feed.get("/_truth").json()["informed"]}
        assert informed & races_of(first)
        assert informed & races_of(second)
