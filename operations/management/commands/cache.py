"""`manage.py cache stats|invalidate|clear|warm`: what is kept for readers, and the ways to have it made anew."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from moneyflow import publishing
from operations.cache import actions, statistics
from operations.cache.actions import Done, ValkeyAwayError
from operations.cache.views import INVALIDATE, InvalidatePayload


class Command(BaseCommand):
    help = "Show what is kept for readers, have it made anew, drop it, or make today's."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True, metavar="stats|invalidate|clear|warm")
        acts.add_parser("stats", help="what is kept, and how often it served")
        by = acts.add_parser("invalidate", help="have bodies made anew").add_mutually_exclusive_group(required=True)
        by.add_argument("--key", help="of a page: its key, or its address as a client asks for it")
        by.add_argument("--race", dest="race_id", help="of a race, by its id")
        by.add_argument("--pattern", help="of topics that keep a key which a glob matches: '/api/entrants*'")
        acts.add_parser("clear", help="drop all bodies, and nothing else")
        acts.add_parser("warm", help="make today's bodies that are missing or outdated")

    def handle(self, *_: Any, act: str, **options: Any) -> None:
        try:
            self.stdout.write("\n".join({"stats": stats, "clear": clear, "warm": warm}.get(act, invalidate)(options)))
        except ValkeyAwayError as fault:
            raise CommandError(f"{fault}.", returncode=1) from None


def stats(_: dict[str, Any]) -> Iterator[str]:
    """Write what cache_stats tells, a line a matter."""
    told = statistics.collect()
    yield f"topics     {', '.join(f'{number} {kind}' for kind, number in told['topics'].items()) or 'none'}"
    sizes = ", ".join(f"{name} {size:,}" for name, size in told["bytes"].items())
    yield f"bodies     {told['bodies']}; bytes: {sizes}"
    for name in ("oldest", "newest"):
        mark = told[f"{name}_mark"]
        yield f"{name:<10} " + (f"polled {mark['polled_at']}, {mark['age_seconds']} s ago" if mark else "–")
    log = told["events"]
    yield f"events     {log['length']}, {log['first_id'] or '–'} to {log['last_id'] or '–'}"
    server = told["valkey"]
    limit = "no limit" if server["max_bytes"] is None else f"of {server['max_bytes']:,}"
    yield (
        f"valkey     {server['used_bytes']:,} bytes, {limit}; {server['evicted_keys']} keys evicted,"
        f" hit ratio {_rate(server['hit_ratio'])}"
    )
    if told["routes"] is None:
        yield f"hit rates  not known: {told['routes_unknown']}"
    for route in told["routes"] or ():
        counts = f"{route['hits']} hits, {route['stales']} stale, {route['misses']} misses"
        yield f"hit rate   {_rate(route['hit_rate']):>6}  {route['route']}: {counts}"
    if not told["is_complete"]:
        yield "There was not time to look at all that is kept."


def invalidate(options: dict[str, Any]) -> Iterator[str]:
    """Have the bodies that are named made anew by their next readers."""
    ((by, what),) = ((name, options[name]) for name in INVALIDATE if options[name] is not None)
    payload = InvalidatePayload(data={by: what})
    if not payload.is_valid():
        raise CommandError(f"{what} {' '.join(map(str, payload.errors[by]))}", returncode=1)
    yield from _done(INVALIDATE[by](payload.validated_data[by]))


def clear(_: dict[str, Any]) -> Iterator[str]:
    """Drop all kept bodies."""
    yield from _done(actions.clear())


def warm(_: dict[str, Any]) -> Iterator[str]:
    """Make today's bodies here and now."""
    actions.ask(lambda client: client.ping())
    yield f"{publishing.warm()} topics made."


def _done(done: Done) -> Iterator[str]:
    yield f"{done.bodies} bodies in {done.topics} topics dropped."
    if not done.is_complete:
        raise CommandError("There was not time for all of them: run it again.", returncode=1)


def _rate(rate: float | None) -> str:
    return "–" if rate is None else f"{rate:.1%}"
