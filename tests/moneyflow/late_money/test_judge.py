"""The door: silence with its reason, and verdicts that do not depend on what they must not depend on."""

import numpy as np
import pytest
from msgspec import structs

from moneyflow.late_money.artefact import Artefact, shipped
from moneyflow.late_money.calibration import Calibration
from moneyflow.late_money.judge import FALLBACK, judge
from moneyflow.late_money.records import Reading, Severity, Silence, Verdict
from moneyflow.late_money.worlds.catalogue import race_of
from tests.support.late_money import growing, reading


@pytest.fixture(scope="module")
def artefact() -> Artefact:
    found = shipped()
    assert found is not None, "the artefact beside the code does not fit it: train it anew"
    return found


@pytest.fixture(scope="module")
def backed() -> list[Reading]:
    """A race with one large informed bet, up to the last poll before the close."""
    race = next(race for seed in range(50) if len((race := race_of("published", seed, 0.25)).readings) > 20)
    return [each for each in race.readings if each.status == "Open"]


def reason_of(polls: list[Reading]) -> Silence | None:
    return judge(polls, None).silent_because


def test_an_ordinary_race_is_judged() -> None:
    verdict = judge(growing(), None)
    assert verdict.silent_because is None
    assert [runner.entrant_id for runner in verdict.runners] == ["a", "b", "c"]
    assert {runner.severity for runner in verdict.runners} == {None}


def test_it_is_silent_once_the_race_is_closed() -> None:
    assert reason_of([*growing(), reading(15, status="Closed")]) is Silence.NOT_OPEN


def test_it_is_silent_more_than_three_minutes_before_the_start() -> None:
    early = [structs.replace(each, seconds_since_start=each.seconds_since_start - 181) for each in growing()]
    assert reason_of(early) is Silence.TOO_EARLY
    assert (
        reason_of([structs.replace(each, seconds_since_start=each.seconds_since_start + 1) for each in early]) is None
    )


def test_it_is_silent_without_a_pool() -> None:
    assert reason_of([*growing(), reading(15, pool=None)]) is Silence.POOL_UNKNOWN


def test_it_is_silent_on_a_pool_below_500_dollars() -> None:
    assert reason_of([*growing(), reading(15, pool=49_999)]) is Silence.POOL_TOO_SMALL


def test_it_is_silent_where_dividends_are_incomplete() -> None:
    assert reason_of([*growing(), reading(15, dividends=(1.6, np.nan, 3.3))]) is Silence.DIVIDENDS_INCOMPLETE


def test_a_scratched_runners_standing_dividend_does_not_count() -> None:
    scratched = reading(15, dividends=(1.6, 3.3, 3.3), is_scratched=np.array([False, False, True]))
    assert reason_of([*growing(), scratched]) is Silence.DIVIDENDS_INCOMPLETE


def test_it_is_silent_with_fewer_than_four_distinct_readings() -> None:
    assert reason_of(growing(3)) is Silence.TOO_FEW_READINGS
    assert reason_of([*growing(3), reading(5, pool=1_100_000)]) is Silence.TOO_FEW_READINGS  # shows the third again
    assert reason_of(growing(4)) is None


def test_it_is_silent_when_nothing_has_changed_for_a_minute() -> None:
    polls = growing()
    last = polls[-1]
    assert reason_of([*polls, structs.replace(last, seconds_since_start=60.0)]) is None
    assert reason_of([*polls, structs.replace(last, seconds_since_start=61.0)]) is Silence.STALE


def test_a_poll_that_shows_nothing_new_has_the_verdict_of_the_one_before(
    backed: list[Reading], artefact: Artefact
) -> None:
    again = structs.replace(backed[-1], seconds_since_start=backed[-1].seconds_since_start + 5)
    assert judge([*backed, again], artefact) == judge(backed, artefact)


def test_readings_older_than_the_memory_change_nothing(backed: list[Reading], artefact: Artefact) -> None:
    now = backed[-1].seconds_since_start
    recent = [each for each in backed if each.seconds_since_start >= now - 210]
    assert len(recent) < len(backed)
    assert judge(recent, artefact) == judge(backed, artefact)


def test_the_order_of_entrants_changes_no_verdict(backed: list[Reading], artefact: Artefact) -> None:
    turned = [
        structs.replace(
            each,
            entrant_ids=each.entrant_ids[::-1],
            dividends=each.dividends[::-1].copy(),
            fixed_odds=each.fixed_odds[::-1].copy(),
            is_scratched=each.is_scratched[::-1].copy(),
        )
        for each in backed
    ]
    plain = {runner.entrant_id: runner.score for runner in judge(backed, artefact).runners}
    other = {runner.entrant_id: runner.score for runner in judge(turned, artefact).runners}
    assert other == pytest.approx(plain)


def test_a_late_scratching_moves_no_other_runners_dollars() -> None:
    """Three runners hold $5,000, $3,000 and $2,000; the third is scratched and its money refunded."""
    fair, after = [0.837 * 10 / held for held in (5, 3, 2)], [0.837 * 8 / held for held in (5, 3)]
    polls = [reading(-60 + 15 * number, dividends=fair, pool=1_000_000 + number) for number in range(4)]
    out = np.array([False, False, True])
    polls.append(
        reading(0, dividends=[*after, np.nan], pool=800_000, is_scratched=out, fixed_odds=np.array([1.6, 2.6, 0]))
    )
    verdict = judge(polls, None)
    assert [runner.entrant_id for runner in verdict.runners] == ["a", "b"]
    assert all(abs(runner.dollars_seen) < 150 for runner in verdict.runners)  # the midpoint of cut dividends
    assert all(runner.severity is None for runner in verdict.runners)


def most_unusual(verdict: Verdict) -> float:
    return max(runner.score for runner in verdict.runners)


def test_a_quarter_of_the_pool_on_one_runner_raises_an_alert_with_evidence(artefact: Artefact) -> None:
    verdicts = []
    for seed in range(12):
        race = race_of("published", 500 + seed, 0.25)
        polls = [each for each in race.readings if each.status == "Open"]
        verdicts += [
            runner
            for runner in judge(polls, artefact).runners
            if runner.entrant_id == race.informed_id and runner.severity is not None
        ]
    assert len(verdicts) >= 4
    for runner in verdicts:
        assert runner.evidence is not None
        assert runner.dollars_seen > runner.dollars_expected
        assert runner.evidence.share_after > runner.evidence.share_before
        assert runner.one_in >= 8
        assert max(runner.evidence.falls.values()) > 0


def test_without_an_artefact_the_scan_statistic_is_the_score(backed: list[Reading]) -> None:
    verdict = judge(backed, None)
    assert verdict.detector == FALLBACK
    assert most_unusual(verdict) > 0
    assert all(runner.score >= 0 for runner in verdict.runners)
    assert all(not runner.evidence.falls for runner in verdict.runners if runner.evidence)


def test_another_calibration_moves_p_values_and_alerts_but_no_scores(backed: list[Reading], artefact: Artefact) -> None:
    strict = judge(backed, artefact, Calibration(maxima=np.full(400, 1e9)))
    loose = judge(backed, artefact, Calibration(maxima=np.full(400, -1e9)))
    assert [runner.score for runner in strict.runners] == [runner.score for runner in loose.runners]
    assert {runner.severity for runner in strict.runners} == {None}
    assert {runner.severity for runner in loose.runners} == {Severity.RARE}
