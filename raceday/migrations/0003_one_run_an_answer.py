"""One PollRun an answer, with the rows of it that were left out; and a word for an answer that nobody foresaw."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("raceday", "0002_operations"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="pollrun",
            name="poll_runs_race",
        ),
        migrations.AddField(
            model_name="pollrun",
            name="left_out",
            field=models.IntegerField(db_default=0, default=0, help_text="bad rows of the answer that were left out"),
        ),
        migrations.AlterField(
            model_name="pollrun",
            name="outcome",
            field=models.TextField(
                choices=[
                    ("changed", "Changed"),
                    ("unchanged", "Unchanged"),
                    ("late", "late: written behind a newer poll"),
                    ("feed_error", "Feed Error"),
                    ("parse_error", "Parse Error"),
                    ("no_partition", "No Partition"),
                    ("crashed", "crashed: nobody foresaw this answer"),
                ]
            ),
        ),
        migrations.AddConstraint(
            model_name="pollrun",
            constraint=models.UniqueConstraint(fields=("race_id", "polled_at"), name="poll_runs_answer"),
        ),
    ]
