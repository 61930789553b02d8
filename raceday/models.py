"""What happened at the feed's door: one PollRun a poll attempt, and the answers that could not be read."""

from typing import ClassVar

from django.db import models

from raceday.racing_day import NZ


class PollRun(models.Model):
    """One poll attempt and what became of it. Milliseconds are measured; None where a room was not reached."""

    class Outcome(models.TextChoices):
        CHANGED = "changed"
        UNCHANGED = "unchanged"
        LATE = "late", "late: written behind a newer poll"
        FEED_ERROR = "feed_error"
        PARSE_ERROR = "parse_error"
        NO_PARTITION = "no_partition"
        CRASHED = "crashed", "crashed: nobody foresaw this answer"

    race_id = models.TextField(null=True)
    polled_at = models.DateTimeField()
    generated_at = models.DateTimeField(null=True, help_text="the feed's own time")
    outcome = models.TextField(choices=Outcome)
    reason = models.TextField(null=True, help_text="what went wrong; for an unreadable answer its JSON path first")
    http_status = models.IntegerField(null=True)
    body_bytes = models.IntegerField(null=True, help_text="on the wire")
    fetch_ms = models.FloatField(null=True)
    transform_ms = models.FloatField(null=True, help_text="parse and transform")
    left_out = models.IntegerField(default=0, db_default=0, help_text="bad rows of the answer that were left out")

    class Meta:
        db_table = "poll_runs"
        ordering: ClassVar = ["-polled_at"]
        # An answer that is written again after a fault leaves no second row.
        constraints: ClassVar = [models.UniqueConstraint(fields=["race_id", "polled_at"], name="poll_runs_answer")]
        indexes: ClassVar = [
            models.Index(fields=["polled_at"], name="poll_runs_polled_at"),
            models.Index(
                fields=["outcome", "polled_at"],
                name="poll_runs_fault",
                condition=~models.Q(outcome__in=["changed", "unchanged"]),
            ),
        ]

    race_name: str | None = None  # given by a floor that knows races

    def __str__(self) -> str:
        polled = self.polled_at.astimezone(NZ)
        return f"{self.race_name or self.race_id or 'the card'}, polled {polled:%H:%M:%S}: {self.outcome}"


class FeedPayload(models.Model):
    """An answer that could not be read or stored, kept whole so that it can be read after Raceday is fixed."""

    poll_run = models.OneToOneField(PollRun, on_delete=models.CASCADE, primary_key=True, related_name="payload")
    body = models.BinaryField()
    encoding = models.TextField(help_text="gzip or identity, as it came")

    class Meta:
        db_table = "feed_payloads"
        verbose_name = "unreadable answer"

    def __str__(self) -> str:
        return str(self.poll_run)


class Operations(models.Model):
    """No table: the rights to view and to change how Raceday runs, which staff are given in the admin."""

    class Meta:
        managed = False
        default_permissions = ("view", "change")
        verbose_name = verbose_name_plural = "operations"
