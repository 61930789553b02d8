"""`python -m benchmarks [NAME …] [--json] [--rounds N | --days N]`: measure, print, exit 1 if a target is missed.

It uses its own databases in PostgreSQL and Valkey, so it may be pointed at servers that contain data.
"""

import argparse
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from urllib.parse import urlsplit

import psycopg
from msgspec.structs import replace
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier
from redis import Redis
from redis.exceptions import RedisError

NAMES = (
    "write",
    "transform",
    "poller",
    "freshness",
    "corridor",
    "history",
    "serve",
    "stream",
    "slow",
    "detect",
    "late_money",
    "board",
    "archive",
    "poll_cost",
)
BY_NAME = ("soak",)  # that take too long to be among all of them
SERVERS = ("DATABASE_URL", "REDIS_URL")


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    described = argparse.ArgumentParser(prog="./run bench", allow_abbrev=False)
    described.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}, none: all of them; soak")
    described.add_argument("--json", action="store_true", help="print one JSON line last instead of a table")
    told = "how often each thing is measured (few is only for trying out); of soak, the days that are simulated"
    described.add_argument("--rounds", "--days", type=int, help=told)
    return described


def complain(sentence: str) -> int:
    """Tell the person why nothing is measured, and return the exit code for that."""
    sys.stderr.write(f"raceday: {sentence}\n")
    return 2


@contextmanager
def own_database() -> Iterator[None]:
    """Put a new, empty database into DATABASE_URL, and drop it at the end."""
    url, name = os.environ["DATABASE_URL"], f"raceday_bench_{os.getpid()}"
    with psycopg.connect(url, autocommit=True, connect_timeout=2) as server:
        server.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        os.environ["DATABASE_URL"] = make_conninfo(url, dbname=name)
        try:
            yield
        finally:
            os.environ["DATABASE_URL"] = url
            server.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


@contextmanager
def own_valkey() -> Iterator[None]:
    """Put an empty database of that Valkey into REDIS_URL, and empty it at the end."""
    url = os.environ["REDIS_URL"]
    with _empty_database(url) as (address, client):
        os.environ["REDIS_URL"] = address
        try:
            yield
        finally:
            os.environ["REDIS_URL"] = url
            client.flushdb()


@contextmanager
def _empty_database(url: str) -> Iterator[tuple[str, Redis]]:
    parts = urlsplit(url)
    server = f"unix://{parts.path}?db=" if parts.scheme == "unix" else f"{parts.scheme}://{parts.netloc}/"
    for address in (f"{server}{number}" for number in range(15, 0, -1)):
        with Redis.from_url(address, socket_connect_timeout=2) as client:
            if not client.dbsize() and client.set("bench", os.getpid(), nx=True):
                yield address, client
                return
    raise RedisError("none of its databases 1 to 15 is empty")


def measure(names: Sequence[str], rounds: int | None, *, is_json: bool) -> int:
    """Migrate, run the benchmarks by name, print what they found and return the exit code."""
    load_average = os.getloadavg()
    import django  # noqa: PLC0415 - it reads DATABASE_URL, which is not ours before

    django.setup()
    from django.core.management import call_command  # noqa: PLC0415

    from benchmarks import figures  # noqa: PLC0415
    from benchmarks.yardstick import slowness  # noqa: PLC0415

    call_command("migrate", verbosity=0, interactive=False)
    conditions = figures.conditions(load_average)
    found: list[figures.Figure] = []
    try:
        for name in names:
            sys.stderr.write(f"measuring {name}\n")
            before = slowness()
            measured = import_module(f"benchmarks.{name}").measure(rounds)
            mean = (before + slowness()) / 2
            found += [replace(each, slowness=mean) for each in measured]
    except figures.BenchmarkError as fault:
        return complain(str(fault))
    if is_json:
        print(json.dumps(figures.record(found, conditions)))
    else:
        print(figures.table(found))
        print("\n" + "\n".join(f"{name}: {value}" for name, value in conditions.items()))
    return 0 if figures.is_met(found) else 1


def main(arguments: Sequence[str]) -> int:
    """Run `./run bench`: 0 if every target is met, 1 if one is missed, 2 if nothing was measured."""
    options = parser().parse_args(arguments)
    unknown = [name for name in options.names if name not in NAMES + BY_NAME]
    if unknown:
        return complain(f"there is no benchmark '{unknown[0]}': choose of {', '.join(NAMES + BY_NAME)}.")
    if options.rounds is not None and options.rounds < 1:
        return complain("--rounds or --days must be 1 or more.")
    if missing := [name for name in SERVERS if not os.environ.get(name)]:
        return complain(f"{missing[0]} is not set: `./run bench` sets it.")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        with own_database(), own_valkey():
            return measure(options.names or NAMES, options.rounds, is_json=options.json)
    except psycopg.Error as fault:
        return complain(f"the database failed: {str(fault).splitlines()[0]}")
    except RedisError as fault:
        return complain(f"Valkey failed: {str(fault).splitlines()[0]}")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
