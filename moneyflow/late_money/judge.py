"""The door of the detector: from a race's readings to a verdict on the newest one. PURE."""

from collections.abc import Sequence

from msgspec import Struct

from moneyflow.late_money.artefact import Artefact
from moneyflow.late_money.baselines import scan_score
from moneyflow.late_money.calibration import SCAN, Calibration, severity
from moneyflow.late_money.evidence import evidence_of, widest_excess
from moneyflow.late_money.numbers import Increments, numbers
from moneyflow.late_money.prices import HIGHEST_SUM, LOWEST_SUM
from moneyflow.late_money.records import Evidence, Floats, Reading, RunnerVerdict, Silence, Verdict
from moneyflow.late_money.score import falls, net_scores, standardised
from moneyflow.late_money.tape import MEMORY_SECONDS, Tape, tape_of

OPEN = "Open"
EARLIEST_SECONDS = -180.0  # since the advertised start
SMALLEST_POOL_CENTS = 50_000
FEWEST_READINGS = 4
STALE_SECONDS = 60.0
FALLBACK = "scan"
KEPT_SECONDS = MEMORY_SECONDS + STALE_SECONDS  # readings that older ones can be dropped for


class Measured(Struct, frozen=True, kw_only=True, eq=False):
    """What the newest of a race's readings shows of the runners that are live in it."""

    tape: Tape
    money: Increments
    numbers: Floats  # (runners, 30)


def judge(readings: Sequence[Reading], artefact: Artefact | None, calibration: Calibration | None = None) -> Verdict:
    """Judge the newest of a race's readings, oldest first, by those of the MEMORY_SECONDS before it.

    Without an artefact the scan statistic is the score. `calibration` replaces the artefact's own, for the same score.
    """
    detector = artefact.name if artefact else FALLBACK
    found = measure(readings)
    if isinstance(found, Silence):
        return Verdict(silent_because=found, detector=detector)
    scores = scores_of(found, artefact)
    p_values = (calibration or (artefact.calibration if artefact else SCAN)).p_values(scores)
    windows = widest_excess(found.money)
    runners = range(len(scores))
    seen = zip(
        found.tape.entrant_ids,
        scores.tolist(),
        p_values.tolist(),
        (found.tape.at[-1] - found.tape.at[found.money.starts[windows]]).tolist(),
        found.money.dollars[windows, runners].tolist(),
        found.money.expected[windows, runners].tolist(),
        strict=True,
    )
    verdicts = tuple(
        RunnerVerdict(
            entrant_id=entrant_id,
            score=score,
            p_value=p_value,
            severity=severity(p_value),
            window_seconds=seconds,
            dollars_seen=dollars,
            dollars_expected=expected,
            evidence=_evidence(found, artefact, column) if severity(p_value) else None,
        )
        for column, (entrant_id, score, p_value, seconds, dollars, expected) in enumerate(seen)
    )
    return Verdict(runners=verdicts, detector=detector)


def measure(readings: Sequence[Reading]) -> Measured | Silence:
    """Return the numbers of the newest of a race's readings, or why there are none."""
    newest = readings[-1]
    if reason := silence(newest):
        return reason
    since = newest.seconds_since_start - KEPT_SECONDS
    tape = tape_of([each for each in readings if each.seconds_since_start >= since])
    if reason := silence_of(tape, newest.seconds_since_start):
        return reason
    tape = tape.of_live()
    found, money = numbers(tape)
    return Measured(tape=tape, money=money, numbers=found)


def scores_of(found: Measured, artefact: Artefact | None) -> Floats:
    """Return the runners' scores by the net, or by the scan statistic."""
    if artefact is None:
        return scan_score(found.money)
    return net_scores(standardised(found.numbers, artefact), artefact)


def silence(newest: Reading) -> Silence | None:
    """Say why a poll alone cannot be judged."""
    if newest.status != OPEN:
        return Silence.NOT_OPEN
    if newest.seconds_since_start < EARLIEST_SECONDS:
        return Silence.TOO_EARLY
    if newest.win_pool_cents is None:
        return Silence.POOL_UNKNOWN
    if newest.win_pool_cents < SMALLEST_POOL_CENTS:
        return Silence.POOL_TOO_SMALL
    paid = zip(newest.dividends.tolist(), newest.is_scratched.tolist(), strict=True)
    if not LOWEST_SUM <= sum(1 / odds for odds, is_scratched in paid if odds > 0 and not is_scratched) <= HIGHEST_SUM:
        return Silence.DIVIDENDS_INCOMPLETE
    return None


def silence_of(tape: Tape, now: float) -> Silence | None:
    """Say why a race's distinct readings cannot be judged at `now`, seconds since the advertised start."""
    if len(tape) < FEWEST_READINGS:
        return Silence.TOO_FEW_READINGS
    return Silence.STALE if tape.at[-1] < now - STALE_SECONDS else None


def _evidence(found: Measured, artefact: Artefact | None, column: int) -> Evidence:
    explained = falls(standardised(found.numbers[column], artefact), artefact) if artefact else {}
    return evidence_of(found.tape, found.money, column, explained)
