"""What a start needs once the servers are up, in one process: migrations, a login for the admin, the day's card."""

import logging
import secrets
import socket
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection, transaction
from django.db.migrations.exceptions import InconsistentMigrationHistory
from django.db.migrations.loader import MigrationLoader

FEED_SECONDS = 10.0


class Command(BaseCommand):
    """Prepare the database; `./run demo` and `./run live` follow its lines."""

    help = "Migrates, makes the first admin login and imports the day."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Say `database ready` once migrated; a day that cannot be imported is only told."""
        if reason := why_not_ours():
            self.stdout.write(f"refused: {reason}")
            return
        call_command("migrate", verbosity=0, interactive=False)
        self.stdout.write("database ready")
        count_statements(self.stdout.write)
        users = get_user_model().objects
        if not users.filter(is_superuser=True).exists():
            password = secrets.token_urlsafe(12)
            users.create_superuser("admin", password=password)
            self.stdout.write(f"admin login: admin / {password}")
        await_feed()
        try:
            call_command("import_day", stdout=self.stdout)
        except Exception as fault:
            logging.getLogger(__name__).exception("the day was not imported")
            self.stdout.write(f"the day was not imported: {type(fault).__name__}: {fault}")
        self.stdout.flush()


def why_not_ours() -> str | None:
    """Return why this Raceday may not migrate the database, None if it may."""
    tables = set(connection.introspection.table_names())
    if tables and "django_migrations" not in tables:
        return "the database holds tables that are not Raceday's: name an empty one, by DATABASE_URL or RACEDAY_HOME."
    loader = MigrationLoader(connection)
    try:
        loader.check_consistent_history(connection)
    except InconsistentMigrationHistory:
        pass
    else:
        if loader.disk_migrations.keys() >= loader.applied_migrations.keys() - loader.replacements.keys():
            return None
    return (
        "the database was made by another version of Raceday: start with an empty one, by another RACEDAY_HOME or"
        " DATABASE_URL, or by ./run demo --fresh."
    )


def count_statements(tell: Callable[[str], Any]) -> None:
    """Let PostgreSQL count its statements for /api/db-health/stats, or say why it may not."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    except DatabaseError as fault:
        tell(f"statements are not counted, all else works: {str(fault).partition(chr(10))[0]}")


def await_feed() -> None:
    """Give a feed that is just starting a moment to listen."""
    address = urlsplit(settings.NZTAB_API_URL)
    give_up = time.monotonic() + FEED_SECONDS
    while time.monotonic() < give_up:
        try:
            socket.create_connection((address.hostname, address.port or 443), timeout=2).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
