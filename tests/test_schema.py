"""Every route answers as the API's own description says, whatever is asked of it: schemathesis over the WSGI app."""

from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import positive_data_acceptance

from config.wsgi import application
from raceday.racing_day import racing_day
from races.models import RacePool, RaceResult
from tests.support.card import POLLED, START, add_money, add_odds, make_entrant, make_meeting, make_race, own_keys  # noqa: F401

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("unmeasured", "own_keys", "one_transaction", "card")]
bounded = settings(max_examples=8, derandomize=True, suppress_health_check=list(HealthCheck))
THERE = {"race_id": "r1", "meeting_id": "m1", "entrants": "r1-e1,r1-e2", "ids": "r1,r2", "date": "2026-11-21"}
PLAIN = {"Accept-Encoding": "identity"}  # schemathesis does not unpack what it asks for

anything = schemathesis.openapi.from_wsgi("/api/schema", application)
what_is_there = schemathesis.openapi.from_wsgi("/api/schema", application)
what_is_there.config.generation.update(modes=[GenerationMode.POSITIVE])
for described in (anything, what_is_there):
    described.config.generation.update(allow_x00=False)  # PostgreSQL stores no NUL, so it is refused everywhere
    for check in (described.config.checks.negative_data_rejection, described.config.checks.positive_data_acceptance):
        check.expected_statuses = [*check.expected_statuses, "414"]  # whatever it says, it is too long


@pytest.fixture
def card(make_partitions: Callable[..., None]) -> None:
    make_partitions(racing_day(START))
    race = make_race(make_meeting())
    make_race(race.meeting, race_id="r2", race_number=2)
    RacePool.objects.create(race=race, win_pool_total=100, last_updated=POLLED)
    RaceResult.objects.create(race=race, results=[], dividends=[], result_status="interim", result_time=POLLED)
    for number in (1, 2):
        entrant = make_entrant(race, number)
        add_money(entrant, POLLED, 1000, "10")
        add_odds(entrant, POLLED, "3.10")


def excluded_checks(case: Any) -> list[Any]:
    if case.path == "/api/health":
        return [not_a_server_error]  # no cluster runs in the suite: unwell, a 503 as described
    if case.path.startswith("/api/user-alert-configs") and case.method in {"POST", "PUT"}:
        return [positive_data_acceptance]  # minimum below maximum, each order once: more than a schema can say
    if case.path in {"/api/stream", "/api/changes"}:
        return [positive_data_acceptance]  # one of two names is needed, and lists of known words
    if {"ids", "entrants"} & set(case.query):
        return [positive_data_acceptance]  # lists with commas, of so many ids of a hundred letters each
    if "cursor_after" in case.query:
        return [positive_data_acceptance]  # a cursor is opaque: only one that was handed out is good
    return []


def validate(case: Any) -> Any:
    return case.call_and_validate(headers=PLAIN, excluded_checks=excluded_checks(case))


@anything.parametrize()
@bounded
def test_whatever_is_asked_is_answered_as_described(case: Any) -> None:
    validate(case)


@what_is_there.parametrize()
@bounded
def test_what_is_there_is_answered_as_described(case: Any) -> None:
    for names in (case.query, case.path_parameters):
        names.update({name: THERE[name] for name in names if name in THERE})
    validate(case)
