"""Second looks at ended races, one row a day."""

from django.contrib import admin
from unfold.admin import ModelAdmin

from moneyflow.models import Reconciliation
from raceday.staff.pieces import ReadOnly, nz_time


@admin.register(Reconciliation)
class ReconciliationAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]  # unfold has no types
    list_display = ("race_date_nz", "races", "repaired", "unread", "read")
    fields = ("race_date_nz", "races", "repaired", "unread", "read")
    readonly_fields = ("read",)

    @admin.display(description="read", ordering="read_at")
    def read(self, reconciliation: Reconciliation) -> str | None:
        return nz_time(reconciliation.read_at)
