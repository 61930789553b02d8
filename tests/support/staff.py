"""What staff do in the admin, and what they find there."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import Task

from moneyflow.models import MoneyFlowHistory
from races.models import Race
from tests.support.card import POLLED

RACES, FAILURES = "admin:races_race_changelist", "admin:django_q_failure_changelist"


def add_share(race: Race, entrant_id: str, number: int, share: str) -> None:
    MoneyFlowHistory.objects.create(
        id=number,
        entrant_id=entrant_id,
        race_id=race.pk,
        type="pool_win",
        time_to_start=1,
        seconds_to_start=60,
        time_interval=Decimal(1),
        interval_type="30s",
        event_timestamp=POLLED + timedelta(seconds=number),
        polling_timestamp=POLLED,
        win_pool_amount=915138,
        win_pool_percentage=Decimal(share),
    )


def race_url(race: Race) -> str:
    return reverse("admin:races_race_change", args=[race.pk])


def make_failure(**columns: Any) -> Task:
    default: dict[str, Any] = {
        "id": uuid4().hex,
        "name": "one",
        "func": "moneyflow.tasks.poll_now",
        "cluster": "default",
    }
    default |= {"result": "boom : Traceback", "started": timezone.now(), "stopped": timezone.now(), "success": False}
    return Task.objects.create(**{**default, **columns})


def act(client: Client, url: str, action: str, *keys: object) -> Any:
    return client.post(url, {"action": action, "index": 0, "_selected_action": list(map(str, keys))}, follow=True)
