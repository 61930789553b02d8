"""A day's card at one track, as it stands now."""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from raceday.feed.records import RaceType


class Meeting(models.Model):
    """A day's card at one track; `date` is the track's own calendar day."""

    class Status(models.TextChoices):
        ACTIVE = "active"
        COMPLETED = "completed"
        ABANDONED = "abandoned"

    meeting_id = models.TextField(primary_key=True)
    meeting_name = models.TextField()
    country = models.TextField()
    state = models.TextField(null=True)
    race_type = models.TextField(choices=[(kind.value, kind.value.title()) for kind in RaceType])
    date = models.DateField()
    status = models.TextField(choices=Status, default=Status.ACTIVE)
    track_condition = models.TextField(null=True)
    weather = models.TextField(null=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "meetings"
        ordering: ClassVar = ["date", "meeting_name"]

    def __str__(self) -> str:
        return f"{self.meeting_name} {self.date}"
