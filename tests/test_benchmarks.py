"""The benchmarks in miniature: what they print and how they end, never how fast anything was."""

import json
import math
import os
import subprocess
import sys
from datetime import UTC, datetime
from itertools import islice

import pytest
from django.conf import settings

from benchmarks.corridor import Poll, lost_polls
from benchmarks.feed import changes, is_busy, open_races, simulation_from, source_of
from benchmarks.figures import Figure, percentile, table
from moneyflow.transform import snapshot_digest
from raceday.feed.parse import parse_event
from raceday.feed.records import RaceSnapshot
from raceday.models import PollRun
from raceday.simulator.envelope import ROOT, Request

NOON = datetime(2026, 11, 21, 0, 0, tzinfo=UTC)
FEW = ("--rounds", "1")


def bench(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    servers = {"DATABASE_URL": settings.DATABASE_URL, "REDIS_URL": settings.REDIS_URL}
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=settings.BASE_DIR,
        env={**os.environ, **servers, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_every_benchmark_measures_and_says_it_in_one_json_line() -> None:
    done = bench("--json", *FEW)
    assert done.returncode in (0, 1), done.stderr
    record = json.loads(done.stdout.splitlines()[-1])
    figures = {figure["name"]: figure for figure in record["figures"]}
    assert {name.split(".")[0] for name in figures} == {"write", "transform", "corridor", "history"}
    assert all(math.isfinite(figure["figure"]) for figure in figures.values())
    assert [figures[f"corridor.{scenario}.lost"]["figure"] for scenario in scenarios()] == [0, 0, 0, 0]
    assert {"date", "cores", "python", "postgresql", "fsync", "load_average_at_start"} <= record["conditions"].keys()
    marked = [figure["is_met"] for figure in figures.values() if figure["is_met"] is not None]
    assert record["is_met"] is all(marked)
    assert done.returncode == (0 if record["is_met"] else 1)


def scenarios() -> list[str]:
    return [f"{races}_races_{upstream}_ms" for races in (5, 50) for upstream in (0, 300)]


def test_a_table_is_printed_for_people_and_names_the_conditions() -> None:
    done = bench("transform", *FEW)
    assert done.returncode in (0, 1), done.stderr
    assert done.stdout.startswith("name ")
    assert "transform.both" in done.stdout
    assert "load_average_at_start: [" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "environment", "sentence"),
    [
        (["speed"], {}, "there is no benchmark 'speed': choose of write, transform, corridor, history."),
        (["--rounds", "0"], {}, "--rounds must be 1 or more."),
        (["write"], {"DATABASE_URL": ""}, "DATABASE_URL is not set: `./run bench` sets it."),
        (["write"], {"DATABASE_URL": "postgresql://u@127.0.0.1:1/d"}, "the database failed: "),
    ],
)
def test_what_cannot_be_measured_is_told_in_a_sentence(
    arguments: list[str], environment: dict[str, str], sentence: str
) -> None:
    done = bench(*arguments, **environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"raceday: {sentence}")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("figure", "marks", "is_met"),
    [
        (5.0, {"at_least": 5.0}, True),
        (4.9, {"at_least": 5.0}, False),
        (0.0, {"at_most": 0.0}, True),
        (1.0, {"at_most": 0.0}, False),
        (1.0, {}, None),
    ],
)
def test_a_mark_is_met_missed_or_not_there(figure: float, marks: dict[str, float], is_met: bool | None) -> None:
    told = Figure(name="a.b", what="", figure=figure, unit="ms", **marks)
    assert told.is_met() is is_met
    assert ("MISSED" in table([told])) is (is_met is False)


def test_percentiles_are_of_the_nearest_rank() -> None:
    hundred = [float(number) for number in range(100, 0, -1)]
    assert [percentile(hundred, share) for share in (0.0, 0.5, 0.99, 1.0)] == [1, 50, 99, 100]
    assert percentile([7.0], 0.99) == 7.0


def test_each_question_to_the_feed_finds_the_race_changed() -> None:
    simulation = simulation_from(NOON)
    race = open_races(simulation)[0]
    ask = Request(path=f"{ROOT}/events/{race.race_id}", query={"with_money_tracker": "true"})
    source = source_of(simulation)
    snapshots = [parse_event(source(ask, NOON).body) for _ in range(40)]
    seen = [snapshot for snapshot in snapshots if isinstance(snapshot, RaceSnapshot)]
    assert len({snapshot_digest(snapshot) for snapshot in seen}) == 40
    assert [snapshot.generated_at for snapshot in seen] == list(islice(changes(race, simulation.world), 40))


def test_a_race_without_further_changes_is_no_longer_answered() -> None:
    simulation = simulation_from(NOON)
    race = open_races(simulation)[0]
    source, ask = source_of(simulation), Request(path=f"{ROOT}/events/{race.race_id}", query={})
    for _ in changes(race, simulation.world):
        assert source(ask, NOON).status == 200
    assert source(ask, NOON).status == 404
    assert source(Request(path=f"{ROOT}/events/unknown", query={}), NOON).status == 404


def test_a_busy_race_is_answered_for_as_many_polls_as_were_asked_for() -> None:
    simulation = simulation_from(NOON)
    race = open_races(simulation)[0]
    most = len(list(changes(race, simulation.world)))
    assert is_busy(race, simulation.world, most)
    assert not is_busy(race, simulation.world, most + 1)


@pytest.mark.django_db
def test_a_poll_is_lost_without_a_word_without_a_run_or_without_its_readings() -> None:
    PollRun.objects.create(race_id="bare", polled_at=NOON, generated_at=NOON, outcome="changed")
    PollRun.objects.create(race_id="kept", polled_at=NOON, generated_at=NOON, outcome="unchanged")
    polls = {name: Poll(name, 0.0, 1.0, published=2.0) for name in ("bare", "kept", "unwritten")}
    untold = Poll("kept", 0.0, 1.0)
    assert lost_polls([polls["kept"]]) == 0
    assert lost_polls([polls["bare"]]) == 1
    assert lost_polls([polls["unwritten"]]) == 1
    assert lost_polls([untold]) == 1
