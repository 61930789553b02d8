"""What prices say: shares of a pool from cut dividends, chances from fixed odds. PURE, numpy."""

import numpy as np

from moneyflow.late_money.records import Floats

MIDPOINT = 0.05  # a dividend is cut down to 10 c: on average the pool would have paid 5 c more
STEP = 0.1
LOWEST_SUM, HIGHEST_SUM = 1.10, 1.35  # of 1/dividend over a field whose dividends fit one pool


def normalised(weights: Floats) -> Floats:
    """Scale weights to sum to 1 over the last axis; rows of zeros stay zeros."""
    return weights / np.maximum(weights.sum(-1, keepdims=True), 1e-12)  # type: ignore[no-any-return]


def inverse(odds: Floats) -> Floats:
    """Return 1/odds, 0 where the odds are unknown or 0."""
    return np.divide(1.0, odds, out=np.zeros_like(odds), where=odds > 0)


def pool_shares(dividends: Floats) -> Floats:
    """Return shares of the pool, (…, runners), from Win dividends with the 10-cent midpoint; 0 where unknown.

    Two runners at 2.0 and 4.0: 0.664 and 0.336.
    """
    return normalised(inverse(dividends + MIDPOINT) * (dividends > 0))


def rounding_variance(dollars: Floats, dividends: Floats) -> Floats:
    """Return the variance of dollars = share · pool that the cut to 10 c leaves: (A · 0.1/(o·√12))²."""
    return np.square(dollars * inverse(dividends) * (STEP / np.sqrt(12)))  # type: ignore[no-any-return]


def shin_chances(odds: Floats, otherwise: Floats) -> Floats:
    """Return chances, (readings, runners), from fixed odds without the bookmaker's margin, by Shin's method.

    p_i = [√(z² + 4(1−z)π_i²/Π) − z] / [2(1−z)] with π = 1/odds, Π = Σπ, and z, the share of insiders that the
    margin is meant for, by fixed point (Shin 1993; Jullien and Salanié 1994), here by one of Steffensen's steps.
    A runner without odds takes its chance of `otherwise`.
    """
    price = np.ascontiguousarray(inverse(odds).T)  # sums over the first axis are the fast ones
    is_known = price > 0
    known, total = is_known.sum(0), price.sum(0)
    unknown, spare = len(price) - known, np.maximum(known - 2, 1)
    squares = 4 * price * price / np.maximum(total, 1e-12)

    def improved(z: Floats) -> Floats:
        return (np.sqrt(z * z + (1 - z) * squares).sum(0) - unknown * z - 2) / spare  # type: ignore[no-any-return]

    start = (total - 1) / (spare + 1)
    first = improved(start)
    step = first - start
    bend = improved(first) - first - step
    z = start - step * step / np.where(bend == 0, 1, bend)
    z = np.minimum(np.maximum(z, 0), 0.3)  # odds without a margin have no z
    chances = (np.sqrt(z * z + (1 - z) * squares) - z) / (2 * (1 - z))
    return normalised(np.where(is_known, chances, otherwise.T).T)
