"""Failed logins of the admin make the next ones wait."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.core.cache import caches
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.models import User
from raceday.api.clients import client_address
from raceday.staff.login import FREE_FAILURES, start_attempt, wait_after

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
REFUSED = b"Too many failed logins. Please try again in "
WRONG = b"Please enter the correct username and password"


@pytest.fixture(autouse=True)
def own_counters(settings: Settings) -> Iterator[None]:
    settings.CACHES = {"default": {**settings.CACHES["default"], "KEY_PREFIX": f"test-{uuid4()}"}}
    own = caches["default"]
    yield
    own.delete_pattern("*")  # type: ignore[attr-defined]


@pytest.fixture
def boss(db: None) -> User:
    return User.objects.create_superuser("boss", password=PASSWORD)


def login(client: Client, password: str, username: str = "boss", address: str = "192.0.2.1") -> HttpResponse:
    credentials = {"username": username, "password": password}
    return client.post(reverse("admin:login"), credentials, REMOTE_ADDR=address)  # type: ignore[return-value]


def fail(client: Client, times: int, username: str = "boss", address: str = "192.0.2.1") -> None:
    for _ in range(times):
        assert WRONG in login(client, "wrong", username, address).content


@pytest.mark.parametrize(
    ("failures", "seconds"), [(0, 0), (4, 0), (5, 30), (6, 60), (7, 120), (9, 480), (10, 900), (10_000, 900)]
)
def test_the_wait_doubles_from_30_seconds_to_15_minutes(failures: int, seconds: int) -> None:
    assert wait_after(failures) == seconds


def test_after_five_failures_even_the_right_password_is_refused(client: Client, boss: User) -> None:
    fail(client, FREE_FAILURES)
    assert REFUSED in login(client, PASSWORD).content
    assert "_auth_user_id" not in client.session


def test_a_name_that_nobody_has_is_treated_alike(client: Client, boss: User) -> None:
    fail(client, FREE_FAILURES, username="nobody")
    assert REFUSED in login(client, "wrong", username="nobody").content


def test_an_address_that_tries_many_names_is_refused_for_all(client: Client, boss: User) -> None:
    for number in range(FREE_FAILURES):
        fail(client, 1, username=f"name-{number}")
    assert REFUSED in login(client, PASSWORD).content


def test_another_address_is_not_kept_out(client: Client, boss: User) -> None:
    fail(client, FREE_FAILURES)
    assert login(client, PASSWORD, address="192.0.2.2").status_code == 302


def test_a_success_starts_the_count_anew(client: Client, boss: User) -> None:
    fail(client, FREE_FAILURES - 1)
    assert login(client, PASSWORD).status_code == 302
    fail(client, FREE_FAILURES - 1)
    assert login(client, PASSWORD).status_code == 302


def test_a_right_password_without_the_right_to_enter_counts_as_a_failure(client: Client) -> None:
    User.objects.create_user("visitor", password=PASSWORD)
    for _ in range(FREE_FAILURES):
        assert WRONG in login(client, PASSWORD, username="visitor").content
    assert REFUSED in login(client, PASSWORD, username="visitor").content


def test_the_case_of_a_name_makes_no_new_count(client: Client, boss: User) -> None:
    for number, name in enumerate(["boss", "Boss", "BOSS", " boss", "bOSS"]):
        login(client, "wrong", username=name)
        start_attempt((f"another-{number}",))
    assert REFUSED in login(client, PASSWORD).content


def test_an_empty_form_is_no_attempt(client: Client, boss: User) -> None:
    for _ in range(FREE_FAILURES + 1):
        login(client, "", username="")
    assert login(client, PASSWORD).status_code == 302


def test_of_attempts_after_a_wait_one_passes_and_doubles_it() -> None:
    for _ in range(FREE_FAILURES):
        assert start_attempt(("somebody",)) == 0
    assert start_attempt(("somebody",)) == pytest.approx(30, abs=2)
    caches["default"].delete("login:wait:somebody")  # as time would
    assert start_attempt(("somebody",)) == 0
    assert start_attempt(("somebody",)) == pytest.approx(60, abs=2)


def test_without_valkey_login_works(client: Client, boss: User, settings: Settings) -> None:
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}
    assert WRONG in login(client, "wrong").content
    assert login(client, PASSWORD).status_code == 302


@pytest.mark.parametrize(
    ("proxy", "address"), [(None, "192.0.2.1"), (("HTTP_X_FORWARDED_PROTO", "https"), "198.51.100.7")]
)
def test_only_behind_a_proxy_its_word_for_the_address_counts(
    settings: Settings, proxy: tuple[str, str] | None, address: str
) -> None:
    settings.SECURE_PROXY_SSL_HEADER = proxy
    meta = {"HTTP_X_FORWARDED_FOR": "203.0.113.9, 198.51.100.7", "REMOTE_ADDR": "192.0.2.1"}
    assert client_address(meta) == address
