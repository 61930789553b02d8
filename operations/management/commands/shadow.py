"""`manage.py shadow --against URL`: ask another server and ours the same for a while, and report their drift."""

import asyncio
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from operations.shadow import OWN, Drift, Verdict
from raceday import clock
from raceday.feed.records import ENDED

DAY = {"meetings": "/api/meetings", "upcoming": "/api/races/upcoming"}
RACE = {
    "race": "/api/races/{}",
    "entrants": "/api/entrants?race_id={}",
    "race-pools": "/api/race-pools?race_id={}",
    "race-results": "/api/race-results?race_id={}",
}
TIMEOUT_SECONDS = 5.0


class Command(BaseCommand):
    help = "Compare another server with the same client API with ours, field by field, and report the drift."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--against", required=True, metavar="URL", help="the other server")
        parser.add_argument("--ours", metavar="URL", default=f"http://127.0.0.1:{settings.WEB_PORT}")
        parser.add_argument("--minutes", type=positive, default=10.0)
        parser.add_argument("--every", type=positive, default=15.0, metavar="SECONDS", help="between two looks")
        parser.add_argument("--races", type=int, default=4, help="that are followed at a time, the next to start first")
        parser.add_argument("--ignore", action="append", default=[], metavar="FIELD", help="that may differ")

    def handle(self, *_: Any, **options: Any) -> None:
        shadow = Shadow(races=options["races"], ignored=frozenset(options["ignore"]))
        asyncio.run(shadow.run(options["ours"], options["against"], options["minutes"] * 60, options["every"]))
        if not shadow.drift.counts:
            raise CommandError(f"nothing could be compared: {dict(shadow.failed) or 'no look was taken'}", returncode=2)
        self.stdout.write("\n".join(report(shadow)))
        if not shadow.drift.is_good():
            raise SystemExit(1)


class Shadow:
    """The comparison under way: the drift, the races that are followed, and requests that failed by server."""

    def __init__(self, *, races: int, ignored: frozenset[str]) -> None:
        self.drift = Drift(OWN | ignored)
        self.failed: Counter[str] = Counter()
        self._most = races
        self._followed: list[str] = []

    async def run(self, ours: str, theirs: str, seconds: float, every: float) -> None:
        """Look again and again for so long, by Raceday's clock."""
        options: dict[str, Any] = {"timeout": TIMEOUT_SECONDS, "trust_env": False}
        async with (
            httpx.AsyncClient(base_url=root_of(ours), **options) as own,
            httpx.AsyncClient(base_url=root_of(theirs), **options) as other,
        ):
            for left in reversed(range(max(1, round(seconds / every)))):
                due = time.monotonic() + clock.real_seconds(every)
                await self._look_at_all(own, other)
                await asyncio.sleep(max(0.0, due - time.monotonic()) if left else 0)
        self.drift.end()

    async def _look_at_all(self, own: httpx.AsyncClient, other: httpx.AsyncClient) -> None:
        for resource, address in DAY.items():
            said = await self._look(own, other, resource, "today", address)
            if resource == "upcoming" and said:
                coming = [race["race_id"] for race in said[0].get("races", []) if race["race_id"] not in self._followed]
                self._followed += coming[: max(0, self._most - len(self._followed))]
        for race_id in list(self._followed):
            for resource, address in RACE.items():
                said = await self._look(own, other, resource, race_id, address.format(quote(race_id)))
                if resource == "race" and said and all(body.get("status") in ENDED for body in said):
                    self._followed.remove(race_id)  # after this look, which has its result

    async def _look(
        self, own: httpx.AsyncClient, other: httpx.AsyncClient, resource: str, about: str, address: str
    ) -> tuple[Any, Any] | None:
        """Ask both at once; None if one of them gave no answer."""
        said = await asyncio.gather(self._ask(own, "ours", address), self._ask(other, "theirs", address))
        if None in said:
            return None
        self.drift.look(resource, about, ours=said[0], theirs=said[1])
        return said[0], said[1]

    async def _ask(self, server: httpx.AsyncClient, name: str, address: str) -> Any:
        """Return the body, {} where there is none yet, None without an answer."""
        try:
            answer = await server.get(address)
            if answer.status_code == httpx.codes.NOT_FOUND:
                return {}
            return answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError) as fault:
            self.failed[f"{name}: {type(fault).__name__} {getattr(fault, 'response', '')}".strip()] += 1
            return None


def positive(text: str) -> float:
    """Read a number above 0; ValueError for anything else."""
    if not (number := float(text)) > 0:
        raise ValueError(text)
    return number


def root_of(url: str) -> str:
    """Return where a server's /api is, whether or not its address ends with that."""
    return url.rstrip("/").removesuffix("/api")


def report(shadow: Shadow) -> Iterator[str]:
    """Lay the drift out: a line for each field, and the last difference of each below."""
    yield f"{'field':<44}" + "".join(f"{verdict:>13}" for verdict in Verdict)
    for (resource, field), found in sorted(shadow.drift.counts.items()):
        yield f"{f'{resource} {field}':<44}" + "".join(f"{found[verdict] or '':>13}" for verdict in Verdict)
    for (resource, _), example in sorted(shadow.drift.examples.items()):
        yield f"different: {resource} {example}"
    for told, times in shadow.failed.items():
        yield f"failed: {times} × {told}"
    yield "A client would miss nothing here." if shadow.drift.is_good() else "A client would notice a difference."
