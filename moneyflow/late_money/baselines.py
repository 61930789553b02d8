"""What people watch today and the plain statistics, as scores to measure the detector against. PURE, numpy."""

import numpy as np

from moneyflow.late_money.numbers import BET_DOLLARS, WINDOWS, Increments, scan
from moneyflow.late_money.prices import inverse, normalised
from moneyflow.late_money.records import Floats
from moneyflow.late_money.tape import Tape

MINUTE = WINDOWS.index(60.0)


def baselines(tape: Tape, money: Increments) -> dict[str, Floats]:
    """Return the scores of each baseline, (runners,), for the tape's newest reading."""
    return {
        "increment share": increment_share(money),
        "hold rise": normalised(tape.dollars[-1]) - money.shares[MINUTE],
        "odds drop": odds_drop(tape, int(money.starts[MINUTE])),
        "naive G": naive_g(money),
        "scan S": scan_score(money),
    }


def increment_share(money: Increments) -> Floats:
    """Return the share of the newest increment less that of the one before it: today's colours."""
    shares = money.dollars[-2:] / np.maximum(money.total[-2:], 1)
    return shares[-1] - shares[0]  # type: ignore[no-any-return]


def odds_drop(tape: Tape, start: int) -> Floats:
    """Return how far fixed and tote odds fell since a reading: the larger share of the earlier price."""
    drops = [1 - odds[-1] * inverse(odds[start]) for odds in (tape.fixed_odds, tape.dividends)]
    return np.fmax(np.where(tape.fixed_odds[start] > 0, drops[0], np.nan), drops[1])  # type: ignore[no-any-return]


def naive_g(money: Increments) -> Floats:
    """Return the largest surprise over 15, 30 and 60 s in bets of m0 dollars, as if dollars were counts."""
    return money.surprise[[0, 1, MINUTE]].max(0) / BET_DOLLARS  # type: ignore[no-any-return]


def scan_score(money: Increments) -> Floats:
    """Return the largest scan statistic over 15, 30 and 60 s; the score while no artefact fits."""
    return scan(money)[[0, 1, MINUTE]].max(0)  # type: ignore[no-any-return]
