"""alert_targets and alert_deliveries: where alerts are sent, and what came of it."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("moneyflow", "0002_late_money_alerts"),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            name="AlertTarget",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("user_id", models.TextField(help_text="as in the alert settings")),
                (
                    "url",
                    models.TextField(
                        help_text="https://… for a webhook; slack://, discord://, tgram://, ntfy://, mailtos://"
                    ),
                ),
                ("secret", models.TextField(editable=False)),
                ("previous_secret", models.TextField(editable=False, null=True)),
                ("rotated_at", models.DateTimeField(editable=False, null=True)),
                (
                    "min_severity",
                    models.SmallIntegerField(
                        choices=[
                            (1, "about 10 alerts a race day"),
                            (2, "about 4 alerts a race day"),
                            (3, "about 1 alert a race day"),
                        ],
                        default=2,
                        verbose_name="budget",
                    ),
                ),
                (
                    "race_types",
                    ArrayField(
                        base_field=models.TextField(
                            choices=[
                                ("thoroughbred", "thoroughbred"),
                                ("harness", "harness"),
                                ("greyhound", "greyhound"),
                            ]
                        ),
                        blank=True,
                        default=list,
                        size=None,
                    ),
                ),
                (
                    "countries",
                    ArrayField(
                        base_field=models.TextField(), blank=True, default=list, help_text="NZ, AUS, …", size=None
                    ),
                ),
                ("quiet_from", models.TimeField(blank=True, null=True)),
                ("quiet_until", models.TimeField(blank=True, null=True)),
                ("is_enabled", models.BooleanField(default=True)),
                ("disabled_because", models.TextField(editable=False, null=True)),
                ("failures", models.IntegerField(default=0, editable=False, help_text="in a row")),
                ("created_at", models.DateTimeField(db_default=Now(), editable=False)),
            ],
            options={
                "db_table": "alert_targets",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("quiet_from", None), ("quiet_until", None)),
                            models.Q(("quiet_from__isnull", False), ("quiet_until__isnull", False)),
                            _connector="OR",
                        ),
                        name="alert_targets_quiet_hours",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="AlertDelivery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("tries", models.IntegerField(db_default=0)),
                ("next_try_at", models.DateTimeField(db_default=Now(), null=True)),
                ("sent_at", models.DateTimeField(null=True)),
                ("last_status", models.IntegerField(help_text="HTTP status of the last try", null=True)),
                ("last_fault", models.TextField(help_text="why the last try failed", null=True)),
                ("created_at", models.DateTimeField(db_default=Now(), editable=False)),
                (
                    "alert",
                    models.ForeignKey(
                        on_delete=models.CASCADE, related_name="deliveries", to="moneyflow.latemoneyalert"
                    ),
                ),
                (
                    "target",
                    models.ForeignKey(on_delete=models.CASCADE, related_name="deliveries", to="moneyflow.alerttarget"),
                ),
            ],
            options={
                "db_table": "alert_deliveries",
                "indexes": [
                    models.Index(
                        condition=models.Q(("next_try_at__isnull", False)),
                        fields=["next_try_at"],
                        name="alert_deliveries_due",
                    )
                ],
                "constraints": [models.UniqueConstraint(fields=("alert", "target"), name="alert_deliveries_once")],
            },
        ),
    ]
