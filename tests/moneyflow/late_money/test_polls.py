"""Recorded polls through the live detector: the format, bad lines, races that interleave, and the command."""

import json
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from moneyflow.late_money.artefact import shipped
from moneyflow.late_money.judge import judge
from moneyflow.late_money.polls import Replay, race_maxima, score_lines
from moneyflow.late_money.records import Reading, Severity
from moneyflow.late_money.worlds.catalogue import race_of
from moneyflow.late_money.worlds.market import EPOCH

FIELDS = [
    "race_id", "polled_at", "entrant_id", "score", "p_value", "alert", "window_seconds", "dollars_seen",
    "dollars_expected",
]  # fmt: skip


def line_of(race_id: str, reading: Reading, /, **changes: object) -> bytes:
    def known(odds: float) -> float | None:
        return odds if odds > 0 else None

    entrants = [
        {
            "entrant_id": f"{race_id}-{number}",
            "runner_number": int(number),
            "pool_win": known(float(reading.dividends[place])),
            "fixed_win": known(float(reading.fixed_odds[place])),
            "is_scratched": bool(reading.is_scratched[place]),
        }
        for place, number in enumerate(reading.entrant_ids)
    ]
    poll: dict[str, object] = {
        "race_id": race_id,
        "polled_at": (EPOCH + timedelta(seconds=reading.seconds_since_start)).isoformat().replace("+00:00", "Z"),
        "advertised_start": EPOCH.isoformat().replace("+00:00", "Z"),
        "status": reading.status,
        "win_pool_cents": reading.win_pool_cents,
        "entrants": entrants,
    }
    return json.dumps(poll | changes).encode() + b"\n"


def race_lines(race_id: str, seed: int, stake: float = 0.0) -> list[bytes]:
    return [line_of(race_id, reading) for reading in race_of("published", seed, stake).readings]


def scored(lines: Iterable[bytes]) -> tuple[list[dict[str, Any]], Replay]:
    replay = Replay(artefact=shipped())
    return list(score_lines(lines, replay)), replay


def test_the_output_has_the_fields_of_the_format_for_each_poll_and_entrant() -> None:
    rows, replay = scored(race_lines("r1", 1))
    assert list(rows[0]) == FIELDS
    assert {row["race_id"] for row in rows} == {"r1"}
    runners = len(race_of("published", 1).readings[0].entrant_ids)
    assert len(rows) == replay.scored * runners
    assert replay.faults == []
    assert replay.silences.total() + replay.scored == len(race_of("published", 1).readings)


def test_a_recorded_poll_has_the_score_of_a_live_one() -> None:
    polls = race_of("published", 2, 0.2).readings[:-1]
    rows, _ = scored(race_lines("r2", 2, 0.2))
    live = judge(polls, shipped())
    last = rows[-len(live.runners) :]
    assert [row["score"] for row in last] == [round(runner.score, 4) for runner in live.runners]
    assert [row["p_value"] for row in last] == [round(runner.p_value, 6) for runner in live.runners]


def test_an_alert_is_a_p_value_within_the_budget() -> None:
    lines = [line for seed in range(20) for line in race_lines(f"r{seed}", 500 + seed, 0.25)]
    for budget in Severity:
        rows = list(score_lines(lines, Replay(artefact=shipped(), budget=budget)))
        assert any(row["alert"] for row in rows)
        assert all(row["alert"] == (row["p_value"] <= budget / 80) for row in rows)


def test_races_may_interleave() -> None:
    first, second = race_lines("r1", 1), race_lines("r2", 2)
    mixed = [line for pair in zip(first, second, strict=False) for line in pair]
    mixed += first[len(second) :] + second[len(first) :]
    alone = scored(first)[0] + scored(second)[0]
    together, replay = scored(mixed)
    assert replay.faults == []
    assert sorted(map(str, together)) == sorted(map(str, alone))


GOOD = race_of("published", 1).readings[0]
ENTRANT: dict[str, object] = {"entrant_id": "r1-1", "runner_number": 1, "pool_win": 2.0, "fixed_win": 2.0}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{no json\n", "malformed"),
        (b"\xff\xfe\n", "malformed"),
        (b"[]\n", "Expected `object`"),
        (b'{"race_id": "r1"}\n', "missing required field `polled_at`"),
        (line_of("r1", GOOD, race_id=""), "length >= 1"),
        (line_of("r1", GOOD, status=5), "$.status"),
        (line_of("r1", GOOD, win_pool_cents=-1), "$.win_pool_cents"),
        (line_of("r1", GOOD, entrants=[]), "$.entrants"),
        (line_of("r1", GOOD, entrants=[ENTRANT, ENTRANT]), "stands twice"),
        (line_of("r1", GOOD, entrants=[ENTRANT | {"pool_win": -2}]), "pool_win"),
        (line_of("r1", GOOD, entrants=[ENTRANT | {"pool_win": "2.0"}]), "pool_win"),
        (line_of("r1", GOOD, polled_at="noon"), "polled_at is no ISO time"),
        (line_of("r1", GOOD, polled_at="2026-11-21T02:30:05"), "polled_at has no zone"),
        (line_of("r1", GOOD, advertised_start="2026-11-21"), "advertised_start has no zone"),
    ],
)
def test_a_bad_line_is_reported_with_its_number_and_reason_and_the_rest_is_scored(line: bytes, reason: str) -> None:
    good = race_lines("r1", 1)
    rows, replay = scored([*good[:5], line, *good[5:]])
    assert len(replay.faults) == 1
    assert replay.faults[0].startswith("line 6: ")
    assert reason in replay.faults[0]
    assert rows == scored(good)[0]


def test_a_poll_before_the_races_last_one_is_a_bad_line() -> None:
    good = race_lines("r1", 1)
    rows, replay = scored([*good[:9], good[3], *good[9:]])
    assert [fault[:8] for fault in replay.faults] == ["line 10:"]
    assert rows == scored(good)[0]


def test_empty_lines_are_passed_over() -> None:
    good = race_lines("r1", 1)
    rows, replay = scored([b"\n", *good, b"  \n"])
    assert replay.faults == []
    assert rows == scored(good)[0]


def test_pools_and_odds_may_be_null() -> None:
    last = race_of("published", 1).readings[-2]
    nothing = [{"entrant_id": f"r1-{number}", "pool_win": None, "fixed_win": None} for number in last.entrant_ids]
    rows, replay = scored([line_of("r1", last, win_pool_cents=None), line_of("r1", last, entrants=nothing)])
    assert (rows, replay.faults) == ([], [])
    assert replay.silences.total() == 2


def test_a_pool_may_be_written_as_a_decimal() -> None:
    plain = race_lines("r1", 1)
    decimal = [
        json.dumps(poll | {"win_pool_cents": poll["win_pool_cents"] * 1.0}).encode() for poll in map(json.loads, plain)
    ]
    assert scored(decimal)[0] == scored(plain)[0]


def test_a_races_maximum_is_its_highest_score_before_the_close() -> None:
    lines = race_lines("r1", 1) + race_lines("r2", 2)
    rows, _ = scored(lines)
    assert race_maxima(lines, shipped()) == [
        max(row["score"] for row in rows if row["race_id"] == race_id) for race_id in ("r1", "r2")
    ]


def run_command(folder: Path, lines: list[bytes], *options: str) -> list[dict[str, Any]]:
    (folder / "polls.ndjson").write_bytes(b"".join(lines))
    output = folder / "scores.ndjson"
    call_command("score_polls", f"--input={folder / 'polls.ndjson'}", f"--output={output}", *options)
    return [json.loads(line) for line in output.read_text().splitlines()]


def test_the_command_writes_the_scores(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = run_command(tmp_path, race_lines("r1", 1))
    assert rows == scored(race_lines("r1", 1))[0]
    assert "polls scored" in capsys.readouterr().out


def test_the_command_reports_bad_lines_and_exits_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = race_lines("r1", 1)
    with pytest.raises(SystemExit) as ended:
        run_command(tmp_path, [*good[:2], b"{\n", *good[2:]])
    assert ended.value.code == 1
    assert "line 3: " in capsys.readouterr().err
    written = (tmp_path / "scores.ndjson").read_text().splitlines()
    assert [json.loads(line) for line in written] == scored(good)[0]


def test_the_command_calibrates_on_a_file_of_200_races(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = tmp_path / "few.ndjson"
    few.write_bytes(b"".join(race_lines("r1", 1)))
    run_command(tmp_path, race_lines("r2", 2), f"--calibrate-on={few}")
    assert "fewer than 200" in capsys.readouterr().err
    many = tmp_path / "many.ndjson"
    late = race_lines("x", 1)[-8:]
    many.write_bytes(b"".join(line.replace(b'"x', f'"x{number}'.encode()) for number in range(200) for line in late))
    rows = run_command(tmp_path, race_lines("r2", 2), f"--calibrate-on={many}")
    assert {row["p_value"] for row in rows} <= {round(1 / 201, 6), 1.0}  # 200 races with one maximum
