"""What a scrape shows, to whom, and that it adds up what several processes saw."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings

from operations.gauges import memory_bytes
from raceday import clock
from tests.support.card import make_meeting, make_race, own_keys  # noqa: F401  # a fixture
from tests.support.lane import LaneClient
from tests.support.paths import ROOT
from tests.support.scrape import samples

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_keys")]
OBSERVE = "from raceday import metrics; metrics.TRANSFORM_SECONDS.observe(0.002)"
SCRAPE = """
import django; django.setup()
from django.test import Client
print(Client(headers={"host": "localhost"}).get("/metrics").content.decode())
"""


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


@pytest.mark.django_db(transaction=True)
def test_without_the_database_the_rest_is_scraped(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    there = scrape(client)
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")
    seen = scrape(client)
    of_the_database = {name for name in there if name.startswith(("active_", "db_pool_", "db_size_", "poll_overdue_"))}
    assert (there['health_status{part="database"}'], seen['health_status{part="database"}']) == (0, 2)
    assert len(of_the_database) == 5
    assert not of_the_database & set(seen)
    assert {"waiting_answers", "valkey_used_bytes", "disk_free_bytes", "memory_used_bytes"} <= set(seen)


@pytest.mark.django_db(transaction=True)
def test_the_most_overdue_race_is_told_with_its_seconds(client: Client) -> None:
    assert scrape(client)["poll_overdue_seconds"] == 0
    meeting, now = make_meeting(), clock.now()
    for name, ago in (("a", 3), ("b", 60), ("c", 90)):  # each is polled every 15 s
        start = now + timedelta(minutes=3)
        make_race(meeting, race_id=name, start_time=start, polled_at=now - timedelta(seconds=ago))
    assert 90 - 15 - 15 - 5 <= scrape(client)["poll_overdue_seconds"] < 90


@pytest.mark.parametrize(
    ("limit", "expected"), [("max", (3_072, 4_096)), ("2000", (900, 2000)), (None, (3_072, 4_096))]
)
def test_memory_is_the_containers_where_it_has_a_limit(
    tmp_path: Path, limit: str | None, expected: tuple[int, int]
) -> None:
    machine = tmp_path / "meminfo"
    machine.write_text("MemTotal:   4 kB\nMemFree:   0 kB\nMemAvailable:   1 kB\n")
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 100\n")
    (tmp_path / "memory.current").write_text("1000\n")
    if limit:
        (tmp_path / "memory.max").write_text(f"{limit}\n")
    assert memory_bytes(tmp_path, machine) == expected


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


@pytest.mark.usefixtures("unmeasured")
def test_a_scrape_adds_up_what_every_process_saw(tmp_path: Path) -> None:
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for program in (OBSERVE, OBSERVE):
        subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=env, check=True, timeout=60)
    env["DJANGO_SETTINGS_MODULE"] = os.environ["DJANGO_SETTINGS_MODULE"]
    page = subprocess.run(
        [sys.executable, "-c", SCRAPE], cwd=ROOT, env=env, check=True, timeout=60, capture_output=True, text=True
    )
    assert samples(page.stdout)["transform_seconds_count"] == 2
