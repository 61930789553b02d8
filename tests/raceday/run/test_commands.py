"""The commands of `./run` that end by themselves: they run before the user's eyes, on servers that go with them."""

import signal
from pathlib import Path

import pytest

from raceday.run import supervisor
from tests.raceday.run.test_supervisor import said_by, start
from tests.support.streams import eventually

TELLS_WHERE = "import os, time; print('on', os.environ['TMPDIR'], flush=True)\n"


def test_tests_run_on_servers_that_go_with_them(tmp_path: Path) -> None:
    tests = tmp_path / "test_it.py"
    tests.write_text(f"{TELLS_WHERE}def test_it(): assert time.gmtime()[:3] == (2028, 2, 28)\n")
    code, said = said_by(tmp_path, "test", "-qs", "--on", "2028-02-29", str(tests))
    assert (code, "1 passed" in said) == (0, True)
    assert not scratch_of(said).exists()


def test_a_signal_ends_the_tests_and_their_servers(tmp_path: Path) -> None:
    tests = tmp_path / "test_it.py"
    tests.write_text(f"{TELLS_WHERE}def test_it(): time.sleep(60)\n")
    running = start(tmp_path, "test", "-qs", str(tests))
    assert running.stdout
    said = next(line for line in running.stdout if line.startswith("on "))
    assert scratch_of(said).exists()
    running.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in running.communicate(timeout=20)[0]
    assert running.returncode == 128 + signal.SIGINT
    eventually(lambda: not scratch_of(said).exists())


def scratch_of(said: str) -> Path:
    return Path(next(line for line in said.splitlines() if line.startswith("on ")).removeprefix("on "))


@pytest.mark.parametrize("command", ["bench", "faults"])
def test_a_name_that_is_none_is_refused_by_its_command(tmp_path: Path, command: str) -> None:
    code, said = said_by(tmp_path, command, "nowhere")
    assert code == 2
    assert "nowhere" in said


def test_check_runs_everything_and_names_what_failed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    says_day = ["-c", "import time; print(time.gmtime().tm_year)"]
    has_https = ["-c", "import os; raise SystemExit(os.environ.get('HTTPS') != 'true')"]
    shown = ["-c", "print('pages')"]
    checks = {"lint": has_https, "2028-02-29": says_day, "deploy": has_https, supervisor.BESIDE: shown}
    monkeypatch.setattr(supervisor, "CHECKS", checks)
    assert supervisor.check() == 1
    monkeypatch.setattr(supervisor, "CHECKS", {supervisor.BESIDE: shown})
    assert supervisor.check() == 0
    said, faults = capfd.readouterr()
    beside = [f"── {supervisor.BESIDE}", "pages"]
    assert said.splitlines() == ["── lint", "── 2028-02-29", "2028", "── deploy", *beside, *beside]
    assert faults == "raceday: failed: lint\n"
