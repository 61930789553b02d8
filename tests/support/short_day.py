"""A racing day in miniature, as its writer would have stored it: a card, and two races from their last minutes on."""

from collections.abc import Iterator
from datetime import UTC, datetime

from django.db import transaction

from moneyflow.alerts.calibrating import judge_calibrated
from moneyflow.archive.store import archive_card
from moneyflow.archive.tables import Days
from moneyflow.pipeline import process_answer
from raceday.feed.client import EVENT_FLAGS, FeedAnswer
from raceday.published.resources import make, render, request_for, routes
from raceday.racing_day import racing_day
from raceday.simulator.day import Race, Simulation, card_of
from raceday.simulator.envelope import ROOT, Request
from raceday.simulator.wire import answer as answer_of
from raceday.simulator.world import World
from races.day_card import read_day_card, store_day_card

BEFORE_SECONDS, STEP_SECONDS = 180, 10


class ShortDay:
    """The day that a seed makes, begun at an instant."""

    def __init__(self, seed: str, began: datetime) -> None:
        world = World(informed_share=1.0)
        self.simulation = Simulation(seed=seed, first_start=began, is_one_day=True, world=world)
        self.began, self.day = began, racing_day(began)
        self.days = Days(self.day, self.day)
        races = [race for meeting in card_of(self.simulation, self.day) for race in meeting.races]
        races.sort(key=lambda race: race.plan.advertised_at)
        self.races = [race for race in races[1:] if race.plan.abandoned_at is None][:2]

    def ask(self, path: str, query: dict[str, str], at: datetime) -> FeedAnswer:
        """Return what the feed answers at an instant."""
        body = answer_of([self.simulation], Request(path=f"{ROOT}/{path}", query=query), at).body
        return FeedAnswer(body=body, encoding="identity", polled_at=at, fetch_ms=1.5)

    def polls(self) -> Iterator[tuple[datetime, Race]]:
        """Yield when which race is polled."""
        due = [
            (datetime.fromtimestamp(at, UTC), race)
            for race in self.races
            for at in range(int(race.plan.closes_at) - BEFORE_SECONDS, int(race.plan.final_at) + 20, STEP_SECONDS)
        ]
        yield from sorted(due, key=lambda poll: poll[0])

    def play(self) -> None:
        """Store the card and the polls, as the tasks do."""
        query = {"date_from": str(self.day), "date_to": str(self.day), "limit": "200", "enc": "json"}
        pages = [self.ask("meetings", query, self.began)]
        with transaction.atomic():
            store_day_card(read_day_card(self.day, pages))
            archive_card(self.day, pages)
        for at, race in self.polls():
            answer = self.ask(f"events/{race.race_id}", EVENT_FLAGS, at)
            process_answer(race.race_id, answer, judge=judge_calibrated)

    def bodies(self) -> dict[str, bytes]:
        """Return every public body about the day that the database gives now, by its address."""
        meetings = [meeting.meeting_id for meeting in card_of(self.simulation, self.day)]
        topics = ["card", *(f"race:{race.race_id}" for race in self.races), *(f"meeting:{each}" for each in meetings)]
        asked = [request_for(route, topic) for topic in topics for route in routes(topic.partition(":")[0])]
        return {each.key: render(make(each).data) for each in asked if each}
