"""A full disk takes no process with it: what cannot be counted in a file is counted in memory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

HAS_MOUNTS = subprocess.run(
    ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"], check=False, capture_output=True
)
pytestmark = pytest.mark.skipif(HAS_MOUNTS.returncode != 0, reason="only root may mount a small disk")

# The disk is the process's own and goes with it. It has {size} of room, less what {before} takes.
SMALL_DISK = "mount -t tmpfs -o size={size} none {folder} && {{ {before}; }} && exec {python} -c '{program}'"
COUNT = """
import os, django; django.setup()
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from raceday import metrics
folder = os.environ["PROMETHEUS_MULTIPROC_DIR"]
for number in range({labels}):
    metrics.POLLS.labels(outcome=str(number) * 20).inc()
told = [metrics.POLLS.labels(outcome=str(number) * 20)._value.get() for number in range({labels})]
registry = CollectorRegistry()
MultiProcessCollector(registry)
page = generate_latest(registry).decode()
print(told == [1.0] * {labels}, page.count("raceday_polls_total{{"), len(os.listdir(folder)))
"""
FILL = "head -c 9999999 /dev/zero > {folder}/other 2>/dev/null || true"


def count(folder: Path, *, size: str, labels: int, before: str = "true") -> tuple[str, str]:
    """What a process that counts on a small disk told on its standard output and error."""
    program = COUNT.format(labels=labels)
    script = SMALL_DISK.format(
        size=size, folder=folder, before=before.format(folder=folder), python=sys.executable, program=program
    )
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    ended = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, (ended.returncode, ended.stderr)
    return ended.stdout.strip(), ended.stderr


def test_on_a_disk_with_room_a_scrape_sees_what_is_counted_whatever_the_file_grows_to(tmp_path: Path) -> None:
    out, told = count(tmp_path, size="8m", labels=2000)
    assert out.startswith("True 2000 ")
    assert "metrics_not_shared" not in told


def test_a_process_that_starts_on_a_full_disk_counts_in_memory_and_says_so_once(tmp_path: Path) -> None:
    out, told = count(tmp_path, size="1m", labels=2000, before=FILL)
    assert out == "True 0 1"  # nothing but what filled the disk lies there
    assert told.count("metrics_not_shared") == 1


def test_a_disk_that_gets_full_while_a_file_grows_takes_no_process_with_it(tmp_path: Path) -> None:
    out, told = count(tmp_path, size="512k", labels=4000)
    is_right, seen, _ = out.split()
    assert is_right == "True"
    assert 0 < int(seen) < 4000  # as it stood when the disk was full
    assert told.count("metrics_not_shared") == 1
