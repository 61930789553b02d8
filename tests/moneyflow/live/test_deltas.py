"""What a race page is told: only what changed, and enough to arrive at the later body."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moneyflow.alerts.examples import ALERT, OUTCOME
from moneyflow.live.deltas import Body, Event, apply, deltas
from moneyflow.live.examples import LIVE
from races import examples

STAMPS = ("updated_at", "last_updated")
BODY: dict[str, Any] = deepcopy(LIVE)
ESCALATED, SETTLED = {**ALERT, "severity": 3}, {**ALERT, "outcome": OUTCOME}
RUNNERS = ["e1", "e2", "e3"]
prices = st.sampled_from([None, 0.0, 2.4, 3.1])


def changed(**parts: dict[str, Any] | None) -> dict[str, Any]:
    body = deepcopy(BODY)
    for name, values in parts.items():
        if name == "entrant":
            body["entrants"][0] |= values or {}
        else:
            body[name] = values and (body.get(name) or {}) | values
    return body


def arrive(body: Body, told: list[Event]) -> Body:
    for event in told:
        body = apply(body, *event)
    return body


def fit_to_compare(body: Any) -> Any:
    """Without freshness and stamps, which alone are never told."""
    if isinstance(body, list):
        return [fit_to_compare(part) for part in body]
    if not isinstance(body, dict):
        return body
    return {name: fit_to_compare(value) for name, value in body.items() if name not in (*STAMPS, "freshness")}


@st.composite
def live_bodies(draw: st.DrawFn) -> dict[str, Any]:
    race = {"status": draw(st.sampled_from(["Open", "Closed"])), "updated_at": draw(st.sampled_from("abc"))}
    body = changed(race=race, meeting={"weather": draw(st.sampled_from(["Fine", None]))})
    fields = st.fixed_dictionaries({"hold_percentage": prices, "fixed_win_odds": prices, "is_scratched": st.booleans()})
    runners = draw(st.sampled_from([RUNNERS, RUNNERS, RUNNERS[:2], RUNNERS[::-1]]))
    body["entrants"] = [{**examples.ENTRANT, "entrant_id": name, **draw(fields)} for name in runners]
    pools = {**examples.POOLS, "win_pool_total": draw(st.integers(0, 2)), "last_updated": draw(st.sampled_from("abc"))}
    body["pools"] = draw(st.sampled_from([None, pools]))
    body["navigation"] = draw(st.sampled_from([examples.NAVIGATION, {**examples.NAVIGATION, "nextRace": None}]))
    outcomes = [draw(st.sampled_from([None, OUTCOME])) for _ in range(draw(st.integers(0, 3)))]
    body["alerts"] = [{**ALERT, "severity": place, "outcome": each} for place, each in enumerate(outcomes, 1)]
    body["silent_because"] = draw(st.sampled_from([None, "the race is not open"]))
    if draw(st.booleans()):
        body["results"] = {**examples.RESULT, "result_status": draw(st.sampled_from(["interim", "final"]))}
    return body


@given(st.lists(live_bodies(), min_size=2, max_size=4))
def test_whoever_takes_in_each_delta_arrives_at_the_last_body(bodies: list[dict[str, Any]]) -> None:
    told = [event for before, after in zip([None, *bodies], bodies, strict=False) for event in deltas(before, after)]
    arrived = arrive(BODY, told)
    assert fit_to_compare(arrived) == fit_to_compare(bodies[-1])


@given(live_bodies(), live_bodies())
def test_nothing_is_told_twice(before: dict[str, Any], after: dict[str, Any]) -> None:
    arrived = arrive(before, deltas(before, after))
    assert deltas(arrived, after) == []


@pytest.mark.parametrize(
    ("after", "kind", "news"),
    [
        (changed(race={"status": "Closed"}), "status", {"race": {"status": "Closed"}}),
        (changed(meeting={"weather": "Rain"}), "status", {"meeting": {"weather": "Rain"}}),
        (changed(results=examples.RESULT), "status", {"results": examples.RESULT}),
        ({**BODY, "silent_because": "the race is not open"}, "status", {"silent_because": "the race is not open"}),
        ({**BODY, "alerts": [*BODY["alerts"], ESCALATED]}, "alert", {"alert": ESCALATED}),
        ({**BODY, "alerts": [SETTLED]}, "alert", {"alert": SETTLED}),
        (changed(pools=None), "pool", {"pools": None}),
        (changed(entrant={"hold_percentage": 9.5}), "pool", {"entrants": [{"hold_percentage": 9.5}]}),
        (changed(entrant={"is_scratched": True}), "odds", {"entrants": [{"is_scratched": True}]}),
        (changed(entrant={"win_odds": None}), "odds", {"entrants": [{"win_odds": None}]}),
    ],
)
def test_each_kind_carries_what_changed_and_nothing_else(
    after: dict[str, Any], kind: str, news: dict[str, Any]
) -> None:
    for entrant in news.get("entrants", []):
        entrant["entrant_id"] = examples.ENTRANT["entrant_id"]
    whose = {"race_id": examples.IDS["race_id"], "polled_at": examples.POLLED}
    assert deltas(BODY, after) == [(kind, whose | news)]


def test_results_taken_back_are_told_and_leave_the_body() -> None:
    before = changed(results=examples.RESULT)
    [(kind, data)] = deltas(before, BODY)
    assert (kind, data["results"]) == ("status", None)
    assert "results" not in apply(before, kind, data)


@pytest.mark.parametrize("part", ["race", "meeting", "pools", "freshness"])
def test_a_stamp_alone_is_no_news(part: str) -> None:
    stamps = {"updated_at": "later", "last_updated": "later", "feed_age_seconds": 99.0}
    assert deltas(BODY, changed(**{part: {name: stamps[name] for name in stamps if name in BODY[part]}})) == []


def test_alerts_leave_before_what_else_a_poll_changed() -> None:
    after = {**changed(race={"status": "Closed"}, pools=None), "alerts": [SETTLED, ESCALATED]}
    told = deltas(BODY, after)
    assert [kind for kind, _ in told] == ["alert", "alert", "status", "pool"]
    assert arrive(BODY, told)["alerts"] == [SETTLED, ESCALATED]


def test_nothing_known_before_another_entrant_or_an_alert_that_is_gone_is_a_whole_body() -> None:
    more = {**BODY, "entrants": [*BODY["entrants"], {**examples.ENTRANT, "entrant_id": "late"}]}
    assert deltas(None, BODY) == [("snapshot", BODY)]
    assert deltas(BODY, more) == [("snapshot", more)]
    fewer = {**BODY, "alerts": []}
    assert deltas(BODY, fewer) == [("snapshot", fewer)]
