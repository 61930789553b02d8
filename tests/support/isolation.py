"""What keeps the processes of one run of the suite apart; read before Django's settings are."""

import os
import secrets
import socket
from contextlib import suppress
from urllib.parse import parse_qsl, urlencode

from redis import ConnectionPool

from raceday import home

NUMBER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
# Below those that the kernel gives to whoever names none, so that a port stays free until its server is up.
PORTS = range(10_000 + 2_000 * (NUMBER % 10), 12_000 + 2_000 * (NUMBER % 10), 2)


def free_port() -> int:
    """Return a port whose next is free too: a demo's streams take it."""
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe, socket.socket() as beside, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            beside.bind(("127.0.0.1", port + 1))
            return port


def valkey_beside(url: str, number: int) -> str:
    """Return the address of the Valkey database that comes so many after the one at `url`."""
    server, _, query = url.partition("?")
    database = ConnectionPool.from_url(url).connection_kwargs.get("db", 0) + number
    return f"{server}?{urlencode({**dict(parse_qsl(query)), 'db': database})}"


if NUMBER:
    os.environ["REDIS_URL"] = valkey_beside(os.environ.get("REDIS_URL") or home.redis_url(home.home()), NUMBER)
