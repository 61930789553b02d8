"""Access tokens in the admin: made for a user, shown once, recorded without the key."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from rest_framework.authtoken.models import Token

from accounts.models import User

pytestmark = pytest.mark.django_db
LIST, ADD = "admin:accounts_accesstoken_changelist", "admin:accounts_accesstoken_add"


def user_with(*rights: str) -> User:
    user = User.objects.create_user("robin", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    return user


def test_a_key_is_shown_once_when_it_is_made(admin_client: Client, admin_user: User) -> None:
    made = admin_client.post(reverse(ADD), {"user": admin_user.pk}, follow=True)
    key = Token.objects.get(user=admin_user).key
    assert made.content.decode().count(key) == 1
    for page in (reverse(LIST), reverse("admin:accounts_accesstoken_change", args=[admin_user.pk])):
        shown = admin_client.get(page)
        assert shown.status_code == 200
        assert key not in shown.content.decode()
    assert LogEntry.objects.get().object_repr == "token of admin"
    assert reverse(LIST).encode() in admin_client.get(reverse("admin:index")).content


def test_a_key_is_taken_back(admin_client: Client, admin_user: User) -> None:
    key = Token.objects.create(user=admin_user).key
    url = reverse("admin:accounts_accesstoken_delete", args=[admin_user.pk])
    assert key not in admin_client.get(url).content.decode()
    admin_client.post(url, {"post": "yes"})
    assert not Token.objects.exists()
    assert LogEntry.objects.get().object_repr == "token of admin"


def test_who_is_no_superuser_makes_a_key_only_for_themselves(client: Client, admin_user: User) -> None:
    robin = user_with("add_accesstoken", "view_accesstoken")
    client.force_login(robin)
    assert b"Select a valid choice" in client.post(reverse(ADD), {"user": admin_user.pk}).content
    client.post(reverse(ADD), {"user": robin.pk})
    assert [token.user for token in Token.objects.all()] == [robin]


def test_without_the_right_there_are_no_keys_to_see(client: Client) -> None:
    client.force_login(user_with())
    assert client.get(reverse(LIST)).status_code == 403
    assert reverse(LIST).encode() not in client.get(reverse("admin:index")).content
