"""Races, entrants, race_pools, race_results and poll_marks as they stand now; a meeting settles with its last race.

It settles by a trigger because two races of one meeting may end in the same moment. Each of the two statements sees
the other race as still running. In the trigger the second waits for the first one's lock on the meeting, and then
sees what the first has committed.
"""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models
from django.db.models.functions import Now

FORWARD = """
SET LOCAL lock_timeout = '5s';
CREATE TABLE races (
    race_id         text PRIMARY KEY,
    name            text NOT NULL,
    race_number     integer NOT NULL,
    start_time      timestamptz NOT NULL,
    status          text NOT NULL,
    actual_start    timestamptz,
    meeting_id      text NOT NULL REFERENCES meetings ON DELETE CASCADE,
    race_date_nz    date NOT NULL,
    distance        integer,
    track_condition text,
    weather         text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);
CREATE INDEX races_live ON races (start_time) WHERE status NOT IN ('Final', 'Abandoned');
CREATE INDEX races_start_time ON races (start_time);
CREATE INDEX races_meeting ON races (meeting_id);
CREATE TABLE entrants (
    entrant_id       text PRIMARY KEY,
    name             text NOT NULL,
    runner_number    integer NOT NULL,
    win_odds         numeric(10,2),
    place_odds       numeric(10,2),
    fixed_win_odds   numeric(10,2),
    fixed_place_odds numeric(10,2),
    pool_win_odds    numeric(10,2),
    pool_place_odds  numeric(10,2),
    recorded_odds    numeric(10,2)[],
    hold_percentage  numeric(5,2),
    bet_percentage   numeric(5,2),
    is_scratched     boolean NOT NULL DEFAULT false,
    scratched_at     timestamptz,
    gone_at          timestamptz,
    race_id          text NOT NULL REFERENCES races ON DELETE CASCADE,
    jockey           text,
    trainer_name     text,
    barrier          integer,
    weight           numeric(5,2),
    silk_colours     text,
    silk_url_64      text,
    silk_url_128     text,
    is_favourite     boolean,
    is_mover         boolean,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
CREATE INDEX entrants_race ON entrants (race_id);
CREATE INDEX entrants_running ON entrants (race_id) WHERE NOT is_scratched;
CREATE TABLE race_pools (
    race_id             text PRIMARY KEY REFERENCES races ON DELETE CASCADE,
    win_pool_total      numeric(12,2),
    place_pool_total    numeric(12,2),
    quinella_pool_total numeric(12,2),
    trifecta_pool_total numeric(12,2),
    exacta_pool_total   numeric(12,2),
    first4_pool_total   numeric(12,2),
    total_race_pool     numeric(12,2),
    data_quality_score  integer,
    last_updated        timestamptz NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE race_results (
    race_id          text PRIMARY KEY REFERENCES races ON DELETE CASCADE,
    results          jsonb NOT NULL,
    dividends        jsonb NOT NULL,
    result_status    text NOT NULL CHECK (result_status IN ('interim', 'final', 'protest')),
    photo_finish     boolean,
    stewards_inquiry boolean,
    protest_lodged   boolean,
    result_time      timestamptz NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE poll_marks (
    race_id         text PRIMARY KEY REFERENCES races ON DELETE CASCADE,
    version         bigint NOT NULL DEFAULT 1,
    polled_at       timestamptz NOT NULL,
    changed_at      timestamptz NOT NULL DEFAULT now(),
    generated_at    timestamptz NOT NULL,
    last_reading_at timestamptz,
    digest          text NOT NULL
) WITH (fillfactor = 50);
CREATE TRIGGER races_updated_at BEFORE UPDATE ON races
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION set_updated_at();
CREATE TRIGGER entrants_updated_at BEFORE UPDATE ON entrants
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION set_updated_at();
CREATE TRIGGER race_results_updated_at BEFORE UPDATE ON race_results
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION set_updated_at();
CREATE FUNCTION settle_meeting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM meetings WHERE meeting_id = NEW.meeting_id FOR NO KEY UPDATE;
    UPDATE meetings AS meeting SET status = settled.status
    FROM (
        SELECT CASE
            WHEN bool_and(status = 'Abandoned') THEN 'abandoned'
            WHEN bool_and(status IN ('Final', 'Abandoned')) THEN 'completed'
            ELSE 'active' END AS status
        FROM races WHERE meeting_id = NEW.meeting_id) AS settled
    WHERE meeting.meeting_id = NEW.meeting_id AND meeting.status <> settled.status;
    RETURN NULL;
END $$;
CREATE TRIGGER races_begun_ended AFTER INSERT ON races FOR EACH ROW
    WHEN (NEW.status IN ('Final', 'Abandoned')) EXECUTE FUNCTION settle_meeting();
CREATE TRIGGER races_ended AFTER UPDATE ON races FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status
        AND (OLD.status IN ('Final', 'Abandoned') OR NEW.status IN ('Final', 'Abandoned')))
    EXECUTE FUNCTION settle_meeting();
"""
REVERSE = """
SET LOCAL lock_timeout = '5s';
DROP TABLE poll_marks, race_results, race_pools, entrants, races;
DROP FUNCTION settle_meeting();
"""


class Migration(migrations.Migration):
    initial = True
    dependencies: ClassVar = [("meetings", "0001_initial")]
    operations: ClassVar = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(FORWARD, REVERSE)],
            state_operations=[
                migrations.CreateModel(
                    name="Race",
                    fields=[
                        ("race_id", models.TextField(primary_key=True, serialize=False)),
                        ("name", models.TextField()),
                        ("race_number", models.IntegerField()),
                        ("start_time", models.DateTimeField()),
                        ("status", models.TextField()),
                        ("actual_start", models.DateTimeField(null=True)),
                        ("race_date_nz", models.DateField()),
                        ("distance", models.IntegerField(help_text="metres", null=True)),
                        ("track_condition", models.TextField(null=True)),
                        ("weather", models.TextField(null=True)),
                        ("created_at", models.DateTimeField(db_default=Now(), editable=False)),
                        ("updated_at", models.DateTimeField(db_default=Now(), editable=False)),
                        (
                            "meeting",
                            models.ForeignKey(on_delete=models.CASCADE, related_name="races", to="meetings.meeting"),
                        ),
                    ],
                    options={
                        "db_table": "races",
                        "ordering": ["start_time", "race_id"],
                    },
                ),
                migrations.CreateModel(
                    name="PollMark",
                    fields=[
                        (
                            "race",
                            models.OneToOneField(
                                on_delete=models.CASCADE,
                                primary_key=True,
                                related_name="mark",
                                serialize=False,
                                to="races.race",
                            ),
                        ),
                        ("version", models.BigIntegerField(default=1)),
                        ("polled_at", models.DateTimeField()),
                        (
                            "changed_at",
                            models.DateTimeField(
                                db_default=Now(), help_text="when a poll last changed anything of the race"
                            ),
                        ),
                        ("generated_at", models.DateTimeField(help_text="the feed's own time of the newest answer")),
                        (
                            "last_reading_at",
                            models.DateTimeField(help_text="event_timestamp of the newest history row", null=True),
                        ),
                        ("digest", models.TextField(help_text="of the newest snapshot, to tell an unchanged poll")),
                    ],
                    options={
                        "db_table": "poll_marks",
                    },
                ),
                migrations.CreateModel(
                    name="RacePool",
                    fields=[
                        (
                            "race",
                            models.OneToOneField(
                                on_delete=models.CASCADE,
                                primary_key=True,
                                related_name="pool",
                                serialize=False,
                                to="races.race",
                            ),
                        ),
                        ("win_pool_total", models.DecimalField(decimal_places=2, max_digits=12, null=True)),
                        ("place_pool_total", models.DecimalField(decimal_places=2, max_digits=12, null=True)),
                        ("quinella_pool_total", models.DecimalField(decimal_places=2, max_digits=12, null=True)),
                        ("trifecta_pool_total", models.DecimalField(decimal_places=2, max_digits=12, null=True)),
                        ("exacta_pool_total", models.DecimalField(decimal_places=2, max_digits=12, null=True)),
                        ("first4_pool_total", models.DecimalField(decimal_places=2, max_digits=12, null=True)),
                        ("total_race_pool", models.DecimalField(decimal_places=2, max_digits=12, null=True)),
                        ("data_quality_score", models.IntegerField(null=True)),
                        ("last_updated", models.DateTimeField()),
                    ],
                    options={
                        "db_table": "race_pools",
                    },
                ),
                migrations.CreateModel(
                    name="RaceResult",
                    fields=[
                        (
                            "race",
                            models.OneToOneField(
                                on_delete=models.CASCADE,
                                primary_key=True,
                                related_name="result",
                                serialize=False,
                                to="races.race",
                            ),
                        ),
                        ("results", models.JSONField()),
                        ("dividends", models.JSONField()),
                        (
                            "result_status",
                            models.TextField(
                                choices=[("interim", "Interim"), ("final", "Final"), ("protest", "Protest")]
                            ),
                        ),
                        ("photo_finish", models.BooleanField(null=True)),
                        ("stewards_inquiry", models.BooleanField(null=True)),
                        ("protest_lodged", models.BooleanField(null=True)),
                        ("result_time", models.DateTimeField()),
                        ("created_at", models.DateTimeField(db_default=Now(), editable=False)),
                        ("updated_at", models.DateTimeField(db_default=Now(), editable=False)),
                    ],
                    options={
                        "db_table": "race_results",
                    },
                ),
                migrations.CreateModel(
                    name="Entrant",
                    fields=[
                        ("entrant_id", models.TextField(primary_key=True, serialize=False)),
                        ("name", models.TextField()),
                        ("runner_number", models.IntegerField()),
                        ("win_odds", models.DecimalField(decimal_places=2, max_digits=10, null=True)),
                        ("place_odds", models.DecimalField(decimal_places=2, max_digits=10, null=True)),
                        ("fixed_win_odds", models.DecimalField(decimal_places=2, max_digits=10, null=True)),
                        ("fixed_place_odds", models.DecimalField(decimal_places=2, max_digits=10, null=True)),
                        ("pool_win_odds", models.DecimalField(decimal_places=2, max_digits=10, null=True)),
                        ("pool_place_odds", models.DecimalField(decimal_places=2, max_digits=10, null=True)),
                        (
                            "recorded_odds",
                            ArrayField(
                                base_field=models.DecimalField(decimal_places=2, max_digits=10, null=True),
                                help_text="newest in odds_history: fixed win, fixed place, pool win, pool place",
                                null=True,
                                size=None,
                            ),
                        ),
                        ("hold_percentage", models.DecimalField(decimal_places=2, max_digits=5, null=True)),
                        ("bet_percentage", models.DecimalField(decimal_places=2, max_digits=5, null=True)),
                        ("is_scratched", models.BooleanField(default=False)),
                        ("scratched_at", models.DateTimeField(null=True)),
                        (
                            "gone_at",
                            models.DateTimeField(
                                help_text="the feed's time of the first answer that named it no more", null=True
                            ),
                        ),
                        ("jockey", models.TextField(null=True)),
                        ("trainer_name", models.TextField(null=True)),
                        ("barrier", models.IntegerField(null=True)),
                        (
                            "weight",
                            models.DecimalField(decimal_places=2, help_text="kilograms", max_digits=5, null=True),
                        ),
                        ("silk_colours", models.TextField(null=True)),
                        ("silk_url_64", models.TextField(null=True)),
                        ("silk_url_128", models.TextField(null=True)),
                        ("is_favourite", models.BooleanField(null=True)),
                        ("is_mover", models.BooleanField(null=True)),
                        ("created_at", models.DateTimeField(db_default=Now(), editable=False)),
                        ("updated_at", models.DateTimeField(db_default=Now(), editable=False)),
                        ("race", models.ForeignKey(on_delete=models.CASCADE, related_name="entrants", to="races.race")),
                    ],
                    options={
                        "db_table": "entrants",
                        "ordering": ["runner_number"],
                    },
                ),
            ],
        )
    ]
