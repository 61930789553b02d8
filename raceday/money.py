"""How money is written for people. PURE."""

from decimal import Decimal

UNKNOWN = "–"  # never 0


def dollars(amount: Decimal | None, *, decimals: int = 2) -> str:
    """Write money, `$12,345.60`, and a loss as `−$1.00`.

    >>> dollars(Decimal("12345.6")), dollars(Decimal(-1)), dollars(Decimal("-0.1"), decimals=0), dollars(None)
    ('$12,345.60', '−$1.00', '$0', '–')
    """
    if amount is None:
        return UNKNOWN
    rounded = round(amount, decimals)
    return f"{'−' if rounded < 0 else ''}${abs(rounded):,.{decimals}f}"


def cents(amount: float | None, *, decimals: int = 2) -> str:
    """Write cents as dollars.

    >>> cents(1534299), cents(1534299, decimals=0), cents(None)
    ('$15,342.99', '$15,343', '–')
    """
    return dollars(None if amount is None else Decimal(amount) / 100, decimals=decimals)
