"""A client that knows the contract and nothing else follows a simulated day; the simulator says what was so."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from math import isclose
from typing import Any

import pytest
from django.core.wsgi import get_wsgi_application
from pytest_django import Settings

from moneyflow.tasks import import_day
from raceday.published.lane import Lane
from tests.support import contract, day_truth
from tests.support.card import own_keys  # noqa: F401  # a fixture
from tests.support.client import Client, shares_by_column
from tests.support.day_truth import ENDED, ODDS, Followed, Json, nz
from tests.support.money_truth import documents, money_by_runner
from tests.support.tab import tab_at_the_door
from tests.support.whole_day import SIMULATION, TODAY, Day, Machine, opened_day, polls_of, through

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unmeasured", "own_keys")]
SHOWN_SECONDS = 6  # how long a body that tells the time may stand
NEARLY = 0.03  # of the pool, and a dollar: a dividend cut down to 10 c tells a favourite's share no closer


@pytest.fixture
def lane() -> Lane:
    return Lane(get_wsgi_application())


@pytest.fixture
def client(lane: Lane) -> Client:
    return Client(through(lane))


@pytest.fixture
def day(
    lane: Lane, settings: Settings, make_partitions: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Day]:
    make_partitions(*(TODAY + timedelta(days=offset) for offset in (-2, -1, 0, 1)))
    machine = Machine(SIMULATION.first_start.timestamp())
    monkeypatch.setattr(time, "time", machine.time)
    with tab_at_the_door(SIMULATION, machine.now, settings), opened_day(machine, lane) as day:
        yield day


def test_a_client_follows_a_whole_day_without_a_wrong_field(day: Day) -> None:
    steps = sorted((at, followed.race.race_id) for followed in day.races.values() for at in polls_of(followed.race))
    day.go(steps[0][0] - 60)
    import_day(str(TODAY))
    look_at_the_card(day)
    for at, race_id in steps:
        day.go(at)
        take_a_step(day, day.races[race_id])
    look_at_the_card(day)
    for followed in day.races.values():
        assert day.client.page(followed.race.race_id) is None
        look_back(day, followed)
    assert {followed.status for followed in day.races.values()} == ENDED
    assert day.client.outcomes.keys() >= {"200 HIT", "200 MISS", "304 HIT", "304 MISS"}


def take_a_step(day: Day, followed: Followed) -> None:
    """One poll of one race and its page after; of every third the page before, and a walk that the poll overtakes."""
    was, pages = followed.status, None
    if len(followed.polls) % 3 == 1:
        look_at_the_page(day, followed)
        entrant_ids = [runner.entrant_id for runner in followed.race.runners]
        limit = len(list(documents(followed))) - 3
        pages = day.client.timeline(followed.race.race_id, entrant_ids, limit=limit)
        walked = [*next(pages)["documents"]]
    day.poll(followed)
    if pages:
        walked += [document for page in pages for document in page["documents"]]
        assert {name_of(each) for each in walked} == {name_of(each) for each in documents(followed)}
    look_at_the_page(day, followed)
    if followed.status != was:
        look_at_the_lists(day, followed)


def name_of(document: Json) -> tuple[str, float]:
    return document["entrant_id"], document["time_interval"]


# ── A race's page ───────────────────────────────────────────────────────────────────────────────
def look_at_the_page(day: Day, followed: Followed) -> None:
    page = day.client.page(followed.race.race_id)
    assert page is not None
    runners, results = day_truth.entrants(followed), day_truth.result(followed)
    live, found = page["live"], page["results"]
    if found:  # dividends come in no order
        found = found | {"dividends_data": day_truth.by_name(found["dividends_data"])}
    is_same(page["race"], day_truth.detail(followed))
    is_same(page["pools"], day_truth.pools(followed))
    is_same(found, results)
    is_same(page["entrants"], runners)
    is_same(live["race"], page["race"])
    is_same(live["meeting"], day_truth.meeting(day.card(followed)))
    is_same(live["entrants"], runners)
    is_same(live["pools"], page["pools"])
    assert live.get("results") == page["results"]
    is_same(live["navigation"], day.navigation(followed))
    look_at_the_freshness(day, followed, live["freshness"])
    look_at_the_money(followed, page)


def look_at_the_freshness(day: Day, followed: Followed, found: Json) -> None:
    polled_at = nz(followed.polls[-1].polled_at)
    assert set(day.client.polled_at[followed.race.race_id].values()) == {polled_at}
    # The body was made at the last poll that changed it or later; what moves with every poll is the header.
    since = followed.readings[-1].polled_at
    assert found["polled_at"] in {nz(poll.polled_at) for poll in followed.polls if poll.polled_at >= since}
    made_at = datetime.fromisoformat(found["generated_at"]).timestamp() + found["feed_age_seconds"]
    assert since.timestamp() - 0.001 <= made_at <= day.machine.time() + 0.001  # milliseconds are all a stamp has
    assert (found["refresh_seconds"] is None) == (followed.status in ENDED)


def look_at_the_money(followed: Followed, page: Json) -> None:
    """Readings, prices and documents; and that the readings are near what was truly bet."""
    expected = sorted(documents(followed), key=name_of)
    is_same(sorted(page["documents"], key=name_of), expected)
    for column in shares_by_column(page["documents"]).values():
        assert sum(column.values()) == pytest.approx(1)
    state = followed.polls[-1].state
    money = money_by_runner(followed)
    for index, entrant in enumerate(page["entrants"]):
        points = [
            {
                "hold_percentage": each.hold,
                "win_pool_amount": each.cents["win"],
                "timestamp": nz(each.poll.generated_at),
            }
            for each in money[index][::-1]
        ]
        is_same(entrant["money_flow_history"], points)
        look_at_the_prices(followed, index, entrant["odds_history"])
        if index not in state.scratched and state.win_dividends[index] and state.status != "Abandoned":
            near = pytest.approx(state.win_cents[index], abs=NEARLY * state.pools["Win"] + 100)
            assert points[0]["win_pool_amount"] == near


def look_at_the_prices(followed: Followed, index: int, found: list[Json]) -> None:
    """Each price was so when it says; the newest of a kind is what stands, but for a move of a cent."""
    stamps = {(nz(day_truth.instant_of(each.stamp)), each.price) for each in followed.market.prices[index]}
    times = [each["timestamp"] for each in found]
    assert times == sorted(times, reverse=True)
    for kind in ODDS:
        told = [(each["timestamp"], each["odds"]) for each in found if each["type"] == kind]
        shown = [
            (nz(poll.generated_at), day_truth.prices(followed, poll.state, index)[kind]) for poll in followed.readings
        ]
        assert set(told) <= {*shown, *(stamps if kind == "fixed_win" else ())}
        standing = [price for _, price in shown if price is not None]
        assert bool(told) == bool(standing)
        if told and shown[-1][1] is not None:
            assert told[0][1] == pytest.approx(standing[-1], abs=0.0101)


def look_back(day: Day, followed: Followed) -> None:
    """A race that has ended: its timeline from the start in small pages, and its history in columns."""
    race_id, runners = followed.race.race_id, followed.race.runners
    money = money_by_runner(followed)
    expected = sorted(documents(followed), key=name_of)
    pages = day.client.timeline(race_id, [runner.entrant_id for runner in runners], limit=25)
    is_same(sorted((document for page in pages for document in page["documents"]), key=name_of), expected)
    columns = day.client.read(f"/api/races/{race_id}/history", contract.COLUMNS, about=race_id)
    instants = [int(poll.generated_at.timestamp() * 1000) for poll in followed.readings]
    assert columns["timestamps"] == instants
    for index, entrant in enumerate(columns["entrants"]):
        at = {int(each.poll.generated_at.timestamp() * 1000): each for each in money[index]}
        assert entrant["entrant_id"] == runners[index].entrant_id
        for pool in ("win", "place"):
            is_same(entrant[f"{pool}_pool_amount"], [at[each].cents[pool] if each in at else None for each in instants])
        is_same(entrant["hold_percentage"], [at[each].hold if each in at else None for each in instants])
        if len({each.basis["win"] for each in money[index]}) == 1:
            told = zip(instants, entrant["incremental_win_amount"], strict=True)
            first, *came_in = (increment for instant, increment in told if instant in at)
            cents = [each.cents["win"] for each in money[index] if each.cents["win"] is not None]
            known = [increment for increment in came_in if increment is not None]
            assert (first, sum(known)) == (None, cents[-1] - cents[0])
            assert len(known) == len(cents) - 1


# ── Lists ───────────────────────────────────────────────────────────────────────────────────────
def look_at_the_card(day: Day) -> None:
    cards = {each.meeting.meeting_id: day.card(each) for each in day.races.values()}
    expected = sorted(map(day_truth.meeting, cards.values()), key=lambda each: (each["date"], each["meeting_name"]))
    shape = contract.rows(contract.body(contract.MEETING_FIELDS))
    is_same(day.client.read("/api/meetings", shape), expected)
    for name, value in (("race_type", "harness"), ("country", "AUS"), ("date", str(TODAY))):
        found = day.client.read("/api/meetings", shape, {"date": str(TODAY), name: value})
        is_same(found, [each for each in expected if each[name] == value])
    for meeting_id, races in cards.items():
        look_at_a_meeting(day, meeting_id, races)


def look_at_a_meeting(day: Day, meeting_id: str, races: list[Followed]) -> None:
    path = f"/api/meetings/{meeting_id}"
    is_same(day.client.read(path, contract.MEETING), day_truth.meeting(races))
    listed = [day_truth.row(each) for each in races]
    of_meeting = day.client.read(f"{path}/races", contract.MEETING_RACES)
    is_same(of_meeting, {"races": listed, "total": len(listed)})
    is_same(day.client.read("/api/races", contract.rows(contract.ROW), {"meeting_id": meeting_id}), listed)
    ended = sum(each.status in ENDED for each in races)
    expected = {"isCompleted": ended == len(races), "totalRaces": len(races), "finalizedRaces": ended}
    is_same(day.client.read(f"{path}/status", contract.MEETING_STATUS), expected)


def look_at_the_lists(day: Day, followed: Followed) -> None:
    race_id = followed.race.race_id
    look_at_a_meeting(day, followed.meeting.meeting_id, day.card(followed))
    is_same(
        day.client.read("/api/races/navigation", contract.NAVIGATION, {"race_id": race_id}), day.navigation(followed)
    )
    upcoming, shape = day.next_scheduled(), contract.maybe(contract.UPCOMING_ROW)
    is_same(day.client.read("/api/races/next-scheduled", shape), upcoming and day_truth.row(upcoming))
    look_at_upcoming(day, window_minutes=120, lookback_minutes=5, limit=50)
    look_at_upcoming(day, window_minutes=30, lookback_minutes=0, limit=3)
    asked = [*[*day.races][:4], "none", race_id]
    found = day.client.read("/api/races/batch", contract.BATCH, {"ids": ",".join(asked)})
    expected = [day_truth.row(day.races[each]) for each in dict.fromkeys(asked) if each in day.races]
    is_same(found, {"races": expected, "missing": ["none"]})


def look_at_upcoming(day: Day, *, window_minutes: int, lookback_minutes: int, limit: int) -> None:
    asked = {"window_minutes": window_minutes, "lookback_minutes": lookback_minutes, "limit": limit}
    params = {} if limit == 50 else {name: str(value) for name, value in asked.items()}
    found = day.client.read("/api/races/upcoming", contract.UPCOMING, params)
    told_at = datetime.fromisoformat(found["timestamp"])
    lower, upper = told_at - timedelta(minutes=lookback_minutes), told_at + timedelta(minutes=window_minutes)
    assert 0 <= day.machine.time() - told_at.timestamp() <= SHOWN_SECONDS
    expected = [each for each in day.in_order() if lower <= each.start <= upper and each.status not in ENDED]
    window = {"lower_bound": nz(lower), "upper_bound": nz(upper), **asked}
    del window["limit"]
    is_same(
        found, {"races": [day_truth.row(each) for each in expected[:limit]], "total": len(expected), "window": window}
    )


# ── What the client writes, and what it may not ask ─────────────────────────────────────────────
def test_alert_settings_begin_with_the_defaults_are_kept_as_sent_and_reset(client: Client) -> None:
    path, whose = "/api/user-alert-configs", {"user_id": "Mere"}
    ranges = [(5, 10), (10, 15), (15, 20), (20, 25), (25, 50), (50, None)]
    colors = ["#E5E7EB", "#BFDBFE", "#FEF3C7", "#BBF7D0", "#FECACA", "#F3E8FF"]
    first = client.read(path, contract.ALERTS, whose)
    shown = sorted(first["indicators"], key=lambda each: each["display_order"])
    assert [(each["percentage_range_min"], each["percentage_range_max"]) for each in shown] == ranges
    assert [each["color"] for each in shown] == colors
    assert client.read(path, contract.ALERTS)["user_id"] == "Default User"
    own = first | {"toggle_all": False, "indicators": [each | {"enabled": False} for each in first["indicators"]]}
    assert client.write("POST", path, own) == {"success": True, **own}
    assert client.read(path, contract.ALERTS, whose) == own
    bad = own | {"indicators": own["indicators"][:5]}
    assert "indicators" in client.refused(path, 400, method="POST", content=bad)["details"]
    assert client.read(path, contract.ALERTS, whose) == own
    assert client.write("PUT", f"{path}/reset", {"user_id": "Mere"}) == {"success": True, **first}
    assert client.read(path, contract.ALERTS, whose) == first


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("/api/races", {}, 400),
        ("/api/races", {"meeting_id": "m", "page": "2"}, 400),
        ("/api/meetings", {"date": "yesterday"}, 400),
        ("/api/races/upcoming", {"window_minutes": "481"}, 400),
        ("/api/races/upcoming", {"limit": "0"}, 400),
        ("/api/entrants", {"race_id": "none", "history": "2001"}, 400),
        ("/api/money-flow-timeline", {"race_id": "none"}, 400),
        ("/api/races/batch", {"ids": ",".join(map(str, range(51)))}, 400),
        ("/api/meetings/none", {}, 404),
        ("/api/races/none", {}, 404),
        ("/api/races/none/live", {}, 404),
        ("/api/races/navigation", {"race_id": "none"}, 404),
        ("/api/race-pools", {"race_id": "none"}, 404),
        ("/api/race-results", {"race_id": "none"}, 404),
        ("/api/nothing", {}, 404),
    ],
)
def test_a_refusal_says_why(client: Client, path: str, params: dict[str, str], status: int) -> None:
    for _ in range(8):  # every spelling of names and address
        client.refused(path, status, **params)


def is_same(found: Any, expected: Any, at: str = "") -> None:
    """Hold what was found against what was so, which may name fewer fields."""
    if isinstance(expected, dict):
        assert isinstance(found, dict), at
        for name, value in expected.items():
            is_same(found[name], value, f"{at}.{name}")
    elif isinstance(expected, list):
        assert isinstance(found, list) and len(found) == len(expected), f"{at}: {found} is not {expected}"
        for index, value in enumerate(expected):
            is_same(found[index], value, f"{at}[{index}]")
    elif type(expected) in {int, float} and type(found) in {int, float}:
        assert isclose(found, expected, abs_tol=1e-9), f"{at}: {found} is not {expected}"
    else:
        assert found == expected, at
