"""Which prices are worth a row of odds_history. PURE."""

from datetime import datetime, timedelta
from decimal import Decimal

from moneyflow.transform.records import UNRECORDED, OddsPoint, RaceState, RecordedOdds
from raceday.feed.records import EntrantSnapshot, RaceSnapshot

ODDS_TYPES = ("fixed_win", "fixed_place", "pool_win", "pool_place")
SMALLEST_MOVE = Decimal("0.01")
GAP = timedelta(minutes=2)  # between two answers, after which prices may have moved that nobody saw


def odds_moves(
    snapshot: RaceSnapshot, state: RaceState, since: datetime
) -> tuple[tuple[OddsPoint, ...], dict[str, RecordedOdds]]:
    """Return the prices worth a row, and all newest recorded prices by entrant.

    A price is worth a row when it is the first of its type or moved by more than 0.01 from the newest row's. At first
    contact, and after a gap in the answers, the feed's own dated fixed-win prices fill the history.
    """
    last_at = state.generated_at
    gap_since = last_at if last_at is not None and snapshot.generated_at - last_at > GAP else None
    rows: list[OddsPoint] = []
    recorded: dict[str, RecordedOdds] = {}
    for entrant in snapshot.entrants:
        known = state.recorded_odds.get(entrant.entrant_id, UNRECORDED)
        dated_since = since if known[0] is None else gap_since
        if dated_since is not None:
            dated = _dated_prices(entrant, known[0], since=max(since, dated_since), until=snapshot.generated_at)
            rows += dated
            known = (dated[-1].odds if dated else known[0], *known[1:])
        prices = (entrant.fixed_win_odds, entrant.fixed_place_odds, entrant.pool_win_odds, entrant.pool_place_odds)
        moved = [_is_moved(price, last) for price, last in zip(prices, known, strict=True)]
        rows += [
            OddsPoint(entrant.entrant_id, kind, price, snapshot.generated_at)
            for kind, price, is_moved in zip(ODDS_TYPES, prices, moved, strict=True)
            if is_moved and price is not None
        ]
        fixed_win, fixed_place, pool_win, pool_place = (
            price if is_moved else last for price, last, is_moved in zip(prices, known, moved, strict=True)
        )
        recorded[entrant.entrant_id] = (fixed_win, fixed_place, pool_win, pool_place)
    return tuple(rows), recorded


def _dated_prices(
    entrant: EntrantSnapshot, last: Decimal | None, *, since: datetime, until: datetime
) -> list[OddsPoint]:
    rows: list[OddsPoint] = []
    for price in entrant.fixed_win_history:
        if since <= price.at < until and _is_moved(price.odds, last):
            rows.append(OddsPoint(entrant.entrant_id, ODDS_TYPES[0], price.odds, price.at))
            last = price.odds
    return rows


def _is_moved(price: Decimal | None, last: Decimal | None) -> bool:
    return price is not None and (last is None or abs(price - last) > SMALLEST_MOVE)
