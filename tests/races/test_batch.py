"""Several races at once."""

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from races import examples
from races.models import Race
from tests.support.card import make_entrant, make_meeting, make_race, own_keys  # noqa: F401  # a fixture
from tests.support.lane import LaneClient

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_keys")]
BATCH = "/api/races/batch?ids="


@pytest.fixture
def race() -> Race:
    return make_race(make_meeting())


def test_a_batch_is_one_query_in_the_order_asked_with_each_race_once(
    client: Client, race: Race, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_entrant(make_race(race.meeting, race_id="r2", race_number=2), 1)
    with django_assert_num_queries(1):
        body = client.get(f"{BATCH}r2,nowhere,%20r1,r2,,never").json()
    assert list(body) == list(examples.BATCH)
    assert ([race["race_id"] for race in body["races"]], body["missing"]) == (["r2", "r1"], ["nowhere", "never"])
    assert body["races"][0] == client.get("/api/races/r2").json()


def test_a_batch_is_never_kept_for_each_of_its_races_would_outdate_it(race: Race) -> None:
    client = LaneClient()
    assert client.outcomes(f"{BATCH}r1", f"{BATCH}r1", f"{BATCH}r1,r9") == ["MISS", "MISS", "MISS"]
    Race.objects.update(status="Closed")
    assert client.get(f"{BATCH}r1").json()["races"][0]["status"] == "Closed"


@pytest.mark.parametrize("ids", ["", ",", "%20,%20", ",".join(map(str, range(51))), "x" * 6000, "r1," + "x" * 101])
def test_a_batch_of_none_or_of_more_than_fifty_is_refused(client: Client, ids: str) -> None:
    for address in (f"{BATCH}{ids}", "/api/races/batch"):
        answer = client.get(address)
        assert (answer.status_code, list(answer.json()["details"])) == (400, ["ids"])


def test_fifty_races_are_a_batch_however_often_each_is_asked(client: Client) -> None:
    asked = [str(number) for number in range(50)]
    assert client.get(BATCH + ",".join(asked * 2)).json() == {"races": [], "missing": asked}
