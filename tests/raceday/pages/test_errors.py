"""Errors are pages of the admin in the admin, JSON below /api, and pages of the board everywhere else."""

from collections.abc import Callable

import pytest
from django.core.exceptions import SuspiciousOperation
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path, reverse
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from config import urls

pytestmark = pytest.mark.django_db
MENU = b'href="/admin/races/race/"'


def failing(fault: Exception) -> Callable[[HttpRequest], HttpResponse]:
    def fail(request: HttpRequest) -> HttpResponse:
        raise fault

    return fail


# The addresses of the product, with some that fail.
urlpatterns = [
    path("admin/fail", failing(ValueError("a secret"))),
    path("admin/away", failing(OperationalError("a secret"))),
    path("admin/odd", failing(SuspiciousOperation("a secret"))),
    path("fail", failing(ValueError("a secret"))),
    path("away", failing(OperationalError("a secret"))),
    path("odd", failing(SuspiciousOperation("a secret"))),
    path("api/fail", failing(ValueError("a secret"))),
    path("api/odd", failing(SuspiciousOperation("a secret"))),
    *urls.urlpatterns,
]
handler400, handler403, handler404, handler500 = urls.handler400, urls.handler403, urls.handler404, urls.handler500


@pytest.fixture
def staff() -> Client:
    client = Client(raise_request_exception=False, enforce_csrf_checks=True)
    client.force_login(User.objects.create_user("kim", is_staff=True))
    return client


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("/admin/nothing/", 404, "There is no page at this address."),
        ("/admin/accounts/user/", 403, "You do not have the right"),
    ],
)
def test_an_error_is_a_page_with_the_menu(staff: Client, address: str, status: int, said: str) -> None:
    answer = staff.get(address)
    assert answer.status_code == status
    assert said in answer.content.decode()
    assert MENU in answer.content


@pytest.mark.urls(__name__)
@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("/admin/fail", 500, "Something went wrong"),
        ("/admin/away", 503, "The database does not answer"),
        ("/admin/odd", 400, "Bad request"),
    ],
)
def test_a_failure_is_a_page_that_asks_nobody_and_tells_no_secret(
    staff: Client, address: str, status: int, said: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        answer = staff.get(address)
    assert answer.status_code == status
    assert f">{said}</h1>" in answer.content.decode()
    assert "unfold/css/styles.css" in answer.content.decode()
    assert "a secret" not in answer.content.decode()


def test_a_form_without_its_key_is_told_so(staff: Client) -> None:
    answer = staff.post(reverse("admin:cache"), {"act": "warm"})
    assert answer.status_code == 403
    assert "The form is too old" in answer.content.decode()
    assert MENU in answer.content


PAGES = [
    ("/nothing", 404, "There is no page at this address."),
    ("/administration", 404, "There is no page at this address."),
    ("/races/nowhere", 404, "No such race."),
    ("/?date=yesterday", 400, "The request cannot be read."),
    ("/odd", 400, "The request cannot be read."),
    ("/fail", 500, "It is in the log of the web server."),
    ("/away", 503, "Try again in a moment."),
]


@pytest.mark.urls(__name__)
@pytest.mark.parametrize(("address", "status", "said"), PAGES)
def test_a_persons_wrong_address_is_a_page_that_is_not_live(
    staff: Client, address: str, status: int, said: str
) -> None:
    answer = staff.get(address)
    page = answer.content.decode()
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert said in page
    assert 'href="/static/board/page.css"' in page
    assert "<script" not in page
    assert "a secret" not in page


@pytest.mark.urls(__name__)
def test_a_page_of_an_error_asks_no_database(staff: Client, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        assert staff.get("/fail").status_code == 500
        assert staff.get("/nothing").status_code == 404


@pytest.mark.urls(__name__)
@pytest.mark.parametrize(
    ("address", "status"), [("/api", 200), ("/api/nothing", 404), ("/api/odd", 400), ("/api/fail", 500)]
)
def test_an_error_of_the_api_is_json_also_for_a_browser(staff: Client, address: str, status: int) -> None:
    answer = staff.get(address, headers={"accept": "text/html"})
    assert answer.status_code == status
    assert status == 200 or set(answer.json()) == {"error"}


def test_a_client_that_takes_no_html_gets_json(client: Client) -> None:
    answer = client.get("/nothing", headers={"accept": "application/json"})
    assert (answer.status_code, set(answer.json())) == (404, {"error"})


def test_a_page_takes_no_post(client: Client) -> None:
    answer = client.post("/races/r1")
    assert (answer.status_code, answer.headers["Content-Type"]) == (405, "text/html; charset=utf-8")


def test_a_login_that_was_on_the_way_to_no_page_leads_to_the_first_one(client: Client) -> None:
    User.objects.create_user("robin", password="a long password", is_staff=True)
    answer = client.post(reverse("admin:login"), {"username": "robin", "password": "a long password"})
    assert answer.headers["Location"] == "/admin/"
