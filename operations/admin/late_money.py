"""Late money as staff see it: alerts with evidence and outcome, where they are sent, and what came of each delivery."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from moneyflow.alerts.delivery import check, give_up, rotate_secret
from moneyflow.alerts.signatures import new_secret
from moneyflow.alerts.webhooks import RefusedError
from moneyflow.models import AlertDelivery, AlertTarget, LateMoneyAlert
from raceday import clock
from raceday.money import cents
from raceday.staff.pieces import RacingDayFilter, ReadOnly, enqueue, link, nz_time, told

STATES = {"sent": "success", "waiting": "info", "given up": "danger"}
EVIDENCE = (
    *("severity", "when", "since_start", "money", "share", "tote", "fixed"),
    *("score", "one_in", "e_value", "reasons"),
)
OUTCOME = ("ended", "final_dividend", "final_odds", "final_share", "pool_moved")


class AlertDayFilter(RacingDayFilter):
    field = "race__race_date_nz"


def state(delivery: AlertDelivery) -> str:
    """Return the state of a delivery in a word."""
    return "sent" if delivery.sent_at else "waiting" if delivery.next_try_at else "given up"


class DeliveryInline(ReadOnly, TabularInline):  # type: ignore[misc]  # unfold has no types
    model = AlertDelivery
    hide_title = True
    fields = ("target", "shown_state", "tries", "last_status", "last_fault")
    readonly_fields = ("shown_state",)

    @admin.display(description="state")
    def shown_state(self, delivery: AlertDelivery) -> str:
        return state(delivery)


@admin.register(LateMoneyAlert)
class LateMoneyAlertAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]  # unfold has no types
    list_display = ("when", "shown_race", "runner", "severity", "money", "one_in", "ended")
    list_filter = (AlertDayFilter, "severity", "won")
    search_fields = ("race__name", "race__meeting__meeting_name", "entrant__name", "race_id", "entrant_id")
    list_select_related = ("race__meeting", "entrant")
    ordering = ("-raised_at", "-id")
    fieldsets = (
        (None, {"fields": ("shown_race", "runner", "reading")}),
        ("Evidence", {"fields": EVIDENCE}),
        ("Outcome", {"fields": OUTCOME}),
        ("Detector", {"fields": ("artefact", "record")}),
    )
    readonly_fields = (
        *("when", "shown_race", "runner", "reading", "since_start", "money", "share", "tote", "fixed", "one_in"),
        *("reasons", "ended", "final_share", "pool_moved"),
    )
    inlines = (DeliveryInline,)

    @admin.display(description="raised", ordering="raised_at")
    def when(self, alert: LateMoneyAlert) -> str | None:
        return nz_time(alert.raised_at)

    @admin.display(description="race", ordering="race__start_time")
    def shown_race(self, alert: LateMoneyAlert) -> str:
        race = alert.race
        return link(f"R{race.race_number} {race.meeting.meeting_name}, {race.name}", "races_race_change", race.pk)

    @admin.display(description="runner")
    def runner(self, alert: LateMoneyAlert) -> str:
        return f"{alert.entrant.runner_number} {alert.entrant.name}"

    @admin.display(description="reading that raised it, by the feed's time")
    def reading(self, alert: LateMoneyAlert) -> str | None:
        return nz_time(alert.reading_at)

    @admin.display(description="since the advertised start")
    def since_start(self, alert: LateMoneyAlert) -> str:
        return told(alert.seconds_since_start, "s")

    @admin.display(description="seen, expected")
    def money(self, alert: LateMoneyAlert) -> str:
        seen, expected = cents(alert.seen_cents), cents(alert.expected_cents)
        return f"{seen} in {alert.window_seconds} s, {expected} expected"

    @admin.display(description="share of the Win pool before, after")
    def share(self, alert: LateMoneyAlert) -> str:
        return f"{alert.share_before_percentage:.2f} %, {alert.share_after_percentage:.2f} %"

    @admin.display(description="tote odds before, after")
    def tote(self, alert: LateMoneyAlert) -> str:
        return f"{told(alert.tote_odds_before)}, {told(alert.tote_odds_after)}"

    @admin.display(description="fixed odds before, after")
    def fixed(self, alert: LateMoneyAlert) -> str:
        return f"{told(alert.fixed_odds_before)}, {told(alert.fixed_odds_after)}"

    @admin.display(description="one in so many races", ordering="one_in_races")
    def one_in(self, alert: LateMoneyAlert) -> str:
        return f"{alert.one_in_races:,.0f}"

    @admin.display(description="what the score falls without")
    def reasons(self, alert: LateMoneyAlert) -> str:
        largest_first = sorted(alert.falls.items(), key=lambda fall: -fall[1])
        return ", ".join(f"{group}: {fall:.2f}" for group, fall in largest_first) or told(None)

    @display(description="ended", label={"won": "success", "placed": "info", "lost": "danger"})  # type: ignore[untyped-decorator]
    def ended(self, alert: LateMoneyAlert) -> str | None:
        if alert.won is None:
            return None
        return "won" if alert.won else "placed" if alert.placed else "lost"

    @admin.display(description="final share of the Win pool")
    def final_share(self, alert: LateMoneyAlert) -> str:
        return told(alert.final_share_percentage, "%")

    @admin.display(description="into the Win pool after the alert")
    def pool_moved(self, alert: LateMoneyAlert) -> str:
        return cents(None if alert.final_pool_cents is None else alert.final_pool_cents - alert.win_pool_cents)


class TargetForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean_url(self) -> str:
        """Refuse an address to which nothing would be sent."""
        url: str = self.cleaned_data["url"]
        try:
            check(url)
        except (OSError, RefusedError) as fault:
            raise forms.ValidationError(str(fault)) from None
        return url

    def clean(self) -> dict[str, Any]:
        """Ask for both ends of quiet hours or for none."""
        given: dict[str, Any] = super().clean() or {}
        if (given.get("quiet_from") is None) != (given.get("quiet_until") is None):
            raise forms.ValidationError({"quiet_until": "Quiet hours need both ends."})
        return given


@admin.register(AlertTarget)
class AlertTargetAdmin(ModelAdmin):  # type: ignore[misc]  # unfold has no types
    form = TargetForm
    list_display = ("user_id", "url", "min_severity", "is_enabled", "failures", "disabled_because")
    list_filter = ("is_enabled", "min_severity")
    search_fields = ("user_id", "url")
    readonly_fields = ("failures", "disabled_because")
    actions = ("rotate_secrets",)

    def save_model(self, request: HttpRequest, target: AlertTarget, form: Any, change: bool) -> None:
        """Give a new target its secret. An enabled one begins without failures; nothing waits for a disabled one."""
        if not change:
            target.secret = new_secret()
            messages.info(request, f"The secret, shown only now: {target.secret}")
        if target.is_enabled:
            target.failures, target.disabled_because = 0, None
        super().save_model(request, target, form, change)
        if not target.is_enabled:
            give_up(target)

    @admin.action(description="Rotate the secret", permissions=["change"])
    def rotate_secrets(self, request: HttpRequest, targets: QuerySet[AlertTarget]) -> None:
        for target in targets:
            messages.info(request, f"The new secret of {target}, shown only now: {rotate_secret(target, clock.now())}")


@admin.register(AlertDelivery)
class AlertDeliveryAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]  # unfold has no types
    list_display = ("made", "target", "alert", "shown_state", "tries", "next_try", "sent", "last_status", "last_fault")
    list_filter = ("target",)
    list_select_related = ("target", "alert")
    ordering = ("-id",)
    actions = ("send_again",)

    @admin.display(description="made", ordering="created_at")
    def made(self, delivery: AlertDelivery) -> str | None:
        return nz_time(delivery.created_at)

    @display(description="state", label=STATES)  # type: ignore[untyped-decorator]
    def shown_state(self, delivery: AlertDelivery) -> str:
        return state(delivery)

    @admin.display(description="next try", ordering="next_try_at")
    def next_try(self, delivery: AlertDelivery) -> str | None:
        return nz_time(delivery.next_try_at)

    @admin.display(description="sent", ordering="sent_at")
    def sent(self, delivery: AlertDelivery) -> str | None:
        return nz_time(delivery.sent_at)

    @admin.action(description="Send those not sent yet now", permissions=["act"])
    def send_again(self, request: HttpRequest, deliveries: QuerySet[AlertDelivery]) -> None:
        count = deliveries.filter(sent_at=None).update(next_try_at=Now())
        enqueue(request, [("moneyflow.tasks.send_alerts",)], said=f"Queued: {count} deliveries.")
