"""What prices say: shares of a pool from cut dividends, chances from fixed odds. PURE, numpy."""

import numpy as np

from moneyflow.late_money.records import Floats

MIDPOINT = 0.05  # a dividend is cut down to 10 c: on average the pool would have paid 5 c more
STEP = 0.1
LOWEST_SUM, HIGHEST_SUM = 1.10, 1.35  # of 1/dividend over a field whose dividends fit one pool
SHIN_ROUNDS = 4  # the fixed point moves by less than 1e-4 after these


def normalised(weights: Floats) -> Floats:
    """Scale weights to sum to 1 over the last axis; rows of zeros stay zeros."""
    return weights / np.maximum(weights.sum(-1, keepdims=True), 1e-12)  # type: ignore[no-any-return]


def inverse(odds: Floats) -> Floats:
    """Return 1/odds, 0 where the odds are unknown or 0."""
    known = odds > 0
    return np.where(known, 1 / np.where(known, odds, 1.0), 0.0)


def pool_shares(dividends: Floats) -> Floats:
    """Return shares of the pool, (…, runners), from Win dividends with the 10-cent midpoint; 0 where unknown.

    Two runners at 2.0 and 4.0: 0.664 and 0.336.
    """
    return normalised(inverse(dividends + MIDPOINT))


def rounding_variance(dollars: Floats, dividends: Floats) -> Floats:
    """Return the variance of dollars = share · pool that the cut to 10 c leaves: (A · 0.1/(o·√12))²."""
    return np.square(dollars * inverse(dividends) * (STEP / np.sqrt(12)))  # type: ignore[no-any-return]


def shin_chances(odds: Floats, otherwise: Floats) -> Floats:
    """Return chances, (…, runners), from fixed odds without the bookmaker's margin, by Shin's method.

    p_i = [√(z² + 4(1−z)π_i²/Π) − z] / [2(1−z)] with π = 1/odds, Π = Σπ, and z, the share of insiders that the
    margin is meant for, by fixed point (Shin 1993; Jullien and Salanié 1994). A runner without odds takes its
    chance of `otherwise`.
    """
    price = inverse(odds)
    total = price.sum(-1, keepdims=True)
    squares = 4 * price * price / np.maximum(total, 1e-12)
    known = (price > 0).sum(-1, keepdims=True)
    unknown = price.shape[-1] - known
    z = np.zeros_like(total)
    for _ in range(SHIN_ROUNDS):
        roots = np.sqrt(z * z + (1 - z) * squares).sum(-1, keepdims=True) - unknown * z
        z = np.minimum(np.maximum((roots - 2) / np.maximum(known - 2, 1), 0), 0.3)
    chances = (np.sqrt(z * z + (1 - z) * squares) - z) / (2 * (1 - z))
    return normalised(np.where(price > 0, chances, otherwise))
