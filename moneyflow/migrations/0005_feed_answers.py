"""feed_answers: the feed's answers as they came, in partitions as history is (moneyflow.store.partitions)."""

from typing import ClassVar

from django.db import migrations, models
from django.db.models.functions import Now

# Most bodies take 50 bytes, so columns of eight bytes come first and pad nothing. New rows are the
# last of an index by time, which so stays full.
FORWARD = """
SET LOCAL lock_timeout = '5s';
CREATE TABLE feed_answers (
    sequence      bigserial NOT NULL,
    polled_at     timestamptz NOT NULL,
    generated_at  timestamptz,
    base_at       timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now(),
    fetch_ms      double precision NOT NULL,
    http_status   smallint NOT NULL DEFAULT 200,
    race_id       text NOT NULL,
    sha256        bytea NOT NULL,
    body          bytea NOT NULL,
    PRIMARY KEY (polled_at, race_id)
) PARTITION BY RANGE (polled_at);
"""
REVERSE = """
SET LOCAL lock_timeout = '5s';
DROP TABLE feed_answers;
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("moneyflow", "0004_late_money_calibration")]
    operations: ClassVar = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(FORWARD, REVERSE)],
            state_operations=[
                migrations.CreateModel(
                    name="FeedAnswer",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "polled_at", "race_id", blank=True, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("sequence", models.BigIntegerField(help_text="the order in which answers were stored")),
                        ("race_id", models.TextField(help_text="or card:2026-11-21 for a page of a day's card")),
                        ("polled_at", models.DateTimeField(help_text="when the answer was in hand")),
                        ("generated_at", models.DateTimeField(help_text="the feed's own time", null=True)),
                        ("http_status", models.SmallIntegerField(db_default=200)),
                        ("fetch_ms", models.FloatField()),
                        ("sha256", models.BinaryField(help_text="of the body, unpacked")),
                        (
                            "base_at",
                            models.DateTimeField(
                                help_text="polled_at of the answer that it is packed against", null=True
                            ),
                        ),
                        ("body", models.BinaryField(help_text="packed by moneyflow.archive.packing")),
                        ("created_at", models.DateTimeField(db_default=Now(), editable=False)),
                    ],
                    options={
                        "db_table": "feed_answers",
                    },
                ),
            ],
        ),
    ]
