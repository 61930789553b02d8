"""Well only when the database answers and both clusters show signs of life."""

import time
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings

from raceday import clock, cluster
from raceday.broker import valkey
from tests.card import make_meeting, make_race

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_valkey_database(settings: Settings, worker_id: str) -> None:
    """Beats of other tests are not signs of life here."""
    number = int("".join(filter(str.isdigit, worker_id)) or 0) % 6
    settings.REDIS_URL = f"{settings.REDIS_URL.partition('?')[0]}?db={9 + number}"
    valkey().flushdb()


@pytest.fixture
def both_alive() -> None:
    for name in cluster.CLUSTERS:
        cluster.beat(name)


@pytest.mark.parametrize("address", ["/health", "/health/", "/api/health", "/api/health/"])
@pytest.mark.usefixtures("both_alive")
def test_everything_well_is_a_200(client: Client, address: str) -> None:
    answer = client.get(address)
    body = answer.json()
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    assert (body["status"], body["database"], body["workers"]) == ("healthy", "connected", "operational")
    assert body["feed_age_seconds"] is None


@pytest.mark.usefixtures("both_alive")
def test_the_age_of_the_feed_is_that_of_the_newest_poll(client: Client) -> None:
    meeting = make_meeting()
    make_race(meeting, polled_at=clock.now() - timedelta(hours=1))
    make_race(meeting, race_id="r2", polled_at=clock.now() - timedelta(minutes=1))
    assert 60 <= client.get("/health").json()["feed_age_seconds"] < 120


@pytest.mark.parametrize("silent", cluster.CLUSTERS)
@pytest.mark.usefixtures("both_alive")
def test_a_cluster_without_a_beat_for_15_seconds_is_a_503_that_names_it(client: Client, silent: str) -> None:
    valkey().set(f"raceday:beat:{silent}", repr(time.time() - 16))
    answer = client.get("/api/health")
    assert (answer.status_code, answer.json()["status"], answer.json()["workers"]) == (503, "unhealthy", "stale")
    assert answer.json()["error"] == f"no sign of life from cluster {silent}"


def test_clusters_that_never_beat_are_a_503(client: Client) -> None:
    answer = client.get("/health")
    sentence = "no sign of life from cluster control and write-0 and write-1 and publish and default"
    assert (answer.status_code, answer.json()["error"]) == (503, sentence)


def test_without_valkey_it_is_a_503(client: Client, settings: Settings) -> None:
    settings.REDIS_URL = "unix:///nowhere/valkey.sock"
    answer = client.get("/health")
    assert (answer.status_code, answer.json()["error"]) == (503, "Valkey does not answer")


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("both_alive")
def test_without_postgresql_it_is_a_503(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    connection.close()
    with monkeypatch.context() as away:
        away.setitem(connection.settings_dict, "HOST", "/nowhere")
        answer = client.get("/health")
        connection.close()
    assert (answer.status_code, answer.json()["error"]) == (503, "the database does not answer")
    assert set(answer.json()) == {"status", "timestamp", "error"}
