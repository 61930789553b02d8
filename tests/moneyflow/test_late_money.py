"""Late money from an answer in hand to the streams: stored once, told first and once, settled when the race ends."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest
from django.test import Client
from msgspec.structs import replace

from moneyflow import pipeline
from moneyflow.late_money.records import Reading, Severity, Verdict
from moneyflow.models import LateMoneyAlert
from moneyflow.publishing import publish
from moneyflow.store.poll import write_poll
from moneyflow.transform.late_money import Judge
from raceday import valkey
from raceday.published import events, shelf
from tests.moneyflow.test_pipeline import statements_run
from tests.support.card import NO_RECORD, own_keys  # noqa: F401  # a fixture
from tests.support.lane import LaneClient
from tests.support.late_polls import ENDED, FOUND, START, finds, poll
from tests.support.snapshots import runner

pytestmark = pytest.mark.django_db(transaction=True)
LIVE, DAY, RECORD = "/api/races/r1/live", "/api/late-money", "/api/late-money/record"
OTHER = replace(FOUND, entrant_id="e2")


@pytest.fixture(autouse=True)
def noon(clock_goes_on_from: Callable[[datetime], None]) -> None:
    clock_goes_on_from(START)


@pytest.fixture(autouse=True)
def open_race(noon: None, own_keys: None) -> None:  # noqa: F811
    """A race whose bodies are published, a minute before its advertised start."""
    for topic in poll(900, after=-60).outdated:
        publish(topic)


def severities() -> list[tuple[str, int]]:
    return list(LateMoneyAlert.objects.order_by("id").values_list("entrant_id", "severity"))


def told() -> list[tuple[str, Any]]:
    logged = [events.parse(entry) for entry in valkey.client().xrange(valkey.key(events.LOG))]
    return [(event.kind, msgspec.json.decode(event.data)) for event in logged]


def alerts_told() -> list[tuple[str, int, bool]]:
    alerts = [data["alert"] for kind, data in told() if kind == "alert"]
    return [(alert["entrant_id"], alert["severity"], alert["outcome"] is not None) for alert in alerts]


# ── Stored ──────────────────────────────────────────────────────────────────────────────────────
def test_an_alert_is_stored_with_its_evidence_and_the_reading_that_raised_it() -> None:
    poll(1000, after=12, judge=finds(FOUND))
    alert = LateMoneyAlert.objects.get()
    assert (alert.entrant_id, alert.severity, alert.score, alert.artefact) == ("e1", 1, 3.4, "a test's")
    assert (alert.window_seconds, alert.seen_cents, alert.expected_cents) == (30, 64_200, 18_150)
    assert alert.win_pool_cents == 100_000
    assert (alert.share_before_percentage, alert.share_after_percentage) == (Decimal(25), Decimal(40))
    assert (alert.tote_odds_before, alert.tote_odds_after) == (Decimal(3), Decimal(2))
    assert (alert.fixed_odds_before, alert.fixed_odds_after) == (None, Decimal("2.5"))
    assert (alert.one_in_races, alert.e_value, alert.falls) == (25, 18.7, {"last 30 s": 1.5})
    assert (alert.race_id, alert.raised_at, alert.reading_at) == ("r1", *[START + timedelta(seconds=12)] * 2)
    assert alert.seconds_since_start == 12
    assert (alert.won, alert.placed, alert.final_dividend, alert.final_pool_cents) == (None,) * 4


def test_an_alert_is_stored_once_however_often_its_poll_comes() -> None:
    for _ in range(3):
        poll(1000, after=5, judge=finds(FOUND), is_again=True)
    poll(1100, after=10, judge=finds(FOUND))
    assert severities() == [("e1", 1)]


def test_only_what_is_above_what_was_raised_before_is_another_alert() -> None:
    unusual, notable, rare = Severity.UNUSUAL, Severity.NOTABLE, Severity.RARE
    for after, found in enumerate([unusual, notable, unusual, rare, notable, None]):
        poll(1000 + after, after=after, judge=finds(replace(FOUND, severity=found), OTHER))
    assert severities() == [("e1", 2), ("e2", 1), ("e1", 3)]


def test_an_alert_is_part_of_its_polls_one_statement() -> None:
    poll(1000, after=0)
    before = statements_run()
    poll(1100, after=5, judge=finds(FOUND))
    poll(1200, after=10, status="Interim", **ENDED)
    assert statements_run() - before == 5  # with the one that reads what the streams are to be told


def test_a_poll_that_is_not_written_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    came: list[Judge] = []

    def write_after_another(*given: Any, **options: Any) -> Any:
        if not came:
            came.append(finds(FOUND))
            poll(1000, after=5, judge=came[0])
        return write_poll(*given, **options)

    monkeypatch.setattr(pipeline, "write_poll", write_after_another)
    poll(1100, after=10, judge=finds(FOUND, OTHER))
    assert severities() == [("e1", 1), ("e2", 1)]  # judged again, with the other poll's alert known


# ── Judged ──────────────────────────────────────────────────────────────────────────────────────
class Listens:
    """A judge that remembers what it was given."""

    def __init__(self) -> None:
        self.readings: list[Sequence[Reading]] = []

    def __call__(self, readings: Sequence[Reading]) -> Verdict:
        self.readings.append(readings)
        return Verdict()


def test_the_judge_gets_the_readings_of_the_window_and_the_new_one_last() -> None:
    poll(700, after=-300)  # a late poll, outside of the window
    poll(950, after=-30)
    heard = Listens()
    runners = [runner(1, pool_win=2.0, fixed_win=2.5), {**runner(2), "is_scratched": True}]
    poll(1000, after=5, judge=heard, runners=runners)
    (readings,) = heard.readings
    assert [reading.seconds_since_start for reading in readings] == [-60, -30, 5]
    assert [reading.win_pool_cents for reading in readings] == [90_000, 95_000, 100_000]
    assert {reading.entrant_ids for reading in readings} == {("e1", "e2")}
    assert [reading.dividends.tolist() for reading in readings[:2]] == [[2.0, 3.1]] * 2
    assert [reading.fixed_odds.tolist() for reading in readings[:2]] == [[2.5, 3.0]] * 2
    assert np.isnan(readings[-1].dividends).tolist() == [False, True]
    assert [reading.is_scratched.tolist() for reading in readings] == [[False, False]] * 2 + [[False, True]]


@pytest.mark.parametrize(
    ("poll_of", "is_judged"),
    [
        ({"after": 5.0}, True),
        ({"after": -179.0, "dollars": 800.0}, False),  # made before the newest that is stored
        ({"after": 5.0, "status": "Closed"}, False),
        ({"after": 5.0, "dollars": 900.0}, False),  # nothing changed
    ],
)
def test_late_money_is_looked_for_in_a_changed_poll_of_an_open_race(poll_of: dict[str, Any], is_judged: bool) -> None:
    heard = Listens()
    poll(**{"dollars": 1000.0, "judge": heard, **poll_of})
    assert bool(heard.readings) is is_judged


# ── Told ────────────────────────────────────────────────────────────────────────────────────────
def test_an_alert_is_told_before_any_body_and_once() -> None:
    outdated = poll(1000, after=12, judge=finds(FOUND)).outdated
    assert alerts_told() == [("e1", 1, False)]
    assert [kind for kind, _ in told()[-2:]] == ["alert", "flow"]
    assert outdated == ("race:r1", "late-money", "card")
    for topic in outdated:
        assert publish(topic)
    assert alerts_told() == [("e1", 1, False)]
    assert [kind for kind, _ in told()] == ["flow", "snapshot", "alert", "flow", "pool"]
    live = LaneClient().get(LIVE)
    assert (live["X-Cache"], live.json()["alerts"]) == ("HIT", [told()[2][1]["alert"]])


def test_an_alert_that_was_not_told_at_once_is_told_by_the_publication(monkeypatch: pytest.MonkeyPatch) -> None:
    def die(race_id: str, polled_at: datetime) -> bool:
        raise SystemExit

    with monkeypatch.context() as between, pytest.raises(SystemExit):
        between.setattr(pipeline, "announce", die)
        poll(1000, after=5, judge=finds(FOUND))
    outdated = poll(1000, after=5, judge=finds(FOUND), is_again=True).outdated
    assert severities() == [("e1", 1)]
    assert alerts_told() == []
    for topic in outdated:
        publish(topic)
    assert alerts_told() == [("e1", 1, False)]
    assert LaneClient().get(f"{DAY}?race_id=r1").json()[0]["severity"] == 1


def test_an_alert_in_the_middle_of_a_publication_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    poll(950, after=0)
    topic_state = shelf.topic_state
    came: list[object] = []

    def look_and_be_overtaken(topic: str) -> shelf.TopicState | None:
        looked = topic_state(topic)
        if not came:
            came.append(poll(1000, after=5, judge=finds(FOUND)))
        return looked

    monkeypatch.setattr(shelf, "topic_state", look_and_be_overtaken)
    assert publish("race:r1")
    assert alerts_told() == [("e1", 1, False)]


def test_an_alert_is_told_once_though_a_publication_comes_in_the_middle_of_telling(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read_told = shelf.read_told
    came: list[bool] = []

    def read_and_be_overtaken(topic: str) -> tuple[str, bytes] | None:
        found = read_told(topic)
        if not came:
            shelf.outdate({"race:r1": "the poll's"})
            came.append(publish("race:r1"))
        return found

    monkeypatch.setattr(shelf, "read_told", read_and_be_overtaken)
    poll(1000, after=5, judge=finds(FOUND))
    assert came == [True]
    assert alerts_told() == [("e1", 1, False)]


def test_of_a_race_nobody_was_told_of_the_snapshot_has_the_alert() -> None:
    valkey.client().delete(shelf.name_of("race:r1"))
    poll(1000, after=5, judge=finds(FOUND))
    publish("race:r1")
    assert alerts_told() == []
    kind, page = told()[-1]
    assert (kind, [alert["severity"] for alert in page["alerts"]]) == ("snapshot", [1])


# ── Settled ─────────────────────────────────────────────────────────────────────────────────────
def test_an_alert_gets_its_outcome_with_the_poll_that_has_the_result() -> None:
    poll(1000, after=5, judge=finds(FOUND, OTHER))
    outdated = poll(1250, after=60, status="Interim", **ENDED).outdated
    first, second = LateMoneyAlert.objects.order_by("entrant_id")
    assert (first.won, first.placed, second.won, second.placed) == (True, True, False, False)
    assert (first.final_dividend, first.final_odds, second.final_dividend) == (Decimal("2.1"), Decimal(2), None)
    assert first.final_pool_cents == 125_000
    assert float(first.final_share_percentage or 0) == pytest.approx(60.57, abs=0.01)
    assert "late-money" in outdated
    for topic in outdated:
        publish(topic)
    assert alerts_told() == [("e1", 1, False), ("e2", 1, False), ("e1", 1, True), ("e2", 1, True)]
    outcome = Client().get(LIVE).json()["alerts"][0]["outcome"]
    assert (outcome["won"], outcome["pool_moved_cents"]) == (True, 25_000)


def test_an_alert_says_how_often_those_before_it_were_right() -> None:
    poll(1000, after=5, judge=finds(FOUND))
    assert LateMoneyAlert.objects.get().record == NO_RECORD
    poll(1250, after=60, status="Final", **ENDED)
    poll(1300, after=90, judge=finds(replace(FOUND, severity=Severity.UNUSUAL), OTHER))  # the race is Open again
    assert LateMoneyAlert.objects.get(severity=2).record == NO_RECORD
    record = LateMoneyAlert.objects.get(entrant_id="e2").record
    assert record == {"settled": 1, "won": 1, "expected": 0.605769, "expected_when_raised": 0.4}


def test_a_runner_scratched_after_its_alert_has_no_outcome() -> None:
    poll(1000, after=5, judge=finds(FOUND, OTHER))
    runners = [{**runner(1), "is_scratched": True}, runner(2, pool_win=1.1)]
    poll(600, after=60, status="Final", **{**ENDED, "runners": runners, "results": ENDED["results"][1:]})
    assert list(LateMoneyAlert.objects.order_by("entrant_id").values_list("won", flat=True)) == [None, False]
