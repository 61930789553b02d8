"""The table meetings, and the trigger function every table with updated_at uses."""

from typing import ClassVar

from django.db import migrations, models
from django.db.models.functions import Now

FORWARD = """
SET LOCAL lock_timeout = '5s';
CREATE FUNCTION set_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END $$;
CREATE TABLE meetings (
    meeting_id      text PRIMARY KEY,
    meeting_name    text NOT NULL,
    country         text NOT NULL,
    state           text,
    race_type       text NOT NULL CHECK (race_type IN ('thoroughbred', 'harness', 'greyhound')),
    date            date NOT NULL,
    status          text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'completed', 'abandoned')),
    track_condition text,
    weather         text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX meetings_active ON meetings (date, race_type) WHERE status = 'active';
CREATE TRIGGER meetings_updated_at BEFORE UPDATE ON meetings
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION set_updated_at();
"""
REVERSE = """
SET LOCAL lock_timeout = '5s';
DROP TABLE meetings;
DROP FUNCTION set_updated_at();
"""


class Migration(migrations.Migration):
    initial = True
    dependencies: ClassVar = []
    operations: ClassVar = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(FORWARD, REVERSE)],
            state_operations=[
                migrations.CreateModel(
                    name="Meeting",
                    fields=[
                        ("meeting_id", models.TextField(primary_key=True, serialize=False)),
                        ("meeting_name", models.TextField()),
                        ("country", models.TextField()),
                        ("state", models.TextField(null=True)),
                        (
                            "race_type",
                            models.TextField(
                                choices=[
                                    ("thoroughbred", "Thoroughbred"),
                                    ("harness", "Harness"),
                                    ("greyhound", "Greyhound"),
                                ]
                            ),
                        ),
                        ("date", models.DateField()),
                        (
                            "status",
                            models.TextField(
                                choices=[
                                    ("active", "Active"),
                                    ("completed", "Completed"),
                                    ("abandoned", "Abandoned"),
                                ],
                                default="active",
                            ),
                        ),
                        ("track_condition", models.TextField(null=True)),
                        ("weather", models.TextField(null=True)),
                        ("created_at", models.DateTimeField(db_default=Now(), editable=False)),
                        ("updated_at", models.DateTimeField(db_default=Now(), editable=False)),
                    ],
                    options={"db_table": "meetings", "ordering": ["date", "meeting_name"]},
                )
            ],
        )
    ]
