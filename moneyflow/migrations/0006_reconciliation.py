"""reconciliations: what the second look at a day's ended races found."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("moneyflow", "0005_feed_answers"),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            name="Reconciliation",
            fields=[
                ("race_date_nz", models.DateField(primary_key=True, serialize=False)),
                ("since", models.DateTimeField(help_text="when it began; races polled after that were not read again")),
                ("races", models.IntegerField(default=0, help_text="that were read again")),
                (
                    "repaired",
                    models.IntegerField(default=0, help_text="of them, in which the feed had changed something"),
                ),
                ("unread", models.IntegerField(default=0, help_text="that are still to be read, or got no answer")),
                ("read_at", models.DateTimeField(help_text="when the last of them was")),
            ],
            options={
                "db_table": "reconciliations",
                "ordering": ["-race_date_nz"],
            },
        ),
    ]
