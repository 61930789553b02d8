"""The simulator's controls, its truth, its recorded answers and its process."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from raceday.simulator.envelope import ROOT
from raceday.simulator.recorded import recorded
from raceday.simulator.running import listening, running
from raceday.simulator.server import feed_app
from tests.raceday.simulator.conftest import STARTED, Tab
from tests.support.paths import ROOT as PROJECT
from tests.support.paths import SAMPLES

needs_samples = pytest.mark.skipif(not SAMPLES.exists(), reason="the recorded answers are not beside the project")


def event_path(tab: Tab) -> str:
    return f"/events/{tab.races[0].race_id}"


def test_429_says_when_to_come_back_as_often_as_asked(tab: Tab) -> None:
    tab.control(fault="429", retry_after=7, times=2)
    answers = [tab.get("/meetings") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert answers[0].headers["retry-after"] == "7"
    assert answers[0].json()["header"]["error"] == "requesting data too fast"


@pytest.mark.parametrize("status", [500, 503])
def test_server_errors_last_until_switched_off(tab: Tab, status: int) -> None:
    tab.control(fault=str(status))
    assert [tab.get("/list").status_code, tab.get(event_path(tab)).status_code] == [status, status]
    tab.control(fault=None)
    assert tab.get("/list").status_code == 200


def test_a_fault_for_one_race_leaves_the_others_alone(tab: Tab) -> None:
    tab.control(fault="503", race_id=tab.races[0].race_id)
    assert tab.get(event_path(tab)).status_code == 503
    assert tab.get(f"/events/{tab.races[1].race_id}").status_code == 200
    assert tab.get("/meetings").status_code == 200


def test_latency_holds_the_answer_back(tab: Tab) -> None:
    tab.control(fault="latency", seconds=30, times=1)
    with pytest.raises(httpx.ReadTimeout):
        tab.client.get(f"{ROOT}/meetings", timeout=0.2)
    assert tab.get("/meetings").status_code == 200


def test_a_hanging_answer_never_comes_and_the_next_one_does(tab: Tab) -> None:
    tab.control(fault="hang", times=1)
    with pytest.raises(httpx.ReadTimeout):
        tab.client.get(f"{ROOT}/meetings", timeout=0.2)
    assert tab.get("/meetings").status_code == 200


def test_a_truncated_body_ends_before_its_declared_length(tab: Tab) -> None:
    tab.control(fault="truncate")
    with pytest.raises(httpx.RemoteProtocolError):
        tab.get(event_path(tab))


def test_wrong_types_spoil_the_fields_a_reader_needs(tab: Tab) -> None:
    tab.control(fault="wrong_types")
    event = tab.event(tab.races[0])
    assert (event["race"]["race_number"], event["runners"]) == ("wrong", "wrong")


def test_wrong_types_can_spoil_one_field_by_path(tab: Tab) -> None:
    tab.control(fault="wrong_types", path="data.runners.0.odds")
    event = tab.event(tab.races[0])
    assert event["runners"][0]["odds"] == "wrong"
    assert event["race"]["race_number"] == 1


def test_unknown_fields_appear_at_every_depth(tab: Tab) -> None:
    tab.control(fault="unknown_fields")
    body = tab.get(event_path(tab)).json()
    places = (body, body["header"], body["data"]["race"], body["data"]["runners"][0]["odds"])
    assert all("not_seen_before" in place for place in places)


def test_a_frozen_feed_keeps_its_state_and_its_generated_time(tab: Tab) -> None:
    tab.control(fault="freeze", race_id=tab.races[0].race_id)
    before = tab.get(event_path(tab)).content
    tab.at(STARTED.timestamp() + 300)
    assert tab.get(event_path(tab)).content == before
    tab.control(fault=None, race_id=tab.races[0].race_id)
    assert tab.event(tab.races[0])["race"]["status"] != "Open"


@pytest.mark.parametrize("body", [b"{", b"{}", b'{"fault": "earthquake"}', b'{"fault": "hang", "until": 3}'])
def test_a_control_it_does_not_know_is_refused_and_switches_nothing(tab: Tab, body: bytes) -> None:
    assert tab.client.post("/_control", content=body).status_code == 400
    assert tab.client.get("/_control").json() == []


def test_the_feed_is_read_only(tab: Tab) -> None:
    assert tab.client.post(f"{ROOT}/meetings").status_code == 405


def test_the_truth_names_informed_bettors_of_real_entrants(tab: Tab) -> None:
    informed = tab.client.get("/_truth").json()["informed"]
    races = {race.race_id: race for race in tab.races}
    assert 5 <= len(informed) <= 30
    for row in informed:
        race = races[row["race_id"]]
        assert race.runners[row["runner_number"] - 1].entrant_id == row["entrant_id"]
        assert row["share_of_pool"] in (0.02, 0.05, 0.10, 0.15, 0.20)
        assert 1 <= len(row["bets"]) <= 6
    only = tab.client.get("/_truth", params={"race_id": informed[0]["race_id"]}).json()["informed"]
    assert only == informed[:1]


def test_the_truths_winner_is_the_one_the_feed_shows(tab: Tab) -> None:
    row = tab.client.get("/_truth").json()["informed"][0]
    race = next(race for race in tab.races if race.race_id == row["race_id"])
    results = tab.at(race.plan.final_at + 16).event(race)["results"]
    assert results[0]["entrant_id"] == row["winner"]["entrant_id"]


@contextmanager
def replaying(folder: Path) -> Iterator[httpx.Client]:
    app = feed_app(recorded(folder), lambda: datetime.now(UTC))
    with running(app) as url, httpx.Client(base_url=f"{url}{ROOT}") as client:
        yield client


def test_recorded_answers_are_served_verbatim_by_their_own_ids(tmp_path: Path) -> None:
    (tmp_path / "events").mkdir()
    event = b'{ "data": {"race": {"event_id": "r1"}} }'
    (tmp_path / "events/one.json").write_bytes(event)
    (tmp_path / "meetings-list-response.json").write_bytes(b'{"data": {"meetings": []}}')
    with replaying(tmp_path) as client:
        assert client.get("/events/r1?with_money_tracker=true").content == event
        assert client.get("/meetings?date_from=today").content == b'{"data": {"meetings": []}}'
        assert client.get("/list").status_code == 404
        assert client.get("/events/r2").json()["header"]["error"]


def test_a_folder_without_recorded_answers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no recorded answers"):
        recorded(tmp_path)


@needs_samples
def test_the_real_samples_are_all_served() -> None:
    files = [SAMPLES / "race-event-full-response.json", *SAMPLES.glob("events/*.json")]
    with replaying(SAMPLES) as client:
        for file in files:
            race_id = json.loads(file.read_bytes())["data"]["race"]["event_id"]
            assert client.get(f"/events/{race_id}").content == file.read_bytes()
        assert len(client.get("/meetings").json()["data"]["meetings"]) == 76
        assert len(client.get("/list").json()["data"]["races"]) == 100


def _start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "raceday.simulator", *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "RACEDAY_CLOCK"}
    return subprocess.Popen(command, cwd=PROJECT, env=environment, stderr=subprocess.PIPE, text=True)


def test_the_process_serves_silently_and_stops_on_sigterm_even_while_an_answer_hangs() -> None:
    with listening(0) as door:
        port = door.getsockname()[1]
    process = _start("--port", str(port), "--seed", "s", "--first-start", "2026-11-21T01:00:00Z")
    url = f"http://127.0.0.1:{port}"
    for _ in range(200):
        try:
            httpx.get(f"{url}/_health")
            break
        except httpx.ConnectError:
            time.sleep(0.05)
    httpx.post(f"{url}/_control", json={"fault": "hang"})
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{url}{ROOT}/meetings", timeout=0.1)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=5)
    assert errors == ""


def test_a_taken_port_is_a_sentence_and_exit_2() -> None:
    with listening(0) as door:
        door.listen()
        process = _start("--port", str(door.getsockname()[1]))
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 2
    assert "cannot start the simulator on port" in errors


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--first-start", "2026-11-21T01:00:00"], "an instant needs an offset"),
        (["--refresh", "0"], "a refresh is more than 0"),
        (["--samples", "/dev"], "cannot start the simulator on port 1: /dev holds no recorded answers"),
    ],
)
def test_an_argument_that_makes_no_sense_is_a_sentence_and_exit_2(arguments: list[str], told: str) -> None:
    process = _start("--port", "1", *arguments)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 2
    assert told in errors


def test_older_stamps_come_with_the_answers_of_then(tab: Tab) -> None:
    before = tab.get(event_path(tab)).content
    tab.at(STARTED.timestamp() + 150)
    tab.control(fault="older_stamp", seconds=60)
    assert tab.get(event_path(tab)).content == before


def test_future_stamps_come_with_the_answers_of_now(tab: Tab) -> None:
    now = tab.get(event_path(tab)).json()
    tab.control(fault="future_stamp", seconds=3600)
    ahead = tab.get(event_path(tab)).json()
    assert ahead["data"] == now["data"]
    stamps = [datetime.fromisoformat(each["header"]["generated_time"]) for each in (now, ahead)]
    assert (stamps[1] - stamps[0]).total_seconds() == 3600


def test_another_races_answer_can_be_given(tab: Tab) -> None:
    tab.control(fault="other_race", other=tab.races[1].race_id)
    assert tab.event(tab.races[0])["race"]["event_id"] == tab.races[1].race_id
    assert tab.get("/meetings").status_code == 200


def test_whole_answers_about_races_are_noted_and_no_others(tab: Tab) -> None:
    number = tab.client.get("/_served").json()["next"]
    tab.get(event_path(tab))
    tab.get("/meetings")
    tab.control(fault="500", times=1)
    tab.get(event_path(tab))
    tab.control(fault="truncate", times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        tab.get(event_path(tab))
    tab.control(fault="wrong_types", times=1)
    tab.get(event_path(tab))
    served = tab.client.get("/_served", params={"since": number}).json()
    assert served["next"] == number + 2
    assert [each["race_id"] for each in served["answers"]] == [tab.races[0].race_id] * 2
    assert [each["fault"] for each in served["answers"]] == [None, "wrong_types"]
