"""What `./run check` says when the tests run too little."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT


def test_each_folder_and_pure_module_is_listed_and_too_little_of_one_fails(tmp_path: Path) -> None:
    env = os.environ | {"COVERAGE_FILE": str(tmp_path / "coverage")}
    subprocess.run([sys.executable, "-m", "coverage", "run", "-m", "raceday.racing_day"], cwd=ROOT, env=env, check=True)
    told = subprocess.run(
        [sys.executable, "-m", "tests.support.covered"], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    table, _, missing = told.stdout.partition("Name ")
    percentages = {name: int(number) for name, number, _ in map(str.split, table.splitlines())}
    assert told.returncode == 1
    assert {"accounts", "raceday/run", "moneyflow/transform", "moneyflow/transform/flow.py"} < percentages.keys()
    assert percentages["moneyflow/live/deltas.py"] == 0 < percentages["raceday/racing_day.py"] < 100
    assert {"moneyflow/live/deltas.py", "raceday/racing_day.py"} < {
        line.split()[0] for line in missing.splitlines()[1:] if line
    }
