"""The API's routes for staff: who is let in, by session or token, and that no answer of theirs is kept anywhere."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import path
from rest_framework.authtoken.models import Token
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from raceday.api.queries import read_query
from raceday.staff.routes import StaffViewSet

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


class DoorViewSet(StaffViewSet):
    def look(self, request: Request) -> Response:
        read_query(request)
        return Response({"is_open": True})

    def close(self, request: Request) -> Response:
        return Response({"is_open": False})


urlpatterns = [path("api/door", DoorViewSet.as_view({"get": "look", "post": "close"}))]


def make_user(*rights: str, is_staff: bool = True, **fields: Any) -> User:
    user = User.objects.create_user("kim", password="a long password", is_staff=is_staff, **fields)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights, content_type__app_label="raceday"))
    return user


def with_token(user: User) -> dict[str, str]:
    return {"Authorization": f"Token {Token.objects.create(user=user).key}"}


def test_who_does_not_say_who_they_are_is_told_how(client: Client) -> None:
    answer = client.get("/api/door")
    assert (answer.status_code, answer["WWW-Authenticate"], answer["Cache-Control"]) == (401, "Token", "no-store")
    assert set(answer.json()) == {"error"}


@pytest.mark.parametrize("key", ["Token wrong", "Token", "Token a b"])
def test_a_token_nobody_was_given_is_a_401(client: Client, key: str) -> None:
    answer = client.get("/api/door", headers={"Authorization": key})
    assert (answer.status_code, set(answer.json())) == (401, {"error"})


@pytest.mark.parametrize(
    ("rights", "is_staff", "method", "status"),
    [
        ((), True, "get", 403),
        (("view_operations",), True, "get", 200),
        (("view_operations",), True, "post", 403),
        (("change_operations",), True, "post", 200),
        (("change_operations",), True, "get", 403),
        (("view_operations", "change_operations"), False, "get", 403),
        (("view_operations", "change_operations"), False, "post", 403),
    ],
)
def test_a_right_of_staff_opens_what_it_names(
    client: Client, rights: tuple[str, ...], is_staff: bool, method: str, status: int
) -> None:
    answer = getattr(client, method)("/api/door", headers=with_token(make_user(*rights, is_staff=is_staff)))
    assert (answer.status_code, answer["Cache-Control"]) == (status, "no-store")
    assert ("error" in answer.json()) == (status == 403)


def test_a_superuser_has_every_right(client: Client) -> None:
    headers = with_token(make_user(is_superuser=True))
    assert client.get("/api/door", headers=headers).json() == {"is_open": True}
    assert client.post("/api/door", headers=headers).json() == {"is_open": False}


def test_somebody_who_left_is_let_in_no_more(client: Client) -> None:
    user = make_user("view_operations")
    headers = with_token(user)
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert client.get("/api/door", headers=headers).status_code == 401


def test_a_session_of_the_admin_reads_and_acts_only_with_its_csrf_token() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user("view_operations", "change_operations"))
    assert client.get("/api/door").status_code == 200
    refused = client.post("/api/door")
    assert refused.status_code == 403
    assert refused.json()["error"].startswith("CSRF Failed")
    client.cookies["csrftoken"] = "a" * 32
    assert client.post("/api/door", {}, "application/json", headers={"X-CSRFToken": "a" * 32}).status_code == 200


def test_answers_have_no_tag_and_are_never_a_304(client: Client) -> None:
    headers = with_token(make_user("view_operations"))
    answer = client.get("/api/door", headers={**headers, "If-None-Match": "*"})
    assert (answer.status_code, "ETag" in answer.headers, answer["Cache-Control"]) == (200, False, "no-store")


def test_an_unknown_query_name_is_a_400_that_nobody_keeps(client: Client) -> None:
    answer = client.get("/api/door?key=1", headers=with_token(make_user("view_operations")))
    assert (answer.status_code, answer["Cache-Control"]) == (400, "no-store")
    assert answer.json() == {"error": "bad query: key", "details": {"key": ["unknown query parameter"]}}
