"""Settings as a person meets them: a clear sentence for each fault, exit code 2, and no secret in it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from config import env_file
from config.settings import env
from tests.support.paths import ROOT


def start(home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "import config.settings as s; print(s.SECRET_KEY, s.DEBUG, s.COUNTRIES)"],
        cwd=ROOT,
        env={**os.environ, "RACEDAY_HOME": str(home), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("FEED_CONCURRENCY", "many", "setting FEED_CONCURRENCY is wrong: Not a valid integer."),
        ("CADENCE_SOON_SECONDS", "0", "setting CADENCE_SOON_SECONDS is wrong: Must be greater than or equal to 1"),
        ("RACE_TYPES", "thoroughbred,camel", "setting RACE_TYPES is wrong: Must be one of: thoroughbred, harness"),
        ("DATABASE_URL", "postgres//me:hunter2@x", "setting DATABASE_URL is wrong: must read postgresql://"),
        ("REDIS_URL", "http://:hunter2@x", "setting REDIS_URL is wrong: must read redis://"),
        ("NZTAB_API_URL", "api.tab.co.nz", "setting NZTAB_API_URL is wrong: must read http://"),
        ("LOG_LEVEL", "LOUD", "setting LOG_LEVEL is wrong: Must be one of: DEBUG, INFO"),
        ("COUNTRIES", "NZ,Australia", "setting COUNTRIES is wrong: must read NZ,AUS"),
        ("SECRET_KEY", "hunter2", "setting SECRET_KEY is wrong: must have at least 32 characters"),
        ("CADENCE_SOON_SECONDS", "45", "CADENCE_SOON_SECONDS (45) must not be above CADENCE_NEAR_SECONDS (30)"),
        ("ALLOWED_HOSTS", "raceday.example.org", "set NZTAB_LICENCE_ACKNOWLEDGED=true once you have it"),
    ],
)
def test_a_wrong_setting_is_told_in_a_sentence(name: str, value: str, sentence: str, tmp_path: Path) -> None:
    told = start(tmp_path, **{name: value})
    assert told.returncode == 2
    assert sentence in told.stderr
    assert "Traceback" not in told.stderr
    assert "hunter2" not in told.stderr


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    told = start(tmp_path, LOG_LEVEL="LOUD", FEED_CONCURRENCY="many")
    assert told.stderr.count("raceday: setting ") == 2


def test_other_hosts_are_served_once_the_licence_is_acknowledged(tmp_path: Path) -> None:
    told = start(tmp_path, ALLOWED_HOSTS="raceday.example.org", NZTAB_LICENCE_ACKNOWLEDGED="true")
    assert told.returncode == 0


def test_the_defaults_are_safe_and_the_key_is_made_once(tmp_path: Path) -> None:
    first, second = start(tmp_path), start(tmp_path)
    key, debug, *_ = first.stdout.split()
    assert debug == "False"
    assert (tmp_path / "secret_key").read_text() == key
    assert first.stdout == second.stdout


def test_a_home_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told = start(tmp_path / "file")
    assert told.returncode == 2
    assert "Set SECRET_KEY, or RACEDAY_HOME to a folder you can write." in told.stderr


def test_a_line_of_the_env_file_without_an_equals_sign_is_a_fault() -> None:
    assert list(env_file.faults_of("# words\n\nDB_POOL_MAX = 20\nexport LOG_LEVEL=INFO\nHTTPS true\n")) == [
        "line 5 of .env has no =: write HTTPS=value, or # before it."
    ]


def test_an_unknown_name_is_told_with_the_nearest_that_is_a_setting() -> None:
    text = "NZTAB_FORM=me\nDB_POOL_MAX=20\n#WRONG=1\nPOSTGRES_PASSWORD=x\nquite_different=2\nexport Log_Level=INFO\n"
    assert list(env_file.unknown_names(text, ["NZTAB_FROM", "DB_POOL_MAX", "LOG_LEVEL"])) == [
        "NZTAB_FORM in .env is no setting: do you mean NZTAB_FROM?",
        "quite_different in .env is no setting.",
        "Log_Level in .env is no setting: do you mean LOG_LEVEL?",
    ]


def test_every_name_of_the_example_is_known() -> None:
    text = (ROOT / ".env.example").read_text().replace("\n#", "\n")
    assert [told for told in env_file.unknown_names(text, env.dump()) if told.split()[0].isupper()] == []
