"""What became of the runners with alerts, once the feed names placings. PURE."""

from collections.abc import Sequence

from moneyflow.late_money.alerts import AlertOutcome
from moneyflow.transform.records import RaceEnd, RaceState
from moneyflow.transform.shares import shares_from_dividends
from raceday.feed.records import Dividend, RaceSnapshot

WIN, PLACE = "Pool Win", "Pool Place"


def alert_outcomes(snapshot: RaceSnapshot, state: RaceState, end: RaceEnd | None) -> tuple[AlertOutcome, ...]:
    """Return how the race ended for each runner with stored alerts; nothing for one that was scratched after them."""
    alerted = {alert.entrant_id for alert in state.alerts}
    if not alerted or end is None or not end.results:
        return ()
    runners = [entrant for entrant in snapshot.entrants if not entrant.is_scratched]
    shares = shares_from_dividends([runner.pool_win_odds for runner in runners])
    winners = {row.entrant_id for row in end.results if row.position == 1}
    win, place = paid(end.dividends, WIN), paid(end.dividends, PLACE)
    return tuple(
        AlertOutcome(
            entrant_id=runner.entrant_id,
            won=runner.entrant_id in winners,
            placed=runner.runner_number in place if place else None,
            final_dividend=win.get(runner.runner_number) if runner.entrant_id in winners else None,
            final_odds=None if runner.pool_win_odds is None else float(runner.pool_win_odds),
            final_share_percentage=None if share is None else float(100 * share),
            final_pool_cents=snapshot.pools.win_cents if snapshot.pools else None,
        )
        for runner, share in zip(runners, shares, strict=True)
        if runner.entrant_id in alerted
    )


def paid(dividends: Sequence[Dividend], product: str) -> dict[int, float]:
    """Return what a product pays per $1 by runner number; a Final dividend stands before an Interim one."""
    rows = sorted((row for row in dividends if row.product_name == product), key=lambda row: row.status == "Final")
    return {position.runner_number: float(row.dividend) for row in rows for position in row.positions}
