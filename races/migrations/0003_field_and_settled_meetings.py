"""Entrants that have left their field, and meetings settled in the statement that ends their races.

A trigger, for two races of one meeting may end in the same moment: the statement of each sees the other as running.
Here the second waits for the first's meeting, and then sees what it has committed.
"""

from typing import ClassVar

from django.db import migrations, models

FORWARD = """
SET LOCAL lock_timeout = '5s';
ALTER TABLE entrants ADD COLUMN gone_at timestamptz;
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
DROP TRIGGER races_ended ON races;
DROP TRIGGER races_begun_ended ON races;
DROP FUNCTION settle_meeting();
ALTER TABLE entrants DROP COLUMN gone_at;
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("races", "0002_poll_mark_changed_at")]
    operations: ClassVar = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(FORWARD, REVERSE)],
            state_operations=[
                migrations.AddField(
                    model_name="entrant",
                    name="gone_at",
                    field=models.DateTimeField(
                        help_text="the feed's time of the first answer that named it no more", null=True
                    ),
                ),
            ],
        )
    ]
