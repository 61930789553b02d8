"""How the database is emptied after a test that commits: its rows are deleted, where Django truncates every table.

A truncated table gets new files, as does each of its indexes and partitions. A test writes a few rows of a few tables.
"""

from collections.abc import Iterator

import pytest
from django.db import connections
from django.test import TransactionTestCase

# What migrating made stays. Whatever the order, nothing is in the way: foreign keys cascade or are deferred.
DELETE = """
DO $$
DECLARE place regclass;
BEGIN
    FOR place IN
        SELECT oid FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
        AND relname NOT IN ('django_migrations', 'django_content_type', 'auth_permission')
    LOOP
        EXECUTE format('DELETE FROM %s', place);
    END LOOP;
END
$$
"""


def delete_rows(case: TransactionTestCase) -> None:
    """Empty the databases that a test was given."""
    for name in case._databases_names(include_mirrors=False):  # type: ignore[attr-defined]
        with connections[name].cursor() as cursor:
            cursor.execute(DELETE)


@pytest.fixture(autouse=True, scope="session")
def rows_are_deleted() -> Iterator[None]:
    """Take the place of Django's flush."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", delete_rows)
        yield
