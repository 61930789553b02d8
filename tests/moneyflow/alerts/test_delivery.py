"""Alerts on their way to targets: chosen by the poll's statement, sent once, tried again, given up."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, time, timedelta
from typing import Any

import pytest
from django.db import IntegrityError
from django.db.models.functions import Now
from msgspec.structs import replace
from pytest_django import Settings

from moneyflow.alerts import delivery
from moneyflow.alerts.delivery import MOST_FAILURES, PAUSES_SECONDS, rotate_secret, send_due
from moneyflow.alerts.examples import RACE_ALERT
from moneyflow.alerts.signatures import new_secret, signature
from moneyflow.late_money.records import Severity
from moneyflow.models import AlertDelivery, AlertTarget
from moneyflow.tasks import send_alerts
from raceday import clock
from tests.support.card import own_keys  # noqa: F401  # a fixture
from tests.support.late_polls import FOUND, START, finds, poll
from tests.support.receiver import Receiver

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_keys")]


@pytest.fixture(autouse=True)
def noon(clock_goes_on_from: Callable[[datetime], None]) -> None:
    clock_goes_on_from(START)


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.WEBHOOKS_PRIVATE = True
    receiver = Receiver()
    yield receiver
    receiver.close()


def make_target(url: str = "https://hook.example/", **columns: Any) -> AlertTarget:
    return AlertTarget.objects.create(user_id="u1", url=url, secret=new_secret(), **{"min_severity": 1, **columns})


def raise_alert(severity: Severity = Severity.UNUSUAL, *, after: int = 5) -> None:
    poll(1000 + after, after=after, judge=finds(replace(FOUND, severity=severity)))


def let_time_pass() -> None:
    AlertDelivery.objects.filter(next_try_at__isnull=False).update(next_try_at=Now())


# ── Chosen ──────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("wish", "is_sent"),
    [
        ({}, True),
        ({"min_severity": 2}, True),
        ({"min_severity": 3}, False),
        ({"race_types": ["thoroughbred", "harness"], "countries": ["NZ"]}, True),
        ({"race_types": ["greyhound"]}, False),
        ({"countries": ["AUS", "HK"]}, False),
        ({"is_enabled": False}, False),
        ({"quiet_from": time(12), "quiet_until": time(13)}, False),  # the alert is raised at noon
        ({"quiet_from": time(13), "quiet_until": time(12)}, True),
        ({"quiet_from": time(22), "quiet_until": time(7)}, True),
        ({"quiet_from": time(22), "quiet_until": time(12, 30)}, False),
        ({"quiet_from": time(11, 30), "quiet_until": time(7)}, False),
    ],
)
def test_a_user_gets_what_the_budget_and_wishes_let_through(wish: dict[str, Any], is_sent: bool) -> None:
    make_target(**wish)
    raise_alert()
    assert AlertDelivery.objects.exists() is is_sent


def test_quiet_hours_have_both_ends() -> None:
    with pytest.raises(IntegrityError):
        make_target(quiet_from=time(22))


# ── Sent ────────────────────────────────────────────────────────────────────────────────────────
def test_an_alert_is_sent_once_to_each_target_however_often_poll_and_task_run(receiver: Receiver) -> None:
    targets = [make_target(receiver.url), make_target(receiver.url)]
    for _ in range(2):
        raise_alert()
        send_alerts()
    assert AlertDelivery.objects.filter(sent_at__isnull=False, next_try_at=None, last_status=204).count() == 2
    assert sorted(came.headers["webhook-id"] for came in receiver.came) == sorted(
        f"alert-{sent.pk}" for sent in AlertDelivery.objects.filter(target__in=targets)
    )
    body = json.loads(receiver.came[0].body)
    assert (body["type"], list(body["data"]), body["data"]["severity"]) == ("late_money.alert", list(RACE_ALERT), 2)


def test_a_delivery_that_another_task_has_claimed_is_not_sent_again(receiver: Receiver, monkeypatch: Any) -> None:
    make_target(receiver.url)
    raise_alert()
    sent = delivery._sent
    inside: list[int] = []

    def sent_while_another_looks(messages: list[Any]) -> Any:
        inside.append(send_due())
        return sent(messages)

    monkeypatch.setattr(delivery, "_sent", sent_while_another_looks)
    assert (send_due(), inside, len(receiver.came)) == (1, [0], 1)


def test_a_failed_delivery_is_tried_again_with_growing_pauses_and_then_given_up(receiver: Receiver) -> None:
    make_target(receiver.url)
    raise_alert()
    receiver.status = 500
    pauses = []
    for _ in range(len(PAUSES_SECONDS) + 1):
        assert send_due() == 1
        assert send_due() == 0
        row = AlertDelivery.objects.annotate(now=Now()).get()
        pauses.append(row.next_try_at and round((row.next_try_at - row.now).total_seconds()))
        let_time_pass()
    assert pauses == pytest.approx([*PAUSES_SECONDS, None], abs=1)
    assert (row.sent_at, row.last_status, row.last_fault) == (None, 500, "HTTP 500")
    assert send_due() == 0
    assert len({came.headers["webhook-id"] for came in receiver.came}) == 1


def test_a_receiver_that_comes_back_gets_the_alert(receiver: Receiver) -> None:
    target = make_target(receiver.url)
    raise_alert()
    receiver.status = 503
    send_due()
    receiver.status = 200
    let_time_pass()
    send_due()
    target.refresh_from_db()
    assert (target.failures, AlertDelivery.objects.get().tries, len(receiver.came)) == (0, 2, 2)


@pytest.mark.parametrize(
    ("status", "failures", "because"),
    [(410, 0, "it answers that it is gone"), (500, MOST_FAILURES - 1, f"{MOST_FAILURES} failures in a row")],
)
def test_a_target_that_is_gone_or_fails_too_often_gets_nothing_more(
    receiver: Receiver, status: int, failures: int, because: str
) -> None:
    target = make_target(receiver.url, failures=failures)
    raise_alert()
    receiver.status = status
    send_due()
    target.refresh_from_db()
    assert (target.is_enabled, target.disabled_because) == (False, because)
    assert AlertDelivery.objects.get().next_try_at is None
    raise_alert(Severity.RARE, after=10)
    let_time_pass()
    assert (send_due(), len(receiver.came)) == (0, 1)


def test_one_that_does_not_answer_delays_no_other(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "DEADLINE_SECONDS", 1.0)
    slow = Receiver()
    slow.delay_seconds = 3.0
    first, second = make_target(slow.url), make_target(receiver.url)
    raise_alert()
    send_due()
    assert AlertDelivery.objects.get(target=first).last_fault == "no answer in 1 s"
    assert AlertDelivery.objects.get(target=second).last_status == 204
    slow.close()


def test_one_that_cannot_be_sent_holds_up_no_other(receiver: Receiver) -> None:
    broken, whole = make_target(receiver.url), make_target(receiver.url)
    AlertTarget.objects.filter(pk=broken.pk).update(secret="whsec_x")
    raise_alert()
    assert send_due() == 2
    assert "Error" in (AlertDelivery.objects.get(target=broken).last_fault or "")
    assert AlertDelivery.objects.get(target=whole).last_status == 204


def test_while_a_secret_is_rotated_messages_are_signed_with_both(receiver: Receiver) -> None:
    target = make_target(receiver.url)
    old = target.secret
    new = rotate_secret(target, clock.now())
    raise_alert()
    send_due()
    rotate_secret(target, clock.now() - timedelta(days=2))
    raise_alert(Severity.RARE, after=10)
    send_due()
    both, one = receiver.came
    for came, keys in ((both, [new, old]), (one, [target.secret])):
        message_id, timestamp = came.headers["webhook-id"], int(came.headers["webhook-timestamp"])
        assert came.headers["webhook-signature"] == signature(keys, message_id, timestamp, came.body)
