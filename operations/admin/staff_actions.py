"""What staff did in the admin, newest first: who, when, to what."""

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import Model
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from raceday.staff.pieces import anchor, nz_time, told


@admin.register(LogEntry)
class StaffActionAdmin(ModelAdmin):  # type: ignore[misc]  # unfold has no types
    """Nobody edits the record; who may view log entries reads it. Its time is the machine's."""

    list_display = ("at", "by", "kind", "row", "said")
    actions = None
    list_filter = ("action_flag", "content_type")
    list_select_related = ("user", "content_type")
    search_fields = ("object_repr", "change_message", "user__username")
    search_help_text = "a race, a user, what was done"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @admin.display(description="when, NZ", ordering="action_time")
    def at(self, entry: LogEntry) -> str | None:
        return nz_time(entry.action_time)

    @admin.display(description="who", ordering="user")
    def by(self, entry: LogEntry) -> str:
        return entry.user.get_username()

    @admin.display(description="kind", ordering="content_type")
    def kind(self, entry: LogEntry) -> str:
        return entry.content_type.name if entry.content_type else told(None)

    @admin.display(description="what")
    def row(self, entry: LogEntry) -> str:
        address = None if entry.is_deletion() else entry.get_admin_url()
        return anchor(entry.object_repr, address) if address else entry.object_repr

    @admin.display(description="done")
    def said(self, entry: LogEntry) -> str:
        return entry.get_change_message() or entry.get_action_flag_display()
