import os
from pathlib import Path

import pytest

from raceday import home


def test_the_secret_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    key = home.secret_key(tmp_path / "new")
    assert home.secret_key(tmp_path / "new") == key
    assert len(key) > 50
    assert (tmp_path / "new" / "secret_key").stat().st_mode & 0o777 == 0o600


def test_a_secret_key_others_can_read_is_refused(tmp_path: Path) -> None:
    home.secret_key(tmp_path)
    (tmp_path / "secret_key").chmod(0o644)
    with pytest.raises(PermissionError, match="chmod 600"):
        home.secret_key(tmp_path)


def test_raceday_home_moves_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RACEDAY_HOME", "/srv/day")
    assert home.home() == Path("/srv/day")
    assert "host=/srv/day/run" in home.database_url(home.home())
    assert home.redis_url(home.home()).startswith("unix:///srv/day/run")


def test_a_long_home_keeps_its_sockets_where_the_kernel_can_reach_them(tmp_path: Path) -> None:
    folder = home.socket_folder(tmp_path / ("long" * 30))
    assert len(os.fsencode(folder / "postgres" / ".s.PGSQL.5432.lock")) <= home.SOCKET_PATH_LIMIT


def test_processes_count_where_a_full_disk_cannot_end_them(tmp_path: Path) -> None:
    """They map these files: a page that the disk has no room for is a SIGBUS."""
    folder = home.metrics_folder(tmp_path)
    assert folder == home.metrics_folder(tmp_path) != home.metrics_folder(tmp_path / "other")
    types = {fields[1]: fields[2] for fields in map(str.split, Path("/proc/mounts").read_text().splitlines())}
    assert types.get(str(folder.parent)) == "tmpfs" or folder == tmp_path / "metrics"
