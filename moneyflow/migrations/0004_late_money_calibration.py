"""late_money_maxima and late_money_calibrations: how ordinary races score, and what alerts are reckoned from."""

from typing import ClassVar

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("moneyflow", "0003_alert_delivery"),
        ("races", "0001_initial"),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            name="LateMoneyCalibration",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("made_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("artefact", models.TextField(help_text="whose scores they are")),
                (
                    "maxima",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.FloatField(),
                        help_text="highest scores of the newest races before their close",
                        size=None,
                    ),
                ),
                (
                    "false_alerts",
                    models.FloatField(
                        help_text="a day of 80 races, by what was in force before, where 4 are asked now"
                    ),
                ),
                ("is_in_force", models.BooleanField(help_text="if not: it moves too far and waits for staff")),
                (
                    "approved_by",
                    models.TextField(help_text="the member of staff who let it come into force", null=True),
                ),
            ],
            options={
                "db_table": "late_money_calibrations",
                "ordering": ["-made_at"],
            },
        ),
        migrations.CreateModel(
            name="LateMoneyMaximum",
            fields=[
                (
                    "race",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="late_money_maximum",
                        serialize=False,
                        to="races.race",
                    ),
                ),
                ("artefact", models.TextField(help_text="that scored it")),
                ("maximum", models.FloatField(null=True)),
                ("closed_at", models.DateTimeField()),
            ],
            options={
                "db_table": "late_money_maxima",
            },
        ),
    ]
