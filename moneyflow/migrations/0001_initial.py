"""user_alert_configs, and money_flow_history and odds_history: in partitions (moneyflow.store.partitions)."""

from typing import ClassVar

from django.db import migrations, models
from django.db.models.functions import Now

# No foreign keys: they made the write 2.2 times slower, and the same statement writes the parents.
# No default partition: one that holds rows blocks the making of the right one.
FORWARD = """
SET LOCAL lock_timeout = '5s';
CREATE TABLE money_flow_history (
    id                        bigserial NOT NULL,
    entrant_id                text NOT NULL,
    race_id                   text NOT NULL,
    hold_percentage           numeric(5,2),
    bet_percentage            numeric(5,2),
    type                      text NOT NULL,
    time_to_start             integer NOT NULL,
    seconds_to_start          integer NOT NULL,
    time_interval             numeric(6,1) NOT NULL,
    interval_type             text NOT NULL,
    event_timestamp           timestamptz NOT NULL,
    polling_timestamp         timestamptz NOT NULL,
    win_pool_amount           bigint,
    place_pool_amount         bigint,
    win_pool_percentage       numeric(7,4),
    place_pool_percentage     numeric(7,4),
    incremental_amount        bigint,
    incremental_win_amount    bigint,
    incremental_place_amount  bigint,
    fixed_win_odds            numeric(10,2),
    fixed_place_odds          numeric(10,2),
    pool_win_odds             numeric(10,2),
    pool_place_odds           numeric(10,2),
    pool_type                 text NOT NULL DEFAULT 'win',
    is_consolidated           boolean NOT NULL DEFAULT false,
    created_at                timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (entrant_id, event_timestamp)
) PARTITION BY RANGE (event_timestamp);
CREATE INDEX money_flow_history_race ON money_flow_history (race_id, event_timestamp);
CREATE TABLE odds_history (
    id              bigserial NOT NULL,
    entrant_id      text NOT NULL,
    odds            numeric(10,2) NOT NULL,
    type            text NOT NULL CHECK (type IN ('fixed_win', 'fixed_place', 'pool_win', 'pool_place')),
    event_timestamp timestamptz NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (entrant_id, event_timestamp, type)
) PARTITION BY RANGE (event_timestamp);
"""
REVERSE = """
SET LOCAL lock_timeout = '5s';
DROP TABLE odds_history, money_flow_history;
"""


class Migration(migrations.Migration):
    initial = True
    dependencies: ClassVar = [("races", "0001_initial")]
    operations: ClassVar = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(FORWARD, REVERSE)],
            state_operations=[
                migrations.CreateModel(
                    name="MoneyFlowHistory",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "entrant_id",
                                "event_timestamp",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("id", models.BigIntegerField()),
                        ("entrant_id", models.TextField()),
                        ("race_id", models.TextField()),
                        ("hold_percentage", models.DecimalField(decimal_places=2, max_digits=5, null=True)),
                        ("bet_percentage", models.DecimalField(decimal_places=2, max_digits=5, null=True)),
                        ("type", models.TextField(help_text="what the Win share was derived from: pool_win or hold")),
                        ("time_to_start", models.IntegerField(help_text="whole minutes to the advertised start")),
                        ("seconds_to_start", models.IntegerField()),
                        (
                            "time_interval",
                            models.DecimalField(
                                decimal_places=1, help_text="the bucket, minutes to start", max_digits=6
                            ),
                        ),
                        ("interval_type", models.TextField()),
                        ("event_timestamp", models.DateTimeField(help_text="the feed's own time")),
                        ("polling_timestamp", models.DateTimeField(help_text="when the answer was in hand")),
                        ("win_pool_amount", models.BigIntegerField(null=True)),
                        ("place_pool_amount", models.BigIntegerField(null=True)),
                        ("win_pool_percentage", models.DecimalField(decimal_places=4, max_digits=7, null=True)),
                        ("place_pool_percentage", models.DecimalField(decimal_places=4, max_digits=7, null=True)),
                        ("incremental_amount", models.BigIntegerField(null=True)),
                        ("incremental_win_amount", models.BigIntegerField(null=True)),
                        ("incremental_place_amount", models.BigIntegerField(null=True)),
                        ("fixed_win_odds", models.DecimalField(decimal_places=2, max_digits=10, null=True)),
                        ("fixed_place_odds", models.DecimalField(decimal_places=2, max_digits=10, null=True)),
                        ("pool_win_odds", models.DecimalField(decimal_places=2, max_digits=10, null=True)),
                        ("pool_place_odds", models.DecimalField(decimal_places=2, max_digits=10, null=True)),
                        ("pool_type", models.TextField(default="win")),
                        ("is_consolidated", models.BooleanField(default=False)),
                        ("created_at", models.DateTimeField(db_default=Now(), editable=False)),
                    ],
                    options={
                        "db_table": "money_flow_history",
                    },
                ),
                migrations.CreateModel(
                    name="OddsHistory",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "entrant_id",
                                "event_timestamp",
                                "type",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("id", models.BigIntegerField()),
                        ("entrant_id", models.TextField()),
                        ("odds", models.DecimalField(decimal_places=2, max_digits=10)),
                        (
                            "type",
                            models.TextField(
                                choices=[
                                    ("fixed_win", "Fixed Win"),
                                    ("fixed_place", "Fixed Place"),
                                    ("pool_win", "Pool Win"),
                                    ("pool_place", "Pool Place"),
                                ]
                            ),
                        ),
                        ("event_timestamp", models.DateTimeField()),
                        ("created_at", models.DateTimeField(db_default=Now(), editable=False)),
                    ],
                    options={
                        "db_table": "odds_history",
                    },
                ),
            ],
        ),
        migrations.CreateModel(
            name="UserAlertConfig",
            fields=[
                ("user_id", models.TextField(primary_key=True, serialize=False)),
                ("indicators", models.JSONField()),
                ("toggle_all", models.BooleanField()),
                ("audible_alerts_enabled", models.BooleanField()),
                ("created_at", models.DateTimeField(db_default=Now(), editable=False)),
                ("updated_at", models.DateTimeField(db_default=Now(), editable=False)),
            ],
            options={
                "db_table": "user_alert_configs",
            },
        ),
    ]
