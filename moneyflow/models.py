"""Money and prices over time: two tables partitioned by NZ day, written by moneyflow.store.poll only."""

from django.db import models
from django.db.models.functions import Now


class MoneyFlowHistory(models.Model):
    """One reading of the money on one entrant. Amounts and increments in cents, percentages 0–100."""

    pk = models.CompositePrimaryKey("entrant_id", "event_timestamp")
    id = models.BigIntegerField()
    entrant_id = models.TextField()
    race_id = models.TextField()
    hold_percentage = models.DecimalField(max_digits=5, decimal_places=2, null=True)
    bet_percentage = models.DecimalField(max_digits=5, decimal_places=2, null=True)
    type = models.TextField(help_text="what the Win share was derived from: pool_win or hold")
    time_to_start = models.IntegerField(help_text="whole minutes to the advertised start")
    seconds_to_start = models.IntegerField()
    time_interval = models.DecimalField(max_digits=6, decimal_places=1, help_text="the bucket, minutes to start")
    interval_type = models.TextField()
    event_timestamp = models.DateTimeField(help_text="the feed's own time")
    polling_timestamp = models.DateTimeField(help_text="when the answer was in hand")
    win_pool_amount = models.BigIntegerField(null=True)
    place_pool_amount = models.BigIntegerField(null=True)
    win_pool_percentage = models.DecimalField(max_digits=7, decimal_places=4, null=True)
    place_pool_percentage = models.DecimalField(max_digits=7, decimal_places=4, null=True)
    incremental_amount = models.BigIntegerField(null=True)
    incremental_win_amount = models.BigIntegerField(null=True)
    incremental_place_amount = models.BigIntegerField(null=True)
    fixed_win_odds = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    fixed_place_odds = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    pool_win_odds = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    pool_place_odds = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    pool_type = models.TextField(default="win")
    is_consolidated = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "money_flow_history"


class OddsHistory(models.Model):
    """A price from the instant it was first seen; a row only where it moved by more than 0.01."""

    class Type(models.TextChoices):
        FIXED_WIN = "fixed_win"
        FIXED_PLACE = "fixed_place"
        POOL_WIN = "pool_win"
        POOL_PLACE = "pool_place"

    pk = models.CompositePrimaryKey("entrant_id", "event_timestamp", "type")
    id = models.BigIntegerField()
    entrant_id = models.TextField()
    odds = models.DecimalField(max_digits=10, decimal_places=2)
    type = models.TextField(choices=Type)
    event_timestamp = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "odds_history"


class UserAlertConfig(models.Model):
    """One user's six indicators as the client sent them: ranges of percentage points, each with its colour."""

    user_id = models.TextField(primary_key=True)
    indicators = models.JSONField()
    toggle_all = models.BooleanField()
    audible_alerts_enabled = models.BooleanField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "user_alert_configs"

    def __str__(self) -> str:
        return self.user_id
