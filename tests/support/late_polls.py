"""Polls of a race in its last minutes, and a judge that finds what a test wants."""

from datetime import timedelta
from typing import Any

from moneyflow.late_money.records import Evidence, RunnerVerdict, Severity, Verdict
from moneyflow.pipeline import PollReport, process_answer
from moneyflow.transform.late_money import Judge
from raceday import clock
from raceday.racing_day import nz_instant, racing_day
from tests.support.snapshots import answer, event, runner

START = nz_instant(racing_day(clock.now())) + timedelta(hours=12)
EVIDENCE = Evidence(
    share_before=0.25,
    share_after=0.4,
    tote_before=3.0,
    tote_after=2.0,
    fixed_before=None,
    fixed_after=2.5,
    e_value=18.7,
    falls={"last 30 s": 1.5},
)
FOUND = RunnerVerdict(
    entrant_id="e1",
    score=3.4,
    p_value=0.04,
    severity=Severity.NOTABLE,
    window_seconds=30.2,
    dollars_seen=642.004,
    dollars_expected=181.5,
    evidence=EVIDENCE,
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


def finds(*runners: RunnerVerdict) -> Judge:
    """Return a judge that finds these runners in any readings."""
    return lambda readings: Verdict(runners=runners, detector="a test's")
