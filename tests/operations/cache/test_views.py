"""The ways staff have kept bodies made anew, by API, admin and command: who is let in, what is said, what is noted."""

from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django_q.signing import SignedPackage
from pytest_django import Settings
from rest_framework.authtoken.models import Token

from accounts.models import User
from moneyflow import publishing
from operations.cache import actions
from operations.cache.statistics import collect
from raceday import clock
from raceday.queue.broker import FIELD, StreamBroker
from raceday.racing_day import racing_day
from races.models import Race
from tests.support.card import own_keys  # noqa: F401  # a fixture
from tests.support.lane import LaneClient
from tests.support.stored_races import LIVE, RACES, kept_races, outcome, take_away  # noqa: F401  # a fixture, too

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("kept_races")]


@pytest.fixture
def reader() -> LaneClient:
    return LaneClient()


@pytest.fixture
def staff() -> dict[str, str]:
    """A token that may do all."""
    return token("view_operations", "change_operations")


def token(*rights: str) -> dict[str, str]:
    user = User.objects.create_user(f"kim-{uuid4()}", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    return {"Authorization": f"Token {Token.objects.create(user=user).key}"}


# ── The routes for staff ────────────────────────────────────────────────────────────────────────
ROUTES = [("get", "stats"), ("post", "invalidate"), ("post", "clear"), ("post", "warm")]


@pytest.mark.parametrize(("method", "name"), ROUTES)
def test_only_staff_with_the_right_are_let_in(client: Client, reader: LaneClient, method: str, name: str) -> None:
    wrong = "change_operations" if method == "get" else "view_operations"
    for headers, status in (({}, 401), (token(wrong), 403)):
        answer = getattr(client, method)(f"/api/cache/{name}", headers=headers)
        assert (answer.status_code, set(answer.json())) == (status, {"error"})
    assert outcome(reader, LIVE) == "HIT"


def test_stats_are_told_as_described(client: Client, staff: dict[str, str]) -> None:
    told = client.get("/api/cache/stats", headers=staff).json()
    assert {**told, "timestamp": None} == {**collect(), "timestamp": None, "valkey": told["valkey"]}


@pytest.mark.parametrize("payload", [{"race_id": "r1"}, {"key": LIVE}, {"pattern": "*races/r1/live*"}])
def test_staff_invalidate_and_it_is_noted(
    client: Client, reader: LaneClient, staff: dict[str, str], payload: dict[str, str]
) -> None:
    answer = client.post("/api/cache/invalidate", payload, "application/json", headers=staff)
    assert answer.json()["topics"] == 1
    assert outcome(reader, LIVE) == "MISS"
    assert next(iter(payload.values())) in LogEntry.objects.get().change_message


def test_the_record_names_the_race(client: Client, staff: dict[str, str]) -> None:
    client.post("/api/cache/invalidate", {"race_id": "r1"}, "application/json", headers=staff)
    assert LogEntry.objects.get().change_message == f"Removed by race id: r1 ({Race.objects.get(pk='r1')})"


@pytest.mark.parametrize(
    ("payload", "faults"),
    [
        ({}, ["body"]),
        ({"race_id": "r1", "pattern": "*"}, ["body"]),
        ({"key": "/api/health"}, ["key"]),
        ({"key": "/api/entrants?race_id=r1&x=1"}, ["key"]),
        ({"race_id": 1}, ["race_id"]),
        ({"pattern": ""}, ["pattern"]),
        ({"race": "r1"}, ["race"]),
    ],
)
def test_what_cannot_be_meant_is_a_400(
    client: Client, staff: dict[str, str], payload: dict[str, Any], faults: list[str]
) -> None:
    answer = client.post("/api/cache/invalidate", payload, "application/json", headers=staff)
    assert (answer.status_code, list(answer.json()["details"])) == (400, faults)
    assert not LogEntry.objects.exists()


def test_staff_clear(client: Client, staff: dict[str, str]) -> None:
    assert client.post("/api/cache/clear", headers=staff).json() == {"topics": 2, "bodies": 8, "is_complete": True}
    assert LogEntry.objects.get().change_message == "Removed all: 8 responses"


def test_staff_have_today_warmed_by_a_task(client: Client, staff: dict[str, str]) -> None:
    assert client.post("/api/cache/warm", headers=staff).json() == {"is_queued": True}
    queue = StreamBroker(list_key="default")
    waiting: Any = queue.connection.xrevrange(queue.stream, count=20)
    tasks = [(entry, SignedPackage.loads(fields[FIELD].decode())["func"]) for entry, fields in waiting]
    mine = [entry for entry, func in tasks if func == "moneyflow.publishing.warm"]
    queue.connection.xdel(queue.stream, *mine)
    assert mine


@pytest.mark.parametrize(("method", "name"), ROUTES[:3])
def test_without_valkey_it_is_a_503(
    client: Client, staff: dict[str, str], settings: Settings, method: str, name: str
) -> None:
    take_away(settings)
    payload = {"race_id": "r1"} if name == "invalidate" else {}
    answer = getattr(client, method)(f"/api/cache/{name}", payload, content_type="application/json", headers=staff)
    assert (answer.status_code, set(answer.json())) == (503, {"error"})
    assert not LogEntry.objects.exists()


# ── The admin's page ────────────────────────────────────────────────────────────────────────────
PAGE = "admin:cache"


def login(client: Client, *rights: str) -> Client:
    user = User.objects.create_user("robin", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client.force_login(user)
    return client


def test_who_may_view_sees_what_is_kept_and_no_button(client: Client) -> None:
    page = login(client, "view_operations").get(reverse(PAGE))
    assert page.context["stats"]["bodies"] == 8
    assert b'value="clear"' not in page.content
    assert client.post(reverse(PAGE), {"act": "clear", "sure": "yes"}).status_code == 403
    assert collect()["bodies"] == 8


def test_who_may_not_view_is_refused_and_not_led_there(client: Client) -> None:
    assert login(client).get(reverse(PAGE)).status_code == 403
    assert reverse(PAGE).encode() not in client.get(reverse("admin:index")).content
    visitor = Client().get(reverse(PAGE))
    assert "/admin/login/" in visitor.headers["Location"]


def test_a_form_of_another_site_is_refused() -> None:
    client = login(Client(enforce_csrf_checks=True), "view_operations", "change_operations")
    assert client.post(reverse(PAGE), {"act": "clear", "sure": "yes"}).status_code == 403
    assert collect()["bodies"] == 8


def test_clear_asks_before_it_drops_anything(admin_client: Client) -> None:
    page = admin_client.post(reverse(PAGE), {"act": "clear"})
    assert b"Yes, remove all" in page.content
    assert collect()["bodies"] == 8
    done = admin_client.post(reverse(PAGE), {"act": "clear", "sure": "yes"}, follow=True)
    assert b"Removed: 8 stored responses, of 2 races, meetings, cards or users." in done.content
    assert b"Removed all: 8 responses" in done.content
    assert collect()["bodies"] == 0


@pytest.mark.parametrize(
    ("by", "what", "said"),
    [
        ("race_id", "r1", "Removed: 4 stored responses, of 1 races"),
        ("key", LIVE, "Removed: 1 stored responses, of 1 races"),
        ("pattern", "*/live?", "Removed: 2 stored responses, of 2 races"),
        ("race_id", "nobody", "No such response is stored."),
        ("key", "/api/health", "is not the address of a stored response"),
        ("key", "", "This field is required."),
    ],
)
def test_the_form_invalidates_or_says_why_not(admin_client: Client, by: str, what: str, said: str) -> None:
    answer = admin_client.post(reverse(PAGE), {"act": "invalidate", "by": by, "what": what}, follow=True)
    assert said in answer.content.decode()


def test_the_page_without_valkey_says_so(admin_client: Client, settings: Settings) -> None:
    take_away(settings)
    assert b"Valkey cannot be reached" in admin_client.get(reverse(PAGE)).content
    answer = admin_client.post(reverse(PAGE), {"act": "clear", "sure": "yes"}, follow=True)
    assert b"Valkey does not answer" in answer.content


# ── The command ─────────────────────────────────────────────────────────────────────────────────
def said(*command: str) -> str:
    call_command("cache", *command, stdout=(out := StringIO()))
    return out.getvalue()


def test_the_command_does_the_same(reader: LaneClient) -> None:
    assert said("invalidate", "--key", LIVE) == "1 bodies in 1 topics dropped.\n"
    assert said("invalidate", "--pattern", "/api/races/*") == "2 bodies in 1 topics dropped.\n"
    assert said("invalidate", "--race", "r1") == "0 bodies in 1 topics dropped.\n"
    publishing.publish("race:r1")
    assert said("clear") == "4 bodies in 2 topics dropped.\n"
    told = said("stats")
    assert "topics     2 race\nbodies     0; bytes: identity 0, gzip 0, br 0\n" in told
    assert "hit rates  not known: " in told


def test_the_command_makes_todays_bodies(reader: LaneClient) -> None:
    Race.objects.update(race_date_nz=racing_day(clock.now()))
    actions.clear()
    assert said("warm") == "5 topics made.\n"
    assert [outcome(reader, address) for address in (LIVE, RACES)] == ["HIT", "HIT"]


@pytest.mark.parametrize("command", [["stats"], ["invalidate", "--race", "r1"], ["clear"], ["warm"]])
def test_the_command_says_that_valkey_is_away(settings: Settings, command: list[str]) -> None:
    take_away(settings)
    with pytest.raises(CommandError, match="Valkey does not answer"):
        said(*command)


def test_the_command_says_that_an_address_leads_nowhere() -> None:
    with pytest.raises(CommandError, match="is not the address of a stored response"):
        said("invalidate", "--key", "/api/health")
