"""Real crowds: trades of an exchange's recorded WIN market, replayed as bets into a tote. PURE, seeded.

An exchange's stream is JSON lines of `mcm` messages: `tv` is what has been traded on a runner so far, `ltp` its last
price. One race gives many pools: each replay keeps another random part of the trades, and closes within the last
four minutes before the real close. They share their crowd, so they are no independent sample.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from moneyflow.late_money.prices import normalised
from moneyflow.late_money.records import Floats, Indexes
from moneyflow.late_money.worlds.market import Bets, Book, Dice, Race, World, watched

LONGEST_SECONDS = 3_600.0  # of trades; all earlier ones are one bet a runner
SMALLEST_TRADE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stream:
    """Trades and prices of a market until it went in play. Seconds before the close, in order of time."""

    trades: Bets
    prices_before: Floats
    prices_runner: Indexes
    prices: Floats
    runners: int


def stream_of(lines: Iterable[str]) -> Stream:
    """Read the messages of one market. Runners that were removed are left out."""
    messages = [(message["pt"] / 1000, change) for message in map(json.loads, lines) for change in message["mc"]]
    closes_at, ids = _field(messages)
    traded: list[tuple[float, int, float]] = []
    prices: list[tuple[float, int, float]] = []
    sums = dict.fromkeys(ids, 0.0)
    for at, change in messages:
        for runner in change.get("rc", []) if at < closes_at else []:
            if runner["id"] not in ids:
                continue
            place = ids.index(runner["id"])
            if runner.get("tv", 0) - sums[runner["id"]] >= SMALLEST_TRADE:
                traded.append((min(closes_at - at, LONGEST_SECONDS), place, runner["tv"] - sums[runner["id"]]))
                sums[runner["id"]] = runner["tv"]
            if runner.get("ltp"):
                prices.append((closes_at - at, place, runner["ltp"]))
    bets = [np.array(column) for column in zip(*traded, strict=True)]
    priced = [np.array(column) for column in zip(*prices, strict=True)]
    return Stream(
        trades=Bets(before=bets[0], runner=bets[1], dollars=bets[2]),
        prices_before=priced[0],
        prices_runner=priced[1],
        prices=priced[2],
        runners=len(ids),
    )


def play_stream(stream: Stream, dice: Dice, refresh_seconds: float, informed_share: float = 0.0) -> Race:
    """Replay a random part of a market's trades into a pool of $8–30 thousand, with an informed bettor if asked."""
    early = float(dice.uniform(0, 240))
    trades = stream.trades
    kept = (trades.before > early) & ((trades.before >= LONGEST_SECONDS) | (dice.random(len(trades.before)) < 0.6))
    dollars = trades.dollars[kept]
    pool = float(np.exp(dice.uniform(np.log(8_000), np.log(30_000)))) * (1 - informed_share)
    bets = Bets(before=trades.before[kept] - early, runner=trades.runner[kept], dollars=dollars * pool / dollars.sum())
    book = _book(stream, early)
    world = World(refresh_seconds=refresh_seconds)
    return watched(world, dice, bets, (book(np.zeros(1))[0], book), informed_share)


def _book(stream: Stream, early: float) -> Book:
    """Return the market's own prices as a bookmaker's view: by runner the last price before each instant."""

    def chances(before: Floats) -> Floats:
        result = np.empty((len(before), stream.runners))
        for runner in range(stream.runners):
            own = stream.prices_runner == runner
            last = np.searchsorted(-stream.prices_before[own], -(before + early), side="right") - 1
            result[:, runner] = 1 / stream.prices[own][np.maximum(last, 0)]
        return normalised(result)

    return chances


def _field(messages: list[tuple[float, dict[str, Any]]]) -> tuple[float, list[int]]:
    """Return when the market was last suspended before it went in play, and the runners that were left then."""
    suspended = 0.0
    for at, change in messages:
        definition = change.get("marketDefinition")
        if definition is None:
            continue
        if definition["inPlay"]:
            return suspended, [each["id"] for each in definition["runners"] if each["status"] == "ACTIVE"]
        if definition["status"] == "SUSPENDED":
            suspended = at
    raise ValueError("the market never went in play")
