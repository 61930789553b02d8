"""Meetings as staff see them; the feed owns them, so nothing here is edited."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from unfold.admin import ModelAdmin
from unfold.decorators import display

from meetings.models import Meeting
from raceday.staff import RacingDayFilter, ReadOnly, enqueue


class MeetingDayFilter(RacingDayFilter):
    title = "day at the track"
    field = "date"


@admin.register(Meeting)
class MeetingAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]  # unfold has no types
    list_display = (
        "meeting_name",
        "date",
        "country",
        "race_type",
        "shown_status",
        "track_condition",
        "weather",
        "card",
    )
    list_filter = (MeetingDayFilter, "race_type", "country", "status")
    search_fields = ("meeting_name", "meeting_id")
    actions = ("reimport_day",)
    readonly_fields = ("card",)

    @display(  # type: ignore[untyped-decorator]
        description="status", ordering="status", label={"active": "success", "abandoned": "danger"}
    )
    def shown_status(self, meeting: Meeting) -> str:
        return meeting.status

    @admin.display(description="races")
    def card(self, meeting: Meeting) -> str:
        address = f"{reverse('admin:races_race_changelist')}?day=any&meeting__exact={meeting.pk}"
        return format_html('<a class="text-primary-600 dark:text-primary-500" href="{}">its card</a>', address)

    @admin.action(description="Re-import the racing day", permissions=["act"])
    def reimport_day(self, request: HttpRequest, meetings: QuerySet[Meeting]) -> None:
        days = sorted({day.isoformat() for day in meetings.values_list("date", flat=True)})
        tasks = [("moneyflow.tasks.import_day", day) for day in days]
        enqueue(request, tasks, said=f"Queued: import of {', '.join(days)}.")
