"""A reader of the streams among kill -9 of web, streams and Valkey: nothing is lost to it, nothing comes twice."""

import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from moneyflow.live.deltas import apply
from raceday.run.tree import health_status
from tests.raceday.run.test_supervisor import await_ready, descendants, find, folder, listens, start  # noqa: F401  # a fixture
from tests.support.isolation import free_port
from tests.support.streams import eventually

STAMPS = {"freshness", "updated_at", "last_updated"}  # no news by themselves
BY_THE_CLOCK = {"navigation", "silent_because"}


class Follower(threading.Thread):
    """Asks the web's own address, goes where it is sent, and comes back with the last id it has seen."""

    def __init__(self, port: int, query: dict[str, str]) -> None:
        super().__init__(daemon=True)
        self.address, self.query = f"http://127.0.0.1:{port}/api/stream", query
        self.last_id, self.first_id = "", ""
        self.ids: list[str] = []
        self.races: dict[str, Any] = {}
        self.told: list[str] = []
        self.connections = 0
        self.is_over = False

    def run(self) -> None:
        while not self.is_over:
            with suppress(httpx.HTTPError), httpx.Client(follow_redirects=True, timeout=15, trust_env=False) as client:
                headers = {"Last-Event-ID": self.last_id} if self.last_id else {}
                with client.stream("GET", self.address, params=self.query, headers=headers) as answer:
                    self.connections += answer.status_code == 200
                    for message in messages(answer.iter_lines()):
                        self.take(message)
            time.sleep(0.1)

    def take(self, message: dict[str, str]) -> None:
        self.last_id = message.get("id", self.last_id)
        if not (kind := message.get("event")):
            return
        data = json.loads(message["data"])
        self.told.append(kind)
        race_id = data["race"]["race_id"] if "race" in data and kind == "snapshot" else data["race_id"]
        self.races[race_id] = apply(self.races.get(race_id, {}), kind, data)
        if kind == "snapshot":
            self.first_id = self.first_id or self.last_id
        else:
            self.ids.append(message["id"])


def messages(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    message: dict[str, str] = {}
    for line in lines:
        if not line:
            yield message
            message = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            message[name] = value


def changes_since(port: int, query: dict[str, str], since: str) -> list[str]:
    found: list[str] = []
    while True:
        asked = {**query, "since": since, "limit": "1000"}
        page = httpx.get(f"http://127.0.0.1:{port}/api/changes", params=asked, trust_env=False).json()
        assert not page["resync"]
        if not page["events"]:
            return found
        found += [event["id"] for event in page["events"] if event["event"] != "snapshot"]
        since = page["next"]


def known(body: Any) -> Any:
    if isinstance(body, dict):
        return {name: known(value) for name, value in body.items() if name not in STAMPS | BY_THE_CLOCK}
    return [known(value) for value in body] if isinstance(body, list) else body


@pytest.mark.usefixtures("unmeasured")
def test_a_reader_that_resumes_loses_and_repeats_nothing_whatever_is_killed(folder: Path) -> None:  # noqa: F811
    port = free_port()
    demo = start(folder, "demo", "--port", str(port), "--speed", "20")
    await_ready(demo)
    meetings = httpx.get(f"http://127.0.0.1:{port}/api/meetings", trust_env=False).json()
    follower = Follower(port, {"meeting_id": ",".join(meeting["meeting_id"] for meeting in meetings)})
    follower.start()
    for part in ("raceday.web", "config.asgi", "valkey", "config.asgi"):
        seen = len(follower.ids)
        eventually(lambda seen=seen: len(follower.ids) >= seen + 20, seconds=40)
        find(descendants(demo), part).kill()
        eventually(lambda: health_status(port) == 200 and listens(port + 1))
    seen = len(follower.ids)
    eventually(lambda: len(follower.ids) >= seen + 20, seconds=40)
    find(descendants(demo), "simulator").suspend()  # no news: the reader comes to the end of the log
    eventually(lambda: follower.ids == changes_since(port, follower.query, follower.first_id), seconds=40)
    follower.is_over = True

    assert len(follower.ids) == len(set(follower.ids)) > 100
    assert follower.connections >= 3
    assert "resync" not in follower.told
    for race_id, body in follower.races.items():
        live = httpx.get(f"http://127.0.0.1:{port}/api/races/{race_id}/live", trust_env=False).json()
        if body == {"race_id": race_id, "known": False}:
            assert not live["entrants"]  # too far off to have been polled
            continue
        assert known(body) == known(live)
    find(descendants(demo), "simulator").resume()
    demo.send_signal(signal.SIGTERM)
    demo.communicate(timeout=4)
    assert demo.returncode == 0
