"""Sends alerts to their targets: what is due is claimed, sent at once to all, and tried again with growing pauses.

The poll that raises an alert stores its deliveries in its own statement, so none is lost and none is made twice.
"""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Overdue
from datetime import datetime, timedelta
from typing import Any

import msgspec
import structlog
from django.db.models import F
from django.db.models.functions import Now

from moneyflow.alerts import messengers, webhooks
from moneyflow.alerts.messengers import sentence
from moneyflow.alerts.serializers import RaceAlertSerializer
from moneyflow.alerts.signatures import new_secret
from moneyflow.alerts.store import alerts_by_id
from moneyflow.alerts.webhooks import Message, Receipt
from moneyflow.models import AlertDelivery, AlertTarget
from raceday import clock
from raceday.published.resources import shown

AT_ONCE = 16
DEADLINE_SECONDS = 10.0  # of all that is sent at once; a task may take 20
PAUSES_SECONDS = (5, 30, 120, 600, 3600)  # before each new try, then it is given up
MOST_FAILURES = 20  # of a target in a row, in all its deliveries
GONE = 410  # the receiver wants no more
BOTH_SECRETS = timedelta(days=1)  # in which a receiver may take over a new secret
# Long enough for the send that follows; if its process is killed, the next one sends again under the same id.
CLAIM = """
UPDATE alert_deliveries SET tries = tries + 1, next_try_at = now() + interval '30 seconds'
WHERE id IN (
    SELECT delivery.id FROM alert_deliveries AS delivery JOIN alert_targets AS target ON target.id = target_id
    WHERE next_try_at <= now() AND is_enabled
    ORDER BY next_try_at LIMIT %s FOR UPDATE OF delivery SKIP LOCKED)
RETURNING *
"""
log = structlog.get_logger("raceday.alerts")


def send_due() -> int:
    """Send the deliveries that are due, at most 16; return their number."""
    deliveries = list(AlertDelivery.objects.raw(CLAIM, [AT_ONCE]))
    if not deliveries:
        return 0
    targets = AlertTarget.objects.in_bulk([delivery.target_id for delivery in deliveries])
    alerts = {
        alert.pk: shown(RaceAlertSerializer, alert) for alert in alerts_by_id(each.alert_id for each in deliveries)
    }
    messages = [_message(each, targets[each.target_id], alerts[each.alert_id]) for each in deliveries]
    for delivery, receipt in zip(deliveries, _sent(messages), strict=True):
        _note(delivery, receipt)
    return len(deliveries)


def rotate_secret(target: AlertTarget, now: datetime) -> str:
    """Give a target a new secret and return it; for a day messages are signed with the old one too."""
    target.previous_secret, target.rotated_at = target.secret, now
    target.secret = new_secret()
    target.save(update_fields=["secret", "previous_secret", "rotated_at"])
    return target.secret


def give_up(target: AlertTarget) -> None:
    """Send a target nothing of what waits: by the time it is enabled again that is no news."""
    target.deliveries.filter(next_try_at__isnull=False).update(next_try_at=None)


def send(message: Message) -> Receipt:
    """Send a message once to a webhook or a messenger."""
    return messengers.send(message) if _is_messenger(message.url) else webhooks.send(message)


def check(address: str) -> None:
    """Raise RefusedError for an address to which nothing would be sent."""
    if _is_messenger(address):
        messengers.messenger(address)
    else:
        webhooks.checked(address)


def _is_messenger(address: str) -> bool:
    return address.partition("://")[0].lower() in messengers.SCHEMES


def _message(delivery: AlertDelivery, target: AlertTarget, alert: dict[str, Any]) -> Message:
    secrets = [target.secret]
    if target.previous_secret and target.rotated_at and clock.now() - target.rotated_at < BOTH_SECRETS:
        secrets.append(target.previous_secret)
    body = {"type": "late_money.alert", "timestamp": alert["raised_at"], "data": alert}
    return Message(
        id=f"alert-{delivery.pk}",
        url=target.url,
        secrets=tuple(secrets),
        body=msgspec.json.encode(body),
        text=sentence(alert),
    )


def _sent(messages: list[Message]) -> list[Receipt]:
    """Send all at once, and wait no longer than the deadline for those that answer drop by drop."""
    threads, give_up = ThreadPoolExecutor(len(messages)), time.monotonic() + DEADLINE_SECONDS
    sending = [threads.submit(send, message) for message in messages]
    receipts = [_receipt(each, give_up) for each in sending]
    threads.shutdown(wait=False)
    return receipts


def _receipt(sending: "Future[Receipt]", give_up: float) -> Receipt:
    try:
        return sending.result(max(0.0, give_up - time.monotonic()))
    except Overdue:
        return Receipt(None, f"no answer in {DEADLINE_SECONDS:.0f} s")
    except Exception as fault:  # one that cannot be sent must not hold up the others
        log.error("alert_send_crashed", exc_info=fault)
        return Receipt(None, f"{type(fault).__name__}: {fault}")


def _note(delivery: AlertDelivery, receipt: Receipt) -> None:
    told = {"delivery": delivery.pk, "target": delivery.target_id, "tries": delivery.tries, "status": receipt.status}
    rows, target = AlertDelivery.objects.filter(pk=delivery.pk), AlertTarget.objects.filter(pk=delivery.target_id)
    if receipt.is_delivered:
        rows.update(sent_at=Now(), next_try_at=None, last_status=receipt.status, last_fault=None)
        target.update(failures=0)
        log.info("alert_sent", **told)
        return
    pause = PAUSES_SECONDS[delivery.tries - 1] if delivery.tries <= len(PAUSES_SECONDS) else None
    next_try_at = Now() + timedelta(seconds=pause) if pause else None
    rows.update(next_try_at=next_try_at, last_status=receipt.status, last_fault=receipt.fault)
    target.update(failures=F("failures") + 1)
    log.warning("alert_not_sent", reason=receipt.fault, **told)
    _disable(target.get(), receipt)


def _disable(target: AlertTarget, receipt: Receipt) -> None:
    """Send nothing more to a target that says it is gone, or fails again and again; what waits is given up."""
    if not target.is_enabled or (receipt.status != GONE and target.failures < MOST_FAILURES):
        return
    reason = "it answers that it is gone" if receipt.status == GONE else f"{target.failures} failures in a row"
    AlertTarget.objects.filter(pk=target.pk).update(is_enabled=False, disabled_because=reason)
    give_up(target)
    log.error("alert_target_disabled", target=target.pk, reason=reason)
