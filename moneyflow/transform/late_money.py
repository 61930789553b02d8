"""Where TRANSFORM meets the detector: the readings of a race → the alerts that this poll raises. PURE."""

from datetime import datetime
from decimal import Decimal

import msgspec

from moneyflow.late_money.alerts import Alert, Judge, RunnerPrices, WindowReading, matters
from moneyflow.transform.outcomes import alert_outcomes
from moneyflow.transform.records import MoneyFlow, Outcome, RaceState
from raceday.feed.records import RaceSnapshot


def with_late_money(
    flow: MoneyFlow, snapshot: RaceSnapshot, state: RaceState, *, polled_at: datetime, judge: Judge
) -> MoneyFlow:
    """Add the alerts that a changed poll raises, and how the race ended for those raised before."""
    if flow.outcome is not Outcome.CHANGED:
        return flow
    alerts: tuple[Alert, ...] = ()
    if matters(snapshot):
        readings = (*state.window, _reading(snapshot, polled_at))
        alerts = _escalations(judge(readings, snapshot.advertised_start), state)
    return msgspec.structs.replace(flow, alerts=alerts, outcomes=alert_outcomes(snapshot, state, flow.end))


def _reading(snapshot: RaceSnapshot, polled_at: datetime) -> WindowReading:
    return WindowReading(
        polled_at=polled_at,
        win_pool_cents=snapshot.pools.win_cents if snapshot.pools else None,
        runners=tuple(
            RunnerPrices(runner.entrant_id, _number(runner.pool_win_odds), _number(runner.fixed_win_odds))
            for runner in snapshot.entrants
            if not runner.is_scratched
        ),
    )


def _number(odds: Decimal | None) -> float | None:
    return None if odds is None else float(odds)


def _escalations(judged: tuple[Alert, ...], state: RaceState) -> tuple[Alert, ...]:
    """Keep the alerts that are above those raised for the runner before."""
    raised: dict[str, int] = {}
    for alert in state.alerts:
        raised[alert.entrant_id] = max(alert.severity, raised.get(alert.entrant_id, 0))
    return tuple(alert for alert in judged if alert.severity > raised.get(alert.entrant_id, 0))
