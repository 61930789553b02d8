"""What a race's page shows of the money on each runner: in the pool, lately, and in columns of time. PURE.

`board/static/board/money.js` reckons the same in the browser; tests/browser/test_race.py holds the two together.
A history has columns: {timestamps[n] in epoch ms, entrants[{entrant_id, and for each of COLUMNS n values}], resets}.
Resets are the timestamps of readings that cannot be compared with those before: a runner was scratched, or the feed
began to tell dividends. No money is said to have come over a reset.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from moneyflow.transform.flow import bucket
from raceday.staff.chart import Series

COLUMNS = ("win_pool_amount", "place_pool_amount", "fixed_win_odds", "pool_win_odds")
PLACE, INCREMENT = "place_pool_amount", "incremental_win_amount"
WINDOWS_SECONDS = (15, 30, 60)
SLACK_MS = 3_000  # a refresh of the feed comes a little early or late
MINUTE_MS = 60_000
FINE_MS = 15 * MINUTE_MS
LEAST_POINTS = 0.5  # by which a share has risen or fallen
LEAST_SHORTENING = 1.1  # of a mover's price
History = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Cents that came on a runner in the newest seconds, and those that its share before would have brought."""

    seconds: int
    cents: int | None
    expected: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """A runner of the page. Money in cents, the share in percent of the Win pool; None where the feed does not say.

    opened: its first fixed price in the history.
    """

    entrant: Mapping[str, Any]
    cents: int | None
    share: float | None
    seen: Sequence[Seen]
    opened: float | None
    severity: int
    direction: str
    is_favourite: bool
    is_mover: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Money that came on a runner in a slot of time, and by how many points its share of the slot's money rose."""

    cents: int | None
    points: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Slots of time in minutes to the advertised start, and for each runner a cell a slot."""

    slots: Sequence[Decimal]
    rows: Sequence[tuple[Runner, Sequence[Cell]]]


def thinned(history: History, start: datetime, *, minutes: int) -> dict[str, Any]:
    """Keep what chart and timeline show.

    That is all readings of the newest quarter of an hour and from so many minutes to the start; before them the last of
    each 5 minutes of an hour, and of each half hour of the day. Of Place money, which only the timeline shows, the last
    of each slot.
    """
    times = history["timestamps"]
    start_ms = _milliseconds(start)
    coarse = {_slot(start_ms - at): place for place, at in enumerate(times)}
    fine = (place for place, at in enumerate(times) if at >= min(times[-1] - FINE_MS, start_ms - minutes * MINUTE_MS))
    kept = sorted({*coarse.values(), *fine})
    ends = set(_ends(times, start).values())
    return {
        "timestamps": [times[place] for place in kept],
        "entrants": [
            {
                "entrant_id": entrant["entrant_id"],
                **{
                    name: [entrant[name][place] if place in ends or name != PLACE else None for place in kept]
                    for name in COLUMNS
                    if entrant[name]
                },
            }
            for entrant in history["entrants"]
        ],
        "resets": resets_of(history),
    }


def _ends(times: Sequence[int], start: datetime) -> dict[Decimal, int]:
    """Return the place of the last reading in each slot of the timeline; seconds are cut as in stored readings."""
    start_ms = _milliseconds(start)
    return {bucket((start_ms - at) // 1000): place for place, at in enumerate(times)}


def _slot(to_start_ms: int) -> tuple[int, int]:
    minutes = 5 if to_start_ms < 60 * MINUTE_MS else 30
    return minutes, to_start_ms // (minutes * MINUTE_MS)


def resets_of(history: History) -> list[int]:
    """Return the timestamps at which no runner's money could be compared with that before."""
    increments = column_of(history, INCREMENT).values()
    rows = zip(history["timestamps"], zip(*increments, strict=True), strict=False)
    return [at for at, row in rows if all(cents is None for cents in row)]


def amounts_of(
    entrants: Sequence[Mapping[str, Any]], history: History, alerts: Sequence[Mapping[str, Any]]
) -> list[Runner]:
    """Return the runners in the order of the entrants, from a history as columns."""
    money, shares = column_of(history, "win_pool_amount"), shares_of(history)
    opened = {name: next(filter(None, prices), None) for name, prices in column_of(history, "fixed_win_odds").items()}
    worst = {alert["entrant_id"]: alert["severity"] for alert in sorted(alerts, key=lambda alert: alert["severity"])}
    since = {seconds: _since(history, seconds) for seconds in WINDOWS_SECONDS}
    seen = {seconds: _seen(money, shares, seconds, since[seconds]) for seconds in WINDOWS_SECONDS}
    running = [entrant for entrant in entrants if not entrant["is_scratched"]]
    favourite = _least({entrant["entrant_id"]: entrant["fixed_win_odds"] for entrant in running})
    mover = _mover(running, opened)
    return [
        Runner(
            entrant=entrant,
            cents=_last(money.get(name, [])),
            share=_last(shares.get(name, [])),
            seen=[seen[seconds].get(name) or Seen(seconds=seconds, cents=None, expected=None) for seconds in seen],
            opened=opened.get(name),
            severity=worst.get(name, 0),
            direction=_direction(shares.get(name, []), since[60]),
            is_favourite=name == favourite,
            is_mover=name == mover,
        )
        for entrant in entrants
        for name in (entrant["entrant_id"],)
    ]


def timeline_of(runners: Sequence[Runner], history: History, start: datetime) -> Timeline:
    """Return the money that came on each runner in each slot of time, as the client app shows it.

    The first slot has what was in the pool by then.
    """
    times, money = history["timestamps"], column_of(history, "win_pool_amount")
    ends = _ends(times, start)
    rows = []
    for runner in runners:
        column = money.get(runner.entrant["entrant_id"], [])
        rows.append([_value(column, place) for place in ends.values()])
    spans = [(times[before], times[after]) for before, after in pairwise(ends.values())]
    broken = [_is_reset(history, *span) for span in spans]
    came = [
        [
            *row[:1],
            *(None if no else _less(after, before) for no, (before, after) in zip(broken, pairwise(row), strict=True)),
        ]
        for row in rows
    ]
    totals = [sum(max(0, cents or 0) for cents in slot) for slot in zip(*came, strict=True)]
    cells = [_cells(row, totals) for row in came]
    return Timeline(slots=list(ends), rows=list(zip(runners, cells, strict=True)))


def share_lines(runners: Sequence[Runner], history: History) -> list[Series]:
    """Return each runner's share of the Win pool over time, as lines of a chart."""
    shares = shares_of(history)
    instants = [datetime.fromtimestamp(at / 1000, UTC) for at in history["timestamps"]]
    named = {str(runner.entrant["runner_number"]): shares.get(runner.entrant["entrant_id"], []) for runner in runners}
    return [
        Series(
            name=name, readings=[(at, share) for at, share in zip(instants, column, strict=False) if share is not None]
        )
        for name, column in named.items()
    ]


def column_of(history: History, name: str) -> dict[str, list[Any]]:
    """Return one column of each entrant that has it."""
    return {entrant["entrant_id"]: entrant[name] for entrant in history["entrants"] if entrant.get(name)}


def shares_of(history: History) -> dict[str, list[float | None]]:
    """Return each entrant's percentages of the Win pool."""
    money = column_of(history, "win_pool_amount")
    totals = [sum(cents or 0 for cents in amounts) for amounts in zip(*money.values(), strict=True)]
    return {
        name: [
            None if cents is None or not total else 100 * cents / total
            for cents, total in zip(column, totals, strict=True)
        ]
        for name, column in money.items()
    }


def _seen(
    money: Mapping[str, Sequence[Any]], shares: Mapping[str, Sequence[Any]], seconds: int, since: int | None
) -> dict[str, Seen]:
    came = {name: None if since is None else _less(column[-1], column[since]) for name, column in money.items()}
    total = sum(cents for cents in came.values() if cents is not None)
    return {
        name: Seen(seconds=seconds, cents=cents, expected=_part(total, None if since is None else shares[name][since]))
        for name, cents in came.items()
    }


def _since(history: History, seconds: int) -> int | None:
    """Return the place of the reading that the newest seconds count from.

    None if the readings are too far apart, or cannot be compared.
    """
    times, window = history["timestamps"], 1000 * seconds
    found = next(
        (place for place in range(len(times) - 1, -1, -1) if times[-1] - times[place] >= window - SLACK_MS), None
    )
    if found is None or times[-1] - times[found] > 1.5 * window + SLACK_MS:
        return None
    return None if _is_reset(history, times[found], times[-1]) else found


def _is_reset(history: History, since: int, until: int) -> bool:
    return any(since < at <= until for at in history["resets"])


def _part(total: int, share: float | None) -> float | None:
    return None if share is None else total * share / 100


def _mover(running: Sequence[Mapping[str, Any]], opened: Mapping[str, float | None]) -> str | None:
    left = {
        name: -before / now
        for entrant in running
        if (name := entrant["entrant_id"])
        and (now := entrant["fixed_win_odds"])
        and (before := opened.get(name))
        and before / now >= LEAST_SHORTENING
    }
    return _least(left)


def _least(values: Mapping[str, float | None]) -> str | None:
    known = {name: value for name, value in values.items() if value}
    return min(known, key=lambda name: known[name]) if known else None


def _cells(came: Sequence[int | None], totals: Sequence[int]) -> list[Cell]:
    parts = [
        None if cents is None or not total else 100 * max(0, cents) / total
        for cents, total in zip(came, totals, strict=True)
    ]
    rises = [None, *(_less(after, before) for before, after in pairwise(parts))]
    return [Cell(cents=cents, points=points) for cents, points in zip(came, rises, strict=False)]


def _value(column: Sequence[Any], place: int) -> Any:
    return column[place] if place < len(column) else None


def _last(column: Sequence[Any]) -> Any:
    return column[-1] if column else None


def _less(after: Any, before: Any) -> Any:
    return None if after is None or before is None else after - before


def _direction(column: Sequence[Any], since: int | None) -> str:
    moved = _less(column[-1], column[since]) if column and since is not None else None
    return "" if moved is None or abs(moved) < LEAST_POINTS else "▲" if moved > 0 else "▼"


def _milliseconds(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)
