"""Money and prices over time, the feed's answers, alerts and their settings, and what a second look found."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from raceday.feed.records import RaceType
from races.models import Entrant, Race

RACE_TYPES = [(kind.value, kind.value) for kind in RaceType]


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


class FeedAnswer(models.Model):
    """An answer of the feed as it came, packed; those that could not be stored are raceday's FeedPayload."""

    pk = models.CompositePrimaryKey("polled_at", "race_id")
    sequence = models.BigIntegerField(help_text="the order in which answers were stored")
    race_id = models.TextField(help_text="or card:2026-11-21 for a page of a day's card")
    polled_at = models.DateTimeField(help_text="when the answer was in hand")
    generated_at = models.DateTimeField(null=True, help_text="the feed's own time")
    http_status = models.SmallIntegerField(db_default=200)
    fetch_ms = models.FloatField()
    sha256 = models.BinaryField(help_text="of the body, unpacked")
    base_at = models.DateTimeField(null=True, help_text="polled_at of the answer that it is packed against")
    body = models.BinaryField(help_text="packed by moneyflow.archive.packing")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "feed_answers"


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


class LateMoneyAlert(models.Model):
    """Unusual late money on one runner at one severity, with the evidence for it and how the race ended.

    Percentages are of the Win pool. What comes after `record` is None until the race has ended.
    """

    race = models.ForeignKey(Race, on_delete=models.CASCADE, related_name="alerts")
    entrant = models.ForeignKey(Entrant, on_delete=models.CASCADE, related_name="alerts")
    severity = models.SmallIntegerField(help_text="1, 2, 3: at budgets of 10, 4, 1 alerts a race day")
    raised_at = models.DateTimeField(help_text="when the answer that raised it was in hand")
    reading_at = models.DateTimeField(help_text="the feed's own time of the reading that raised it")
    seconds_since_start = models.IntegerField(help_text="since the advertised start; below 0 before it")
    window_seconds = models.IntegerField(help_text="in which the money came")
    seen_cents = models.BigIntegerField(help_text="that came on the runner in the window")
    expected_cents = models.BigIntegerField(help_text="of the window's money, by the standing prices")
    win_pool_cents = models.BigIntegerField(help_text="when it was raised")
    share_before_percentage = models.DecimalField(max_digits=7, decimal_places=4)
    share_after_percentage = models.DecimalField(max_digits=7, decimal_places=4)
    tote_odds_before = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    tote_odds_after = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    fixed_odds_before = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    fixed_odds_after = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    score = models.FloatField(help_text="comparable across races; higher is more unusual")
    one_in_races = models.FloatField(help_text="one in so many ordinary races looks like this")
    e_value = models.FloatField(null=True, help_text="second opinion")
    falls = models.JSONField(help_text="how much the score falls without a group of numbers")
    artefact = models.TextField(help_text="version of the detector's weights and thresholds")
    record = models.JSONField(help_text="of earlier alerts of this severity, when it was raised")
    won = models.BooleanField(null=True)
    placed = models.BooleanField(null=True)
    final_dividend = models.DecimalField(max_digits=10, decimal_places=2, null=True, help_text="per $1 to win")
    final_odds = models.DecimalField(max_digits=10, decimal_places=2, null=True, help_text="of the tote")
    final_share_percentage = models.DecimalField(max_digits=7, decimal_places=4, null=True)
    final_pool_cents = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "late_money_alerts"

    def __str__(self) -> str:
        return f"late money on {self.entrant_id}, severity {self.severity}"


class AlertTarget(models.Model):
    """A user's webhook or messenger, and which alerts go there. Of an empty list, all; quiet hours are NZ's."""

    class Severity(models.IntegerChoices):
        TEN_A_DAY = 1, "about 10 alerts a race day"
        FOUR_A_DAY = 2, "about 4 alerts a race day"
        ONE_A_DAY = 3, "about 1 alert a race day"

    user_id = models.TextField(help_text="as in the alert settings")
    url = models.TextField(help_text="https://… for a webhook; slack://, discord://, tgram://, ntfy://, mailtos://")
    secret = models.TextField(editable=False)
    previous_secret = models.TextField(null=True, editable=False)
    rotated_at = models.DateTimeField(null=True, editable=False)
    min_severity = models.SmallIntegerField("budget", choices=Severity, default=Severity.FOUR_A_DAY)
    race_types = ArrayField(models.TextField(choices=RACE_TYPES), default=list, blank=True)
    countries = ArrayField(models.TextField(), default=list, blank=True, help_text="NZ, AUS, …")
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_until = models.TimeField(null=True, blank=True)
    is_enabled = models.BooleanField(default=True)
    disabled_because = models.TextField(null=True, editable=False)
    failures = models.IntegerField(default=0, editable=False, help_text="in a row")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "alert_targets"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(quiet_from=None, quiet_until=None) | Q(quiet_from__isnull=False, quiet_until__isnull=False),
                name="alert_targets_quiet_hours",
            )
        ]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.url}"


class AlertDelivery(models.Model):
    """An alert on its way to a target. Without `sent_at` and `next_try_at` it was given up."""

    alert = models.ForeignKey(LateMoneyAlert, on_delete=models.CASCADE, related_name="deliveries")
    target = models.ForeignKey(AlertTarget, on_delete=models.CASCADE, related_name="deliveries")
    tries = models.IntegerField(db_default=0)
    next_try_at = models.DateTimeField(null=True, db_default=Now())
    sent_at = models.DateTimeField(null=True)
    last_status = models.IntegerField(null=True, help_text="HTTP status of the last try")
    last_fault = models.TextField(null=True, help_text="why the last try failed")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "alert_deliveries"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["alert", "target"], name="alert_deliveries_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["next_try_at"], name="alert_deliveries_due", condition=Q(next_try_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"alert {self.alert_id} to {self.target_id}"


class LateMoneyMaximum(models.Model):
    """The highest score that a race reached before its close; None if it was never judged."""

    race = models.OneToOneField(Race, on_delete=models.CASCADE, primary_key=True, related_name="late_money_maximum")
    artefact = models.TextField(help_text="that scored it")
    maximum = models.FloatField(null=True)
    closed_at = models.DateTimeField()

    class Meta:
        db_table = "late_money_maxima"

    def __str__(self) -> str:
        return f"{self.race_id}: {self.maximum}"


class LateMoneyCalibration(models.Model):
    """What "1 in N races" is reckoned from, as of one night. The newest one in force of an artefact is used."""

    made_at = models.DateTimeField(db_default=Now())
    artefact = models.TextField(help_text="whose scores they are")
    maxima = ArrayField(models.FloatField(), help_text="highest scores of the newest races before their close")
    false_alerts = models.FloatField(help_text="a day of 80 races, by what was in force before, where 4 are asked now")
    is_in_force = models.BooleanField(help_text="if not: it moves too far and waits for staff")
    approved_by = models.TextField(null=True, help_text="the member of staff who let it come into force")

    class Meta:
        db_table = "late_money_calibrations"
        ordering: ClassVar = ["-made_at"]

    def __str__(self) -> str:
        return f"calibration of {self.made_at:%Y-%m-%d} on {len(self.maxima)} races"


class Reconciliation(models.Model):
    """The newest second look at a day's ended races."""

    race_date_nz = models.DateField(primary_key=True)
    since = models.DateTimeField(help_text="when it began; races polled after that were not read again")
    races = models.IntegerField(default=0, help_text="that were read again")
    repaired = models.IntegerField(default=0, help_text="of them, in which the feed had changed something")
    unread = models.IntegerField(default=0, help_text="that are still to be read, or got no answer")
    read_at = models.DateTimeField(help_text="when the last of them was")

    class Meta:
        db_table = "reconciliations"
        ordering: ClassVar = ["-race_date_nz"]

    def __str__(self) -> str:
        return f"{self.race_date_nz}: {self.races} races, {self.repaired} repaired, {self.unread} unread"
