"""Calibrations of late money: which one is in force, and those that move so far that staff decide."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.decorators import display

from moneyflow.models import LateMoneyCalibration
from raceday.staff.pieces import ReadOnly, nz_time


@admin.register(LateMoneyCalibration)
class LateMoneyCalibrationAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]  # unfold has no types
    list_display = ("made", "artefact", "races", "moved", "state", "approved_by")
    fields = ("made", "artefact", "races", "moved", "state", "approved_by")
    readonly_fields = ("made", "races", "moved", "state")
    actions = ("approve",)

    @admin.display(description="made", ordering="made_at")
    def made(self, calibration: LateMoneyCalibration) -> str | None:
        return nz_time(calibration.made_at)

    @admin.display(description="races")
    def races(self, calibration: LateMoneyCalibration) -> int:
        return len(calibration.maxima)

    @admin.display(description="false alerts a day by the one before, where 4 are asked", ordering="false_alerts")
    def moved(self, calibration: LateMoneyCalibration) -> str:
        return f"{calibration.false_alerts:.1f}"

    @display(description="state", label={"in force from its night on": "success", "waits for approval": "warning"})  # type: ignore[untyped-decorator]
    def state(self, calibration: LateMoneyCalibration) -> str:
        return "in force from its night on" if calibration.is_in_force else "waits for approval"

    def has_approve_permission(self, request: HttpRequest) -> bool:
        """Let those decide who may change calibrations."""
        return request.user.has_perm("moneyflow.change_latemoneycalibration")

    @admin.action(description="Let it come into force", permissions=["approve"])
    def approve(self, request: HttpRequest, calibrations: QuerySet[Any]) -> None:
        for calibration in calibrations.filter(is_in_force=False):
            calibration.is_in_force, calibration.approved_by = True, request.user.get_username()
            calibration.save(update_fields=["is_in_force", "approved_by"])
            self.log_change(request, calibration, "Let it come into force")
            messages.success(request, f"In force within a minute: {calibration}")
