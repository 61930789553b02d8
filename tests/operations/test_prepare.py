"""What a start prepares: the database, one login, and the day, which may have to wait for the feed. Or it refuses."""

from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from pytest_django import Settings

from operations.management.commands import prepare

LOGIN = "admin login: admin / "


def prepared() -> list[str]:
    call_command("prepare", stdout=(out := StringIO()))
    return out.getvalue().splitlines()


@pytest.mark.django_db(transaction=True)
def test_without_the_feed_all_but_the_day_is_there_and_the_login_is_made_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.NZTAB_API_URL = "http://127.0.0.1:9"
    monkeypatch.setattr(prepare, "FEED_SECONDS", 0.3)
    lines = prepared()
    assert lines[0] == "database ready"
    assert lines[-1].startswith("the day was not imported: CommandError: the feed did not give the card of ")
    (password,) = (line.removeprefix(LOGIN) for line in lines if line.startswith(LOGIN))
    assert get_user_model().objects.get(username="admin", is_superuser=True).check_password(password)
    assert prepared() == [line for line in lines if not line.startswith(LOGIN)]


def change(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.django_db
def test_our_own_database_may_be_migrated() -> None:
    assert prepare.why_not_ours() is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO django_migrations (app, name, applied) VALUES ('races', '0099_from_tomorrow', now())",
        "DELETE FROM django_migrations WHERE app = 'accounts'",  # made while users were Django's own
    ],
)
def test_a_database_of_another_version_is_refused_in_a_sentence_and_left_alone(statement: str) -> None:
    change(statement)
    call_command("prepare", stdout=(out := StringIO()))
    assert out.getvalue().startswith("refused: the database was made by another version of Raceday: start with an")
    assert out.getvalue().count("\n") == 1


@pytest.mark.django_db
def test_a_database_of_something_else_is_refused() -> None:
    change("ALTER TABLE django_migrations RENAME TO somebody_elses")
    assert str(prepare.why_not_ours()).startswith("the database holds tables that are not Raceday's")
