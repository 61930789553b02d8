"""user_alert_configs: the client's alert settings, a row a user."""

from typing import ClassVar

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("moneyflow", "0001_initial"),
    ]

    operations: ClassVar = [
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
