"""What a scrape shows, to whom, and that it adds up what several processes saw."""

import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from raceday import clock
from tests.support.card import make_meeting, make_race, own_keys  # noqa: F401  # a fixture
from tests.support.lane import LaneClient
from tests.support.paths import ROOT

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_keys")]
OBSERVE = "from raceday import metrics; metrics.TRANSFORM_SECONDS.observe(0.002)"
SCRAPE = """
import django; django.setup()
from django.test import Client
print(Client(headers={"host": "localhost"}).get("/metrics").content.decode())
"""


def samples(text: str) -> dict[str, float]:
    """Name and labels → value."""
    return {name: float(value) for name, value in re.findall(r"^([^#\s]\S*) (\S+)$", text, re.MULTILINE)}


def scrape(client: Client) -> dict[str, float]:
    return samples(client.get("/metrics").content.decode())


def test_the_names_the_customer_knows_are_there(client: Client) -> None:
    seen = scrape(client)
    for name in ("race_processing_seconds", "nztab_fetch_seconds", "transform_seconds", "db_write_seconds"):
        assert {f"{name}_count", f'{name}_bucket{{le="0.001"}}', f'{name}_bucket{{le="10.0"}}'} <= set(seen)
    assert {"active_races_total", "db_pool_connections", "feed_held_seconds", "feed_failures"} <= set(seen)
    assert "feed_age_seconds" not in seen


def test_active_races_can_still_change_and_start_today_or_were_polled_lately(client: Client) -> None:
    meeting, now, last_week = make_meeting(), clock.now(), clock.now() - timedelta(days=7)
    make_race(meeting, race_id="today", start_time=now, polled_at=None)
    make_race(meeting, race_id="polled", start_time=last_week, polled_at=now)
    make_race(meeting, race_id="forgotten", start_time=last_week, polled_at=last_week)
    make_race(meeting, race_id="over", start_time=now, status="Final", polled_at=now)
    seen = scrape(client)
    assert seen["active_races_total"] == 2
    assert 0 <= seen["feed_age_seconds"] < 60
    assert seen["db_pool_connections"] >= 1


def test_hits_and_misses_are_counted_by_route() -> None:
    client = LaneClient()
    make_race(make_meeting())
    before = scrape(client)
    for _ in range(3):
        client.get("/api/races/r1")
    after = scrape(client)
    for outcome, count in (("hit", 2), ("miss", 1)):
        name = f'raceday_cache_requests_total{{outcome="{outcome}",route="race"}}'
        assert after[name] - before.get(name, 0) == count


@pytest.mark.parametrize("caller", [{"REMOTE_ADDR": "192.0.2.7"}, {"HTTP_X_FORWARDED_FOR": "192.0.2.7"}])
def test_only_this_machine_may_scrape_unless_the_setting_says_so(settings: Settings, caller: dict[str, Any]) -> None:
    client = Client(**caller)
    refused = client.get("/metrics")
    assert (refused.status_code, refused.json()) == (403, {"error": "not allowed"})
    settings.METRICS_PUBLIC = True
    assert client.get("/metrics").status_code == 200


def test_a_scrape_adds_up_what_every_process_saw(tmp_path: Path) -> None:
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for program in (OBSERVE, OBSERVE):
        subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=env, check=True, timeout=60)
    env["DJANGO_SETTINGS_MODULE"] = os.environ["DJANGO_SETTINGS_MODULE"]
    page = subprocess.run(
        [sys.executable, "-c", SCRAPE], cwd=ROOT, env=env, check=True, timeout=60, capture_output=True, text=True
    )
    assert samples(page.stdout)["transform_seconds_count"] == 2
