"""How far an answer can be trusted, 0–100: shown to people, never blocking. PURE."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from moneyflow.transform.records import MoneyFlowPoint, RaceState
from moneyflow.transform.shares import ZERO, is_plausible
from raceday.feed.records import RaceSnapshot

FEWEST_ENTRANTS, MOST_ENTRANTS = 2, 30


def data_quality(snapshot: RaceSnapshot, points: Sequence[MoneyFlowPoint], state: RaceState) -> int:
    """Grade an answer.

    From 100: −20 Win shares off 100 % by more than 1, −20 Place, −15 no or inconsistent pools, −15 fewer than
    2 or more than 30 entrants, −10 increments that do not add up to the pool's growth, −5 for each
    part that was bad and left out, −20 at most.
    """
    runners = [entrant for entrant in snapshot.entrants if not entrant.is_scratched]
    pools = snapshot.pools
    is_consistent = pools is not None and bool(pools.win_cents)
    if any(runner.pool_win_odds for runner in runners):
        is_consistent = is_consistent and is_plausible([runner.pool_win_odds for runner in runners])
    score = 100
    score -= 20 * _is_off(point.win_pool_percentage for point in points)
    score -= 20 * _is_off(point.place_pool_percentage for point in points)
    score -= 15 * (not is_consistent)
    score -= 15 * (not FEWEST_ENTRANTS <= len(runners) <= MOST_ENTRANTS)
    score -= min(5 * len(snapshot.left_out), 20)
    return score - 10 * (not _adds_up(snapshot, points, state))


def _is_off(percentages: Iterable[Decimal | None]) -> bool:
    known = [percentage for percentage in percentages if percentage is not None]
    return bool(known) and abs(sum(known, ZERO) - 100) > 1


def _adds_up(snapshot: RaceSnapshot, points: Sequence[MoneyFlowPoint], state: RaceState) -> bool:
    increments = [point.incremental_win_amount for point in points]
    known = [cents for cents in increments if cents is not None]
    if not known or len(known) < len(increments) or state.win_pool_cents is None or snapshot.pools is None:
        return True
    growth = (snapshot.pools.win_cents or 0) - state.win_pool_cents
    return abs(sum(known) - growth) <= len(known)  # a cent of rounding an entrant
