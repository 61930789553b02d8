"""Raceday's data folder, RACEDAY_HOME: what must outlive a process, its sockets and its secret key."""

import os
import secrets
import stat
import zlib
from pathlib import Path
from urllib.parse import quote

SOCKET_PATH_LIMIT = 107  # bytes of sockaddr_un.sun_path, less the closing NUL
LONGEST_SOCKET_NAME = len("/postgres/.s.PGSQL.5432")


def home() -> Path:
    """Return RACEDAY_HOME, else /var/lib/raceday for root and ~/.raceday for anyone else."""
    if configured := os.environ.get("RACEDAY_HOME"):
        return Path(configured).expanduser().absolute()
    return Path("/var/lib/raceday") if os.geteuid() == 0 else Path.home() / ".raceday"


def socket_folder(root: Path) -> Path:
    """Return the folder for sockets of the home `root`: short enough for the kernel."""
    folder = root / "run"
    if len(os.fsencode(folder)) + LONGEST_SOCKET_NAME <= SOCKET_PATH_LIMIT:
        return folder
    return Path("/tmp") / f"raceday-{os.geteuid()}-{zlib.crc32(os.fsencode(root)):08x}"  # noqa: S108 TMPDIR may be long


def metrics_folder(root: Path) -> Path:
    """Return the folder in which the processes of the home `root` count, in memory where the machine allows.

    A full disk would leave them to count each in its own memory: see raceday.metric_files.
    """
    memory = Path("/dev/shm")  # noqa: S108 a folder of ours below it, by home and user
    if os.access(memory, os.W_OK):
        return memory / f"raceday-{os.geteuid()}-{zlib.crc32(os.fsencode(root)):08x}"
    return root / "metrics"


def database_url(root: Path) -> str:
    """Return the address of the PostgreSQL that `./run` starts in the home `root`."""
    return f"postgresql://raceday@/raceday?host={quote(str(socket_folder(root) / 'postgres'))}&port=5432"


def redis_url(root: Path) -> str:
    """Return the address of the Valkey that `./run` starts in the home `root`."""
    return f"unix://{quote(str(socket_folder(root) / 'valkey' / 'valkey.sock'))}?db=0"


def secret_key(root: Path) -> str:
    """Read the secret key of the home `root`, made once and readable by its owner only.

    Raises OSError when the folder cannot be written, PermissionError when others can read the key.
    """
    path = root / "secret_key"
    root.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise PermissionError(f"{path} can be read by others: chmod 600 {path}") from None
        return path.read_text()
    with os.fdopen(descriptor, "w") as file:
        file.write(key := secrets.token_urlsafe(64))
    return key
