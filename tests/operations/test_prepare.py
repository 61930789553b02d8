"""What `prepare` refuses to migrate."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from operations.management.commands.prepare import why_not_ours

pytestmark = pytest.mark.django_db


def change(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_our_own_database_may_be_migrated() -> None:
    assert why_not_ours() is None


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


def test_a_database_of_something_else_is_refused() -> None:
    change("ALTER TABLE django_migrations RENAME TO somebody_elses")
    assert str(why_not_ours()).startswith("the database holds tables that are not Raceday's")
