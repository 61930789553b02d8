"""The benchmarks in miniature: what they print and how they end, never how fast anything was."""

import json
import math
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from threading import Thread

import pytest
from django.conf import settings
from msgspec.structs import replace

from benchmarks.board_polls import Seen, follow
from benchmarks.browser import spans_ms
from benchmarks.client_day import figures, habit
from benchmarks.corridor import Poll, lost_polls
from benchmarks.feed import DAYS, changes, is_busy, open_races, simulation_from, source_of
from benchmarks.figures import BenchmarkError, Figure, percentile, table
from benchmarks.load import cpu_seconds, drive, processes, read_head, request
from benchmarks.peers import PEERS, PeerError, built
from benchmarks.poll_cost import PARTS, READING, Cost
from benchmarks.serve import unbuilt
from benchmarks.soak import slope_of
from benchmarks.yardstick import slowness
from moneyflow.transform.flow import snapshot_digest
from raceday.feed.parse import parse_event
from raceday.feed.records import RaceSnapshot
from raceday.models import PollRun
from raceday.published.events import Event
from raceday.simulator.envelope import ROOT, Request
from raceday.streams.subscriber import write_frame

NOON = datetime(2026, 11, 21, 0, 0, tzinfo=UTC)
FEW = ("--rounds", "1")
# The others start trees, or peers from registries.
QUICK = ("write", "transform", "corridor", "history", "detect", "archive")


def bench(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    servers = {"DATABASE_URL": settings.DATABASE_URL, "REDIS_URL": settings.REDIS_URL}
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=settings.BASE_DIR,
        env={**os.environ, **servers, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.usefixtures("unmeasured")
def test_benchmarks_measure_and_say_it_in_one_json_line() -> None:
    done = bench(*QUICK, "--json", *FEW)
    assert done.returncode in (0, 1), done.stderr
    record = json.loads(done.stdout.splitlines()[-1])
    figures = {figure["name"]: figure for figure in record["figures"]}
    assert {name.split(".")[0] for name in figures} == set(QUICK)
    assert all(math.isfinite(figure["figure"]) for figure in figures.values())
    assert [figures[f"corridor.{scenario}.lost"]["figure"] for scenario in scenarios()] == [0, 0, 0, 0]
    assert {"date", "cores", "python", "postgresql", "fsync", "load_average_at_start"} <= record["conditions"].keys()
    marked = [figure["is_met"] for figure in figures.values() if figure["is_met"] is not None]
    assert record["is_met"] is all(marked)
    assert done.returncode == (0 if record["is_met"] else 1)


def scenarios() -> list[str]:
    return [f"{races}_races_{upstream}_ms" for races in (5, 50) for upstream in (0, 300)]


@pytest.mark.usefixtures("unmeasured")
def test_a_table_is_printed_for_people_and_names_the_conditions() -> None:
    done = bench("transform", *FEW)
    assert done.returncode in (0, 1), done.stderr
    assert done.stdout.startswith("name ")
    assert "transform.both" in done.stdout
    assert "load_average_at_start: [" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "environment", "sentence"),
    [
        (["speed"], {}, "there is no benchmark 'speed': choose of write, transform, poller, freshness, corridor"),
        (["--rounds", "0"], {}, "--rounds or --days must be 1 or more."),
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


def test_a_mark_for_processor_time_goes_with_the_machine() -> None:
    paced = Figure(name="a.b", what="", figure=1.0, unit="ms", at_most_paced=0.5, slowness=2.4)
    assert paced.is_met()
    assert "≤ 0.5 × 2.40" in table([paced])
    assert not replace(paced, slowness=1.9).is_met()
    assert slowness() >= 1


def test_percentiles_are_of_the_nearest_rank() -> None:
    hundred = [float(number) for number in range(100, 0, -1)]
    assert [percentile(hundred, share) for share in (0.0, 0.5, 0.99, 1.0)] == [1, 50, 99, 100]
    assert percentile([7.0], 0.99) == 7.0


def test_each_question_to_the_feed_finds_the_race_changed() -> None:
    simulation = simulation_from(NOON)
    race = next(race for race in open_races(simulation) if is_busy(race, simulation.world, 40))
    ask = Request(path=f"{ROOT}/events/{race.race_id}", query={"with_money_tracker": "true"})
    source = source_of(simulation)
    snapshots = [parse_event(source(ask, NOON).body, polled_at=NOON + timedelta(days=DAYS)) for _ in range(40)]
    seen = [snapshot for snapshot in snapshots if isinstance(snapshot, RaceSnapshot)]
    assert len({snapshot_digest(snapshot) for snapshot in seen}) == 40
    asked = islice(changes(race, simulation.world), 40)  # floats of seconds: a microsecond is lost in some
    assert all(
        abs(snapshot.generated_at - at) < timedelta(milliseconds=1) for snapshot, at in zip(seen, asked, strict=True)
    )


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


# ── serve ───────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def server(answer: bytes) -> Iterator[int]:
    """A server that answers each request with the same bytes, in two pieces; yields its port."""

    def serve(line: socket.socket) -> None:
        with line, suppress(OSError):  # who has seen enough hangs up
            while line.recv(65536):
                for piece in (answer[:30], answer[30:]):
                    line.sendall(piece)
                    time.sleep(0.001)

    def listen() -> None:
        for _ in range(2):
            Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=listen, daemon=True).start()
        yield listener.getsockname()[1]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n", (200, 12)),
        (b"HTTP/1.1 404 Not Found\r\ncontent-length:7\r\n\r\n", (404, 7)),
        (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 12\r\n\r\n", (304, 0)),
        (b"HTTP/1.1 200 OK\r\n\r\n", (200, 0)),
    ],
)
def test_the_head_of_an_answer_tells_status_and_length(head: bytes, expected: tuple[int, int]) -> None:
    assert read_head(head) == expected


def test_a_load_is_as_many_whole_answers_as_were_asked_for() -> None:
    with server(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Cache: HIT\r\n\r\nabcde") as port:
        load = drive(port, request("/api", {"Accept": "*/*"}), connections=2, requests=9, expect=200)
    assert len(load.latencies_ms) == 9
    assert 0 < max(load.latencies_ms) <= load.seconds * 1000


@pytest.mark.parametrize("head", [b"HTTP/1.1 500 Oh no\r\n", b"HTTP/1.1 200 OK\r\nX-Cache: MISS\r\n"])
def test_a_load_with_another_answer_than_expected_is_not_measured(head: bytes) -> None:
    with server(head + b"Content-Length: 0\r\n\r\n") as port, pytest.raises(BenchmarkError, match="a server answered"):
        drive(port, request("/api", {}), connections=2, requests=2, expect=200)


def test_cpu_is_told_of_a_process_and_all_its_children() -> None:
    busy = "import subprocess, sys, time; subprocess.run([sys.executable, '-c', 'while True: pass'])"
    parent = subprocess.Popen([sys.executable, "-c", busy])
    try:
        while len(pids := processes(parent.pid)) < 2:
            time.sleep(0.01)
        before = cpu_seconds(pids)
        while cpu_seconds(pids) < before + 0.05:
            time.sleep(0.01)
    finally:
        for pid in processes(parent.pid):
            os.kill(pid, 9)
        parent.wait()
    assert len(pids) == 2
    assert pids[0] == parent.pid


@pytest.mark.parametrize(
    ("to_start", "span"),
    [(7200, (1800, 1800)), (3600, (600, 900)), (301, (150, 300)), (300, (15, 30)), (-90, (15, 30))],
)
def test_clients_look_at_a_race_more_often_the_nearer_it_is(to_start: float, span: tuple[float, float]) -> None:
    assert habit(to_start) == span


def test_hits_stales_misses_and_failures_are_shares_of_all_requests() -> None:
    counts = {("/a", "hit"): 96, ("/a", "stale"): 2, ("/b", "miss"): 1, ("/b", "0 TimeoutError"): 1}
    told = {figure.name.removeprefix("serve.clients."): figure for figure in figures(counts, "")}
    shares = {name: told[name].figure for name in ("ready", "hit", "stale", "miss", "requests", "failed", "missed./b")}
    assert shares == {"ready": 98, "hit": 96, "stale": 2, "miss": 1, "requests": 100, "failed": 1, "missed./b": 1}
    assert (told["ready"].is_met(), told["failed"].is_met(), told["failed"].what) == (False, False, "0 TimeoutError")


def test_a_day_without_requests_has_no_figures() -> None:
    with pytest.raises(BenchmarkError, match="no client asked"):
        figures({}, "")


@pytest.mark.parametrize(("number", "missing"), [(0, "FastAPI could not be built"), (1, "there is no node")])
def test_a_peer_that_cannot_be_built_says_why_and_is_a_mark_missed(
    number: int, missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(PeerError, match=missing) as fault:
        built(PEERS[number])
    told = unbuilt(PEERS[number].name, str(fault.value))
    assert (told.is_met(), told.what) == (False, str(fault.value))
    assert not list(tmp_path.rglob("built"))


# ── poll_cost ───────────────────────────────────────────────────────────────────────────────────


def test_a_reading_on_a_stream_says_when_its_answer_was_in_hand() -> None:
    told = [("flow", b'{"race_id":"r1","polled_at":"2026-11-21T15:29:00.000+13:00","timestamp":1}')]
    told += [("pool", told[0][1])]
    frames = [write_frame(Event((1, number), "r1", "m1", *each)) for number, each in enumerate(told)]
    assert READING.findall(b"".join(frames)) == [b"2026-11-21T15:29:00.000+13:00"]


def test_a_polls_cost_is_that_of_all_its_parts() -> None:
    assert Cost(parts=dict.fromkeys(PARTS, 1.5), polls=1, published=1).whole == 1.5 * len(PARTS)


# ── soak ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("growth", [0.0, 3.0, -1.5])
def test_a_slope_is_found_beside_warming_and_noise(growth: float) -> None:
    days = [place / 360 for place in range(720)]
    warming = [min(0.0, day - 0.5) * 100 for day in days]
    noise = [math.sin(place) for place in range(720)]
    samples = [(day, 90 + growth * day + sum(rest)) for day, *rest in zip(days, warming, noise, strict=True)]
    slope = slope_of(samples, since=0.5)
    assert slope.least <= growth <= slope.most
    assert slope.most - slope.least < 0.2


def test_from_few_samples_no_slope_is_told() -> None:
    with pytest.raises(BenchmarkError, match="too short"):
        slope_of([(float(day), 1.0) for day in range(20)], since=9)


# ── board ───────────────────────────────────────────────────────────────────────────────────────


def test_without_a_browser_the_board_says_so_in_a_sentence() -> None:
    done = bench("board", *FEW, PATH="")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith("raceday: board needs Chromium, and this machine has none")


def test_spans_are_those_of_the_pages_own_thread_and_count_once() -> None:
    thread = {"name": "thread_name", "ph": "M", "pid": 1, "tid": 2, "args": {"name": "CrRendererMain"}}
    own = {"name": "RunTask", "ph": "X", "pid": 1, "tid": 2, "ts": 100, "dur": 5000, "tdur": 3000}
    within, later = {**own, "ts": 200, "dur": 10}, {**own, "ts": 5100, "dur": 1000, "tdur": 1000}
    trace = {"traceEvents": [thread, later, own, within, {**own, "tid": 3}, {**own, "name": "Paint"}]}
    assert spans_ms(json.dumps(trace).encode(), "RunTask") == [(5.0, 3.0), (1.0, 1.0)]


def test_a_poll_is_followed_from_its_commit_to_the_screen() -> None:
    poll = Poll("r1", 0.0, 1.0, published=2.0, publish_ms=5.0, outcome="changed")
    heard, changed = [(1.0, 1500.0), (2.0, 2010.0)], [1501.0, 2012.0, 2020.0]
    assert follow(poll, (heard, changed), [1490.0, 1997.0]) == Seen(logged=2.0, heard=13.0, changed=2.0)
    assert follow(poll, (heard[:1], changed), [1997.0]) is None
    assert follow(poll, (heard, [1501.0]), [1997.0]) is None
