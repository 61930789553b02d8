"""Why a runner's money is unusual, in dollars, shares and odds. PURE, numpy."""

from math import exp, lgamma, log

import numpy as np

from moneyflow.late_money.numbers import BET_DOLLARS, Increments, scan
from moneyflow.late_money.prices import normalised
from moneyflow.late_money.records import Evidence, Floats, Indexes
from moneyflow.late_money.tape import Tape

PRIOR_BETS = 100.0  # α = 100 π
MOST_LOG_E = 700.0  # exp of more overflows


def widest_excess(money: Increments) -> Indexes:
    """Return for each runner the window, an index into WINDOWS, with the largest scan statistic."""
    return scan(money).argmax(0)  # type: ignore[no-any-return]


def evidence_of(tape: Tape, money: Increments, column: int, falls: dict[str, float]) -> Evidence:
    """Return what an alert says about the runner in a column, as the tape's newest reading shows it."""
    window = int(widest_excess(money)[column])
    start = int(money.starts[window])
    return Evidence(
        share_before=float(money.shares[window, column]),
        share_after=float(normalised(tape.dollars[-1])[column]),
        tote_before=_known(tape.dividends[start, column]),
        tote_after=_known(tape.dividends[-1, column]),
        fixed_before=_known(tape.fixed_odds[start, column]),
        fixed_after=_known(tape.fixed_odds[-1, column]),
        e_value=e_value(money.dollars[window], normalised(money.expected[window])),
        falls=falls,
    )


def e_value(dollars: Floats, chances: Floats) -> float:
    """Return how much a bet against "the money follows standing prices" would have won.

    E = [B(α + n)/B(α)] / Π π_i^n_i over the runners, with n = d/m0 effective bets and α = 100 π. Under the model
    its mean is 1 at any time of stopping (Ville), so 1/E bounds a p-value.
    """
    bets = np.maximum(dollars, 0) / BET_DOLLARS
    log_e = lgamma(PRIOR_BETS) - lgamma(PRIOR_BETS + float(bets.sum()))
    for chance, count in zip(chances.tolist(), bets.tolist(), strict=True):
        prior = max(PRIOR_BETS * chance, 1e-9)
        log_e += lgamma(prior + count) - lgamma(prior) - count * log(max(chance, 1e-11))
    return exp(min(log_e, MOST_LOG_E))


def _known(odds: float) -> float | None:
    return float(odds) if odds > 0 else None
