"""The thirty numbers that say how the newest money differs from what standing prices explain. PURE, numpy.

Notation: d dollars that came to a runner in a window, D to all; s its share of the pool and f its chance by the
fixed odds when the window began; v the variance of d from cut dividends; λ the dollars to expect; V their variance;
P the pool now.
"""

import numpy as np
from msgspec import Struct

from moneyflow.late_money.prices import normalised
from moneyflow.late_money.records import Floats, Indexes
from moneyflow.late_money.tape import Tape

WINDOWS = (15.0, 30.0, 45.0, 60.0, 90.0)  # seconds
POOL_WEIGHT = 0.3  # ω: standing prices are ω · s + (1 − ω) · f
BET_DOLLARS = 230.0  # m0: dollars per effective bet
SPREAD = 0.05  # τ²: variance of a runner's own appeal
LEAST_DOLLARS = 0.5
CARRIED_SECONDS = 75.0  # single increments that `cu` adds up
SETTLED_SECONDS = 60.0  # single increments that ended so long ago measure the crowd
FLOW_SECONDS, FLOW_DOLLARS = 120.0, 400.0
NAMES = (
    "t", "ln_s", "ln_f", "m_hat", "rise", "cu", "q1", "q2", "ds60", "do60", "z30", "z60", "zs90",
    "e15", "e45", "e60", "r30", "r45", "r60", "r90", "u15", "u30", "u45", "u60", "u90",
    "g15", "g45", "h15", "h30", "h60",
)  # fmt: skip
GROUPS = {  # what a number looks at, for explanations
    "time and price": ("t", "ln_s", "ln_f"),
    "this crowd": ("m_hat", "rise"),
    "last readings": ("cu", "q1", "q2"),
    "share and dividend": ("ds60", "do60"),
    "15 s": ("e15", "u15", "g15", "h15"),
    "30 s": ("z30", "r30", "u30", "h30"),
    "45 s": ("e45", "r45", "u45", "g45"),
    "60 s": ("z60", "e60", "r60", "u60", "h60"),
    "90 s": ("zs90", "r90", "u90"),
}


class Increments(Struct, frozen=True, kw_only=True, eq=False):
    """Money between pairs of readings, (pairs, runners): first WINDOWS, then single increments, oldest first."""

    starts: Indexes
    dollars: Floats  # d
    total: Floats  # D, (pairs, 1)
    shares: Floats  # s
    chances: Floats  # f
    variance: Floats  # v
    expected: Floats  # λ
    surprise: Floats  # [d ln(d/λ) − (d − λ)]₊ of WINDOWS alone


def window_starts(at: Floats) -> Indexes:
    """Return where each of WINDOWS begins: the first reading not older than w + 1 s, at the latest the one before."""
    return np.minimum(at.searchsorted(at[-1] - 1 - np.array(WINDOWS)), len(at) - 2)  # type: ignore[no-any-return]


def increments(tape: Tape, starts: Indexes, ends: Indexes) -> Increments:
    """Return the money that came between pairs of readings, over the runners of the tape."""
    held = tape.dollars.take(starts, 0)
    dollars = tape.dollars.take(ends, 0) - held
    total = dollars.sum(-1, keepdims=True)
    shares, chances = normalised(held), tape.chances.take(starts, 0)
    expected = np.maximum(LEAST_DOLLARS, total * (POOL_WEIGHT * shares + (1 - POOL_WEIGHT) * chances))
    windows = len(WINDOWS)
    return Increments(
        starts=starts,
        dollars=dollars,
        total=total,
        shares=shares,
        chances=chances,
        variance=tape.variance.take(starts, 0) + tape.variance.take(ends, 0),
        expected=expected,
        surprise=surprise(dollars[:windows], expected[:windows]),
    )


def surprise(dollars: Floats, expected: Floats) -> Floats:
    """Return [d ln(d/λ) − (d − λ)]₊, 0 where less came than expected."""
    more = np.maximum(dollars, expected)
    return more * np.log(more / expected) - (more - expected)


def scan(money: Increments) -> Floats:
    """Return the scan statistic of WINDOWS, (windows, runners): the surprise in bets of m0 + v/λ + τ²λ dollars."""
    windows = len(WINDOWS)
    expected = money.expected[:windows]
    bet = BET_DOLLARS + money.variance[:windows] / expected + SPREAD * expected
    return money.surprise / bet


def numbers(tape: Tape) -> tuple[Floats, Increments]:
    """Return the numbers of NAMES, (runners, 30), of a tape's newest reading, and the money behind them.

    The tape has two readings or more, and only runners that are live in all of them: see `Tape.of_live`.
    """
    row = len(tape) - 1
    starts, singles = window_starts(tape.at), np.arange(row)
    ends = np.concatenate((np.full(len(starts), row), singles + 1))
    money = increments(tape, np.concatenate((starts, singles)), ends)
    result = np.empty((len(NAMES), tape.dollars.shape[1]))  # in the order of NAMES
    result[0] = tape.at[-1]
    _fill_prices(result, tape, int(starts[3]), money)
    _fill_crowd(result, tape, money)
    _fill_windows(result, money)
    result[20:25] = (money.dollars[:5] - flow_expected(tape, starts, money)) / tape.pool[-1]
    return result.T, money


def _fill_prices(result: Floats, tape: Tape, minute_ago: int, money: Increments) -> None:
    shares = normalised(tape.dollars[-1])
    result[1] = np.log(shares + 1e-6)
    result[2] = np.log(money.chances[-1] + 1e-6)
    result[8] = shares - money.shares[3]
    result[9] = np.log(tape.dividends[minute_ago] / tape.dividends[-1])


def _fill_crowd(result: Floats, tape: Tape, money: Increments) -> None:
    windows = len(WINDOWS)
    begins, ends, now = tape.at[:-1], tape.at[1:], tape.at[-1]
    excess = money.dollars[windows:] - money.expected[windows:]
    last = excess[-2:] / deviation(money.expected[-2:], money.variance[-2:])
    quarter, minute = np.maximum(money.total[[0, 3], 0], 0).tolist()
    settled = int(ends.searchsorted(now - SETTLED_SECONDS, "right"))
    result[3] = crowd_bet(money, windows, windows + settled)
    result[4] = np.log(max(quarter, 1.0)) - np.log1p(max(minute - quarter, 0.0))
    result[5] = np.maximum(excess[begins.searchsorted(now - CARRIED_SECONDS - 1) :], 0).sum(0) / tape.pool[-1]
    result[6] = last[-1]
    result[7] = last[0] if len(last) > 1 else 0


def _fill_windows(result: Floats, money: Increments) -> None:
    d, expected, v = money.dollars[:5], money.expected[:5], money.variance[:5]
    excess = d - expected
    result[10:12] = (excess / deviation(expected, v))[1:4:2]
    by_share = np.maximum(money.total[4], 0) * money.shares[4]
    result[12] = (d[4] - by_share) / np.sqrt(np.maximum(BET_DOLLARS * by_share + v[4], 1))
    result[13:16] = (excess / np.maximum(money.total[:5], 1)).take((0, 2, 3), 0)
    result[16:20] = np.copysign(np.sqrt(np.abs(excess[1:]) / BET_DOLLARS), excess[1:])
    result[25:27] = np.log1p(scan(money)[0:3:2])
    result[27:30] = np.log1p(money.surprise / BET_DOLLARS).take((0, 1, 3), 0)


def deviation(expected: Floats, variance: Floats) -> Floats:
    """Return √V, V = m0 λ + τ² λ² + v."""
    return np.sqrt((BET_DOLLARS + SPREAD * expected) * expected + variance)


def flow_expected(tape: Tape, starts: Indexes, money: Increments) -> Floats:
    """Return λ' for windows: like λ, with the shares h of the money of the 120 s before the window in it."""
    windows = len(starts)
    before = tape.at.searchsorted(tape.at[starts] - FLOW_SECONDS)
    s, f = money.shares[:windows], money.chances[:windows]
    flow = np.maximum(tape.dollars.take(starts, 0) - tape.dollars.take(before, 0), 0)
    h = normalised(flow + FLOW_DOLLARS / 2 * (s + f))
    return np.maximum(LEAST_DOLLARS, money.total[:windows] * (0.35 * h + 0.15 * s + 0.5 * f))


def crowd_bet(money: Increments, first: int, last: int) -> float:
    """Return ln of the dollars per effective bet that pairs `first` to `last` show of this crowd, drawn toward m0."""
    total = money.total[first:last, 0]
    expected = np.maximum(LEAST_DOLLARS, total[:, None] / 2 * (money.shares[first:last] + money.chances[first:last]))
    spread = (np.square(money.dollars[first:last] - expected) - money.variance[first:last]).sum(-1)
    flow = np.where(total > 30, total, 0)
    seen = np.minimum(np.maximum(spread, -BET_DOLLARS * flow), 6 * BET_DOLLARS * flow).sum()
    mean = (3000 * BET_DOLLARS + seen) / (3000 + flow.sum())
    return float(np.log(max(mean, BET_DOLLARS / 20)))
