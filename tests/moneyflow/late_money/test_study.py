"""Training and evaluation in small: measures by hand, a net that learns, and a detector that beats the scan."""

import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.management import call_command
from numpy.typing import NDArray

from moneyflow.late_money.artefact import shipped, unpacked
from moneyflow.late_money.study.evaluation import play_world, played, report_of
from moneyflow.late_money.study.metrics import auc, false_alerts, false_alerts_after, kolmogorov_smirnov, share_of
from moneyflow.late_money.study.net import fit_net
from moneyflow.late_money.study.outcomes import DETECTORS, OURS, Outcome, outcome_of
from moneyflow.late_money.study.rows import joined, rows_of
from moneyflow.late_money.worlds.catalogue import race_of


def test_a_share_has_wilsons_interval() -> None:
    half = share_of(50, 100)
    assert [half.value, half.low, half.high] == pytest.approx([0.5, 0.404, 0.596], abs=1e-3)
    assert share_of(0, 10).high == pytest.approx(0.278, abs=1e-3)
    assert share_of(10, 10).low == pytest.approx(0.722, abs=1e-3)


def test_the_auc_counts_pairs_and_half_of_ties() -> None:
    assert auc(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0])) == pytest.approx((1.5 + 3) / 6)


def test_calibrated_p_values_are_near_the_uniform_distribution() -> None:
    assert kolmogorov_smirnov(np.arange(0.05, 1, 0.1)) == pytest.approx(0.05)
    assert kolmogorov_smirnov(np.full(10, 0.5)) == pytest.approx(0.5)


def test_false_alerts_are_counted_a_day_of_80_races() -> None:
    assert false_alerts(np.arange(100.0), 95) == pytest.approx(4)


def test_a_calibration_on_200_races_asks_for_about_its_budget() -> None:
    mean, low, high = false_alerts_after(np.random.default_rng(2).normal(size=2_000), 200, 4)
    assert 3 < mean < 5
    assert low < mean < high


def outcome(stake: float, *scores: float) -> Outcome:
    values = np.tile(np.array(scores, float)[:, None], (1, len(DETECTORS)))
    left = np.arange(len(scores), 0, -1, dtype=float) * 10
    return Outcome(scores=values, field=values.max(0), seconds_left=left, stake=stake)


def test_the_record_counts_what_was_found_before_the_close_and_how_early() -> None:
    ordinary = [outcome(0.0, score, -1) for score in range(80)]
    informed = [outcome(0.1, 0, 500, 600), outcome(0.1, 0, 0, 900), outcome(0.1, 0, 0, 0), outcome(0.1, 0, 0, 0)]
    others = [outcome(stake, 0) for stake in (0.02, 0.05, 0.15, 0.2)]
    record = report_of(played([*ordinary, *informed, *others]), None)
    found = record["detectors"][OURS]["10%"]["found"]["4"]
    assert (found["value"], found["seconds_left"]) == (0.5, 15)  # 20 s and 10 s before the close
    assert record["detectors"][OURS]["5%"]["found"]["4"]["seconds_left"] is None
    assert record["calibration"] is None


def test_only_the_backed_runner_after_its_first_bet_counts_in_an_informed_race() -> None:
    race = race_of("published", 7, 0.25)
    found = outcome_of(race, shipped(), 0.25)
    assert race.first_informed_at is not None
    early = found.seconds_left > race.closes_at - race.first_informed_at
    assert np.isneginf(found.scores[early]).all()
    assert np.isfinite(found.scores[~early]).all()
    assert (found.field >= found.maxima).all()


def test_rows_of_a_race_name_the_backed_runner_alone_after_its_first_bet() -> None:
    rows = joined([rows_of("published", seed) for seed in range(12)])
    assert rows.numbers.shape[1] == 30
    assert 6 <= rows.is_informed.sum() <= 40
    assert set(rows.weight.tolist()) == {1.0, 1 / 0.06}
    assert (rows.weight[rows.is_informed == 1] == 1).all()
    assert not joined([rows_of("published", seed) for seed in range(0, 12, 2)]).is_informed.any()


def test_no_rows_are_no_rows() -> None:
    assert joined([]).numbers.shape == (0, 30)


def quadrants(rows: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return points, and whether both of their coordinates have the same sign."""
    inputs = np.random.default_rng(3).normal(size=(rows, 2)).astype(np.float32)
    return inputs, (inputs[:, 0] * inputs[:, 1] > 0).astype(np.float32)


def test_the_net_learns_what_no_line_separates() -> None:
    inputs, target = quadrants(4_000)
    *hidden, (weights, biases) = fit_net(inputs, target, np.ones(4_000, np.float32), epochs=40, seed=1)
    for hidden_weights, hidden_biases in hidden:
        inputs = np.maximum(inputs @ hidden_weights + hidden_biases, 0)
    said = (inputs @ weights + biases)[:, 0] > 0
    assert (said == (target > 0)).mean() > 0.9


def test_equal_seeds_fit_equal_nets_and_others_do_not() -> None:
    inputs, target = quadrants(1_100)
    fits = [fit_net(inputs, target, np.ones(1_100, np.float32), epochs=2, seed=seed) for seed in (1, 1, 2)]
    first, again, other = (np.concatenate([part.ravel() for layer in fit for part in layer]) for fit in fits)
    assert (first == again).all()
    assert (first != other).any()


def test_the_shipped_detector_beats_the_scan_and_todays_colours_where_it_was_not_trained() -> None:
    record = report_of(play_world("hosts", 200, shipped()), shipped())["detectors"]

    def found(detector: str) -> float:
        """Return what is found at 4 a day, over the stakes of 10, 15 and 20 %."""
        return float(np.mean([record[detector][stake]["found"]["4"]["value"] for stake in ("10%", "15%", "20%")]))

    assert found(OURS) > 1.1 * found("scan S") > 0
    assert found(OURS) > 0.3
    assert all(found(name) < 0.1 for name in ("increment share", "hold rise", "odds drop"))


def test_training_in_small_gives_the_same_bytes_twice(tmp_path: Path) -> None:
    options = ("--races=60", "--epochs=1", "--calibration-races=20")
    texts = []
    for name in ("first.json", "second.json"):
        call_command("train_late_money", *options, f"--output={tmp_path / name}", stdout=StringIO())
        texts.append((tmp_path / name).read_bytes())
    assert texts[0] == texts[1]
    assert unpacked(texts[0].decode()).provenance["recipe"]["races"] == 60


def test_the_command_prints_all_baselines_beside_ours_and_says_that_crowds_are_left_out() -> None:
    out, err = StringIO(), StringIO()
    call_command("evaluate_late_money", "--world=hosts", "--races=24", stdout=out, stderr=err)
    assert all(name in out.getvalue() for name in DETECTORS)
    assert "hosts: 24 ordinary races, 6 informed a stake" in out.getvalue()
    assert "real crowds are left out" in err.getvalue()


def test_the_command_gives_the_record_as_json_and_draws_it(tmp_path: Path) -> None:
    out = StringIO()
    options = ("--world=published", "--races=24", "--json", f"--plots={tmp_path / 'plots'}")
    call_command("evaluate_late_money", *options, stdout=out, stderr=StringIO())
    record = json.loads(out.getvalue())
    assert set(record["published"]["detectors"]) == set(DETECTORS)
    for name in ("recall.svg", "reliability.svg"):
        assert (tmp_path / "plots" / name).read_text().startswith("<svg")
