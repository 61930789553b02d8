"""Late money in the admin: alerts to read, targets to edit, deliveries to send again."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from moneyflow.models import AlertDelivery, AlertTarget, LateMoneyAlert, LateMoneyCalibration
from tests.support.card import START, make_alert, make_entrant, make_meeting, make_race

pytestmark = pytest.mark.django_db
ALERTS, TARGETS, DELIVERIES = (
    f"admin:moneyflow_{model}_changelist" for model in ("latemoneyalert", "alerttarget", "alertdelivery")
)
ADD_TARGET = "admin:moneyflow_alerttarget_add"
FORM = {"user_id": "u1", "url": "https://hook.example/x", "min_severity": "2", "race_types": "", "countries": "NZ,AUS"}


@pytest.fixture
def staff(client: Client) -> Client:
    user = User.objects.create_user("editor", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="moneyflow"))
    client.force_login(user)
    return client


@pytest.fixture
def alert(clock_shows: Callable[[datetime], None]) -> LateMoneyAlert:
    clock_shows(START)
    runner = make_entrant(make_race(make_meeting()), 7)
    make_alert(runner, won=True, placed=True, final_pool_cents=4_000_000, final_share_percentage=Decimal(20))
    return make_alert(runner, severity=3, falls={"last 30 s": 1.9, "before": 2.5})


def make_target(**columns: object) -> AlertTarget:
    return AlertTarget.objects.create(user_id="u1", url="https://hook.example/", secret="whsec_AAAA", **columns)


def test_alerts_are_listed_with_evidence_and_outcome_and_few_queries(
    staff: Client, alert: LateMoneyAlert, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    staff.get(reverse(ALERTS))
    with django_assert_num_queries(8):
        page = staff.get(reverse(ALERTS)).content.decode()
    for text in ("7 Horse 7", "R1 Awapuni, Maiden", "$642.00 in 30 s, $181.50 expected", "won"):
        assert text in page


def test_an_alert_shows_why_and_where_it_was_sent(staff: Client, alert: LateMoneyAlert) -> None:
    AlertDelivery.objects.create(alert=alert, target=make_target(), last_fault="HTTP 500")
    page = staff.get(reverse("admin:moneyflow_latemoneyalert_change", args=[alert.pk])).content.decode()
    for text in ("before: 2.50, last 30 s: 1.90", "16.50 %, 20.00 %", "HTTP 500", "waiting"):
        assert text in page


def test_an_outcome_says_what_came_into_the_pool_afterwards(staff: Client, alert: LateMoneyAlert) -> None:
    settled = LateMoneyAlert.objects.get(won=True)
    page = staff.get(reverse("admin:moneyflow_latemoneyalert_change", args=[settled.pk])).content.decode()
    assert "$10,000.00" in page


def test_a_new_target_gets_a_secret_that_is_shown_once(staff: Client) -> None:
    page = staff.post(reverse(ADD_TARGET), FORM, follow=True).content.decode()
    target = AlertTarget.objects.get()
    assert target.secret.startswith("whsec_")
    assert target.secret in page.replace("&#x3D;", "=")
    assert (target.countries, target.race_types, target.is_enabled) == (["NZ", "AUS"], [], False)
    address = reverse("admin:moneyflow_alerttarget_change", args=[target.pk])
    assert target.secret not in staff.get(address).content.decode().replace("&#x3D;", "=")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"url": "http://hook.example/"}, "the address must read https://host/path"),
        ({"url": "https://hook.example:port/"}, "Invalid port"),
        ({"url": "json://hook.example/"}, "the address must read https://host/path"),
        ({"url": "ntfys://my.example/topic"}, "of ntfy only topics of ntfy.sh are served"),
        ({"quiet_from": "22:00"}, "Quiet hours need both ends."),
    ],
)
def test_a_target_that_would_not_work_is_refused(staff: Client, wrong: dict[str, str], said: str) -> None:
    page = staff.post(reverse(ADD_TARGET), {**FORM, **wrong}).content.decode()
    assert said in page
    assert not AlertTarget.objects.exists()


def test_a_target_that_is_enabled_again_begins_without_failures(staff: Client) -> None:
    target = make_target(is_enabled=False, failures=20, disabled_because="20 failures in a row")
    address = reverse("admin:moneyflow_alerttarget_change", args=[target.pk])
    staff.post(address, {**FORM, "is_enabled": "on"})
    target.refresh_from_db()
    assert (target.is_enabled, target.failures, target.disabled_because) == (True, 0, None)
    assert target.secret == "whsec_AAAA"


def test_what_waits_for_a_target_that_staff_disable_is_given_up(staff: Client, alert: LateMoneyAlert) -> None:
    target = make_target()
    waiting = AlertDelivery.objects.create(alert=alert, target=target)
    staff.post(reverse("admin:moneyflow_alerttarget_change", args=[target.pk]), FORM)
    waiting.refresh_from_db()
    assert (waiting.next_try_at, waiting.sent_at) == (None, None)


def test_a_secret_is_rotated_and_the_new_one_shown(staff: Client) -> None:
    target = make_target()
    action = {"action": "rotate_secrets", "_selected_action": [target.pk]}
    page = staff.post(reverse(TARGETS), action, follow=True).content.decode().replace("&#x3D;", "=")
    target.refresh_from_db()
    assert (target.previous_secret, target.secret in page) == ("whsec_AAAA", True)


def test_deliveries_are_listed_and_those_not_sent_can_be_sent_again(staff: Client, alert: LateMoneyAlert) -> None:
    given_up = AlertDelivery.objects.create(alert=alert, target=make_target(), next_try_at=None, tries=6)
    assert "given up" in staff.get(reverse(DELIVERIES)).content.decode()
    staff.post(reverse(DELIVERIES), {"action": "send_again", "_selected_action": [given_up.pk]})
    given_up.refresh_from_db()
    assert given_up.next_try_at is not None


def test_staff_without_the_right_read_alerts_and_touch_no_target(client: Client, alert: LateMoneyAlert) -> None:
    client.force_login(User.objects.create_user("reader", is_staff=True))
    assert client.get(reverse(ALERTS)).status_code == 200
    assert client.get(reverse(DELIVERIES)).status_code == 200
    assert client.get(reverse(TARGETS)).status_code == 403
    assert client.get(reverse(ADD_TARGET)).status_code == 403


def test_staff_let_a_calibration_that_moved_far_come_into_force(staff: Client) -> None:
    made = LateMoneyCalibration.objects.create(artefact="net-1", maxima=[0.5], false_alerts=12.0, is_in_force=False)
    address = reverse("admin:moneyflow_latemoneycalibration_changelist")
    assert "waits for approval" in staff.get(address).content.decode()
    staff.post(address, {"action": "approve", "_selected_action": [made.pk]})
    made.refresh_from_db()
    assert (made.is_in_force, made.approved_by) == (True, "editor")
    page = reverse("admin:moneyflow_latemoneycalibration_change", args=[made.pk])
    assert "12.0" in staff.get(page).content.decode()
