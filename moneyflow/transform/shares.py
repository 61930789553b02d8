"""How a pool is split over a field. PURE: Decimal in, Decimal out, None for what is not known."""

from collections.abc import Sequence
from decimal import Decimal

ZERO = Decimal(0)
# A dividend is cut down to 10 c: on average the pool would have paid 5 c more.
MIDPOINT = Decimal("0.05")
LOWEST_SUM, HIGHEST_SUM = Decimal("1.10"), Decimal("1.35")


def shares_from_dividends(dividends: Sequence[Decimal | None]) -> list[Decimal | None]:
    """Return each runner's share of a parimutuel pool, 0–1, from the dividends shown.

    A pool pays (1 − takeout) / share per $1, so share_i = (1/(d_i + 0.05)) / Σ 1/(d_j + 0.05).
    A runner without a dividend has no share. Two runners at 2.0 and 4.0: 0.664 and 0.336.
    """
    weights = [None if dividend is None else 1 / (dividend + MIDPOINT) for dividend in dividends]
    return normalised(weights)


def normalised(weights: Sequence[Decimal | None]) -> list[Decimal | None]:
    """Scale what is known of `weights` to a sum of 1; all None when that sum is 0."""
    total = sum((weight for weight in weights if weight is not None), ZERO)
    if not total:
        return [None] * len(weights)
    return [None if weight is None else weight / total for weight in weights]


def is_plausible(dividends: Sequence[Decimal | None]) -> bool:
    """Say whether Win dividends fit one pool: Σ 1/d is 1/(1 − takeout), about 1.17–1.22."""
    total = sum((1 / dividend for dividend in dividends if dividend is not None), ZERO)
    return LOWEST_SUM <= total <= HIGHEST_SUM


def amounts(pool_cents: int | None, shares: Sequence[Decimal | None]) -> list[int | None]:
    """Return each runner's money in cents: round(pool × share)."""
    if pool_cents is None:
        return [None] * len(shares)
    return [None if share is None else round(pool_cents * share) for share in shares]
