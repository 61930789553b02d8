"""A race, its entrants, tote pools and result as they stand now; money over time is in moneyflow."""

from datetime import datetime
from typing import ClassVar, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from meetings.models import Meeting
from raceday.feed.records import ENDED
from raceday.racing_day import NZ


class RaceQuerySet(models.QuerySet["Race"]):
    def live(self) -> Self:
        """Keep the races that can still change."""
        return self.exclude(status__in=ENDED)

    def due(self, now: datetime) -> Self:
        """Return the live races whose advertised start is past."""
        return self.live().filter(start_time__lte=now)


class Race(models.Model):
    """One contest. `start_time` is the advertised start, `actual_start` the jump."""

    race_id = models.TextField(primary_key=True)
    name = models.TextField()
    race_number = models.IntegerField()
    start_time = models.DateTimeField()
    status = models.TextField()
    actual_start = models.DateTimeField(null=True)
    meeting = models.ForeignKey(Meeting, on_delete=models.CASCADE, related_name="races")
    race_date_nz = models.DateField()
    distance = models.IntegerField(null=True, help_text="metres")
    track_condition = models.TextField(null=True)
    weather = models.TextField(null=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = RaceQuerySet.as_manager()

    class Meta:
        db_table = "races"
        ordering: ClassVar = ["start_time", "race_id"]

    def __str__(self) -> str:
        """Name the race as staff do; who names many selects their meetings with them."""
        start = self.start_time.astimezone(NZ)
        return f"R{self.race_number} {self.meeting.meeting_name} {start:%H:%M} · {self.name}"


class Entrant(models.Model):
    """A horse or dog in a race. `win_odds` and `place_odds` are the tote dividend, else the fixed price."""

    entrant_id = models.TextField(primary_key=True)
    name = models.TextField()
    runner_number = models.IntegerField()
    win_odds = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    place_odds = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    fixed_win_odds = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    fixed_place_odds = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    pool_win_odds = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    pool_place_odds = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    recorded_odds = ArrayField(
        models.DecimalField(max_digits=10, decimal_places=2, null=True),
        null=True,
        help_text="newest in odds_history: fixed win, fixed place, pool win, pool place",
    )
    hold_percentage = models.DecimalField(max_digits=5, decimal_places=2, null=True)
    bet_percentage = models.DecimalField(max_digits=5, decimal_places=2, null=True)
    is_scratched = models.BooleanField(default=False)
    scratched_at = models.DateTimeField(null=True)
    gone_at = models.DateTimeField(null=True, help_text="the feed's time of the first answer that named it no more")
    race = models.ForeignKey(Race, on_delete=models.CASCADE, related_name="entrants")
    jockey = models.TextField(null=True)
    trainer_name = models.TextField(null=True)
    barrier = models.IntegerField(null=True)
    weight = models.DecimalField(max_digits=5, decimal_places=2, null=True, help_text="kilograms")
    silk_colours = models.TextField(null=True)
    silk_url_64 = models.TextField(null=True)
    silk_url_128 = models.TextField(null=True)
    is_favourite = models.BooleanField(null=True)
    is_mover = models.BooleanField(null=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "entrants"
        ordering: ClassVar = ["runner_number"]

    def __str__(self) -> str:
        return f"{self.runner_number} {self.name}"


class RacePool(models.Model):
    """The tote pools of one race, in dollars as the customer's schema has them."""

    race = models.OneToOneField(Race, on_delete=models.CASCADE, primary_key=True, related_name="pool")
    win_pool_total = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    place_pool_total = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    quinella_pool_total = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    trifecta_pool_total = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    exacta_pool_total = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    first4_pool_total = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    total_race_pool = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    data_quality_score = models.IntegerField(null=True)
    last_updated = models.DateTimeField()

    class Meta:
        db_table = "race_pools"

    def __str__(self) -> str:
        return f"pools of {self.race_id}"


class RaceResult(models.Model):
    """How a race ended; `result_time` is the feed's time of the first answer with this result status."""

    class ResultStatus(models.TextChoices):
        INTERIM = "interim"
        FINAL = "final"
        PROTEST = "protest"

    race = models.OneToOneField(Race, on_delete=models.CASCADE, primary_key=True, related_name="result")
    results = models.JSONField()
    dividends = models.JSONField()
    result_status = models.TextField(choices=ResultStatus)
    photo_finish = models.BooleanField(null=True)
    stewards_inquiry = models.BooleanField(null=True)
    protest_lodged = models.BooleanField(null=True)
    result_time = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "race_results"

    def __str__(self) -> str:
        return f"result of {self.race_id}"


class PollMark(models.Model):
    """How fresh a race is: its last poll. The one row an unchanged poll moves, and what a write compares and sets."""

    race = models.OneToOneField(Race, on_delete=models.CASCADE, primary_key=True, related_name="mark")
    version = models.BigIntegerField(default=1)
    polled_at = models.DateTimeField()
    changed_at = models.DateTimeField(db_default=Now(), help_text="when a poll last changed anything of the race")
    generated_at = models.DateTimeField(help_text="the feed's own time of the newest answer")
    last_reading_at = models.DateTimeField(null=True, help_text="event_timestamp of the newest history row")
    digest = models.TextField(help_text="of the newest snapshot, to tell an unchanged poll")

    class Meta:
        db_table = "poll_marks"

    def __str__(self) -> str:
        return f"{self.race_id} polled {self.polled_at}"
