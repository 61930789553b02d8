"""Where TRANSFORM meets the detector: the readings of a race → the alerts that this poll raises. PURE."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal

import msgspec
import numpy as np

from moneyflow.late_money.alerts import Alert, Prices, RaisedAlert, WindowReading, matters
from moneyflow.late_money.artefact import shipped
from moneyflow.late_money.judge import judge
from moneyflow.late_money.records import Reading, RunnerVerdict, Severity, Verdict
from moneyflow.transform.outcomes import alert_outcomes
from moneyflow.transform.records import MoneyFlow, Outcome, RaceState
from raceday.feed.records import RaceSnapshot

SEVERITIES = {Severity.NOTABLE: 1, Severity.UNUSUAL: 2, Severity.RARE: 3}
UNKNOWN: Prices = (None, None)
Judge = Callable[[Sequence[Reading]], Verdict]  # of the last of a race's readings


def judge_live(readings: Sequence[Reading]) -> Verdict:
    """Judge by the artefact that Raceday ships."""
    return judge(readings, shipped())


def with_late_money(
    flow: MoneyFlow, snapshot: RaceSnapshot, state: RaceState, *, polled_at: datetime, judge: Judge
) -> MoneyFlow:
    """Add the alerts that a changed poll raises, and how the race ended for those raised before."""
    if flow.outcome is not Outcome.CHANGED:
        return flow
    alerts: tuple[Alert, ...] = ()
    if matters(snapshot):
        ids = tuple(entrant.entrant_id for entrant in snapshot.entrants)
        window = (*state.window, _window_reading(snapshot, polled_at))
        readings = readings_of(window, ids, snapshot.advertised_start, status=snapshot.status)
        alerts = _escalations(judge(readings), state.alerts, pool_cents=readings[-1].win_pool_cents or 0)
    return msgspec.structs.replace(flow, alerts=alerts, outcomes=alert_outcomes(snapshot, state, flow.end))


def _window_reading(snapshot: RaceSnapshot, polled_at: datetime) -> WindowReading:
    return WindowReading(
        polled_at=polled_at,
        win_pool_cents=snapshot.pools.win_cents if snapshot.pools else None,
        prices={
            runner.entrant_id: (_number(runner.pool_win_odds), _number(runner.fixed_win_odds))
            for runner in snapshot.entrants
            if not runner.is_scratched
        },
    )


def readings_of(
    window: Sequence[WindowReading], ids: tuple[str, ...], start: datetime, *, status: str
) -> list[Reading]:
    """Lay readings out over entrants; of one that was scratched then there are no prices."""
    size = (len(window), len(ids))
    prices = np.array([[each.prices.get(entrant_id, UNKNOWN) for entrant_id in ids] for each in window], float)
    scratched = np.array([[entrant_id not in each.prices for entrant_id in ids] for each in window], bool)
    dividends, fixed_odds = np.moveaxis(prices.reshape(*size, 2), -1, 0)
    return [
        Reading(
            polled_at=each.polled_at,
            seconds_since_start=(each.polled_at - start).total_seconds(),
            status=status,
            win_pool_cents=each.win_pool_cents,
            entrant_ids=ids,
            dividends=dividends[row],
            fixed_odds=fixed_odds[row],
            is_scratched=scratched[row],
        )
        for row, each in enumerate(window)
    ]


def _number(odds: Decimal | None) -> float | None:
    return None if odds is None else float(odds)


def _escalations(verdict: Verdict, stored: Sequence[RaisedAlert], *, pool_cents: int) -> tuple[Alert, ...]:
    """Make an alert of each severity that is above those stored for its runner."""
    raised: dict[str, int] = {}
    for alert in stored:
        raised[alert.entrant_id] = max(alert.severity, raised.get(alert.entrant_id, 0))
    alerts = [_alert(each, verdict.detector, pool_cents) for each in verdict.runners if each.severity]
    return tuple(alert for alert in alerts if alert.severity > raised.get(alert.entrant_id, 0))


def _alert(found: RunnerVerdict, detector: str, pool_cents: int) -> Alert:
    assert found.severity and found.evidence  # noqa: S101 they come together
    return Alert(
        entrant_id=found.entrant_id,
        severity=SEVERITIES[found.severity],
        window_seconds=round(found.window_seconds),
        seen_cents=round(100 * found.dollars_seen),
        expected_cents=round(100 * found.dollars_expected),
        win_pool_cents=pool_cents,
        share_before_percentage=100 * found.evidence.share_before,
        share_after_percentage=100 * found.evidence.share_after,
        tote_odds_before=found.evidence.tote_before,
        tote_odds_after=found.evidence.tote_after,
        fixed_odds_before=found.evidence.fixed_before,
        fixed_odds_after=found.evidence.fixed_after,
        score=found.score,
        one_in_races=1 / found.p_value,
        e_value=found.evidence.e_value,
        falls=found.evidence.falls,
        artefact=detector,
    )
