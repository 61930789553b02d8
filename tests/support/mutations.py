"""Answers of the feed made bad, one way at a time: a seed and a mutation's number make the same one each time."""

from collections.abc import Callable
from random import Random
from typing import Any

JSON = Any
DEEPER = 0.9
VALUES: list[Any] = [
    None, True, False, "", "\0", "a\0b", "NaN", "Infinity", "-Infinity", "é" * 5_000, "x" * 200_000, " ", "two", [], {},
    [[]], {"a": 1}, 0, -1, -5, 0.001, 1.005, 2**31, 2**63, 10**30, 10**400, 99_999_999.999, 9_999_999_999.999, 1e300,
    -1e300, 999.999, 999.99, 1e-300, 253_402_300_799, -62_135_596_800, "0001-01-01T00:00:00+13:00", "0001-01-01",
    "9999-12-31T23:59:59-12:00", "9999-12-31", "2026-11-21T02:30:00", "2026-11-21", "1970-01-01T00:00:00Z", "Abandoned",
    "Final", "ABANDONED", "Live", "i" * 100, "i" * 101, "a,b", "a b", "\x7f", "e1",
]  # fmt: skip


def mutated(answer: JSON, random: Random, ids: list[str]) -> str:
    """Change an answer in place in one to three ways; returns what was done."""
    done = []
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        holder, key = place(answer, random)
        way = random.choice(WAYS)
        done.append(f"{way.__name__} {key}: {way(holder, key, random, ids)!r:.80}")
    return "; ".join(done)


def place(answer: JSON, random: Random) -> tuple[Any, Any]:
    """Return what holds a value of the answer, and its key or index there; all depths come up alike."""
    holder, key = answer, random.choice(list(answer) or [""])
    while random.random() < DEEPER:
        part = holder.get(key) if isinstance(holder, dict) else holder[key]
        if not isinstance(part, dict | list) or not part:
            break
        holder, key = part, random.choice(list(part) if isinstance(part, dict) else range(len(part)))
    return holder, key


def replaced(holder: Any, key: Any, random: Random, _ids: list[str]) -> Any:
    """Put another value there."""
    holder[key] = random.choice(VALUES)
    return holder[key]


def missing(holder: Any, key: Any, _random: Random, _ids: list[str]) -> None:
    """Take it out."""
    if not isinstance(holder, dict) or key in holder:
        del holder[key]


def twice(holder: Any, key: Any, random: Random, _ids: list[str]) -> None:
    """Repeat a row, or some of a list's rows."""
    if isinstance(holder, list):
        holder.insert(random.randrange(len(holder) + 1), holder[key])
    elif isinstance(holder.get(key), list):
        holder[key] = holder[key] * 2


def scaled(holder: Any, key: Any, random: Random, _ids: list[str]) -> Any:
    """Move a number, text or list far from where it was."""
    value = holder.get(key) if isinstance(holder, dict) else holder[key]
    if isinstance(value, bool) or value is None or isinstance(value, dict):
        return value
    if isinstance(value, int | float):
        holder[key] = value * random.choice([-1, 0, 10, 1e6, 1e12, 1e-9])
    elif isinstance(value, str):
        holder[key] = random.choice([value * 50, value[: len(value) // 2], f"{value}\0", str(len(value))])
    else:
        random.shuffle(value)
    return holder[key]


def strange(holder: Any, key: Any, random: Random, ids: list[str]) -> Any:
    """Name another's id there."""
    holder[key] = random.choice(ids)
    return holder[key]


WAYS: list[Callable[[Any, Any, Random, list[str]], Any]] = [replaced, replaced, missing, twice, scaled, strange]
