"""Polls of a race in its last minutes, and a judge that finds what a test wants."""

from datetime import timedelta
from typing import Any

from moneyflow.late_money.alerts import Alert, Judge
from moneyflow.pipeline import PollReport, process_answer
from raceday import clock
from raceday.racing_day import nz_instant, racing_day
from tests.support.snapshots import answer, event, runner

START = nz_instant(racing_day(clock.now())) + timedelta(hours=12)
FOUND = Alert(
    entrant_id="e1",
    severity=1,
    window_seconds=30,
    seen_cents=64_200,
    expected_cents=18_150,
    win_pool_cents=100_000,
    share_before_percentage=25.0,
    share_after_percentage=40.0,
    tote_odds_before=3.0,
    tote_odds_after=2.0,
    fixed_odds_before=None,
    fixed_odds_after=2.5,
    score=3.4,
    one_in_races=24.0,
    e_value=18.7,
    falls={"last 30 s": 1.5},
    artefact="a test's",
)
WINNER = [{"runner_number": 1, "position": 1}]
ENDED: dict[str, Any] = {
    "results": [
        {"position": 1, "runner_number": 1, "name": "Runner 1", "entrant_id": "e1"},
        {"position": 2, "runner_number": 2, "name": "Runner 2", "entrant_id": "e2"},
    ],
    "dividends": [
        {"id": "w", "product_name": "Pool Win", "status": "Final", "dividend": 2.1, "positions": WINNER},
        {"id": "p", "product_name": "Pool Place", "status": "Final", "dividend": 1.2, "positions": WINNER},
    ],
}


def poll(dollars: float, *, after: float, status: str = "Open", **options: Any) -> PollReport:
    """Take an answer so many seconds after the advertised start to its commit; options: of process_answer, and data."""
    at = START + timedelta(seconds=after)
    pools = [{"product_type": "Win", "total": dollars}]
    runners = [runner(1, pool_win=2.0, fixed_win=2.5), runner(2, pool_win=3.1, fixed_win=3.0)]
    handed = {name: options.pop(name) for name in ("judge", "is_again") if name in options}
    body = event("r1", generated_at=at, **{"tote_pools": pools, "runners": runners, **options})
    start = int(START.timestamp())
    body["data"]["race"] |= {"status": status, "advertised_start": start, "actual_start": start}
    return process_answer("r1", answer(body, polled_at=at), **handed)


def finds(*alerts: Alert) -> Judge:
    """Return a judge that finds these alerts in any readings."""
    return lambda readings, start: alerts
