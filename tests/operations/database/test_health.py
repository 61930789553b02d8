"""GET /api/db-health/stats: for staff only, as its description says, bounded and without secrets."""

from typing import Any

import pytest
import schemathesis
from django.test import Client
from rest_framework.authtoken.models import Token

from accounts.models import User
from config.wsgi import application

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_transaction")]
ADDRESS = "/api/db-health/stats"


@pytest.fixture
def staff() -> dict[str, str]:
    user = User.objects.create_superuser("kim", password="a long password")
    return {"Authorization": f"Token {Token.objects.create(user=user).key}"}


@pytest.mark.parametrize("address", [ADDRESS, f"{ADDRESS}/"])
def test_staff_are_told_and_nobody_else(client: Client, staff: dict[str, str], address: str) -> None:
    assert client.get(address).status_code == 401
    answer = client.get(address, headers=staff)
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    assert answer.json()["problems"] == {}


def test_the_answer_is_as_described(staff: dict[str, str]) -> None:
    case = schemathesis.openapi.from_wsgi("/api/schema", application)[ADDRESS]["GET"].Case()
    case.call_and_validate(headers={**staff, "Accept-Encoding": "identity"})


def test_a_part_that_is_not_known_is_null_as_described(staff: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONNECTIONS", "TABLES", "PARTITIONS", "INDEXES", "CACHE", "EXTENSION", "LONG"):
        monkeypatch.setattr(f"operations.database.statistics.{name}", "SELECT 1 / 0")
    case = schemathesis.openapi.from_wsgi("/api/schema", application)[ADDRESS]["GET"].Case()
    answer = case.call_and_validate(headers={**staff, "Accept-Encoding": "identity"})
    told: dict[str, Any] = answer.json()
    nulls = {"connections", "pool", "tables", "partitions", "indexes", "cache", "statements", "long_running"}
    assert {name for name, part in told.items() if part is None} == nulls == set(told["problems"])
