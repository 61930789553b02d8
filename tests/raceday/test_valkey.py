"""Readers do not wait for a Valkey that is away, and writers do not lose to a restart what must not be lost."""

import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from pytest_django import Settings
from redis.exceptions import ResponseError

from raceday import valkey
from raceday.valkey import HANGING_REST_SECONDS, REST_SECONDS, TRIES, ask, read_hash, tell
from tests.support.card import own_keys  # noqa: F401  # a fixture
from tests.support.streams import Valkey

pytestmark = pytest.mark.usefixtures("own_keys", "short_pauses")
NOWHERE = "unix:///nowhere/valkey.sock"


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(valkey, "PAUSE_SECONDS", 0.001)


def lead_to(settings: Settings, location: str, **options: Any) -> None:
    default = settings.CACHES["default"]
    own = {**default["OPTIONS"], **options}
    settings.CACHES = {"default": {**default, "LOCATION": location, "OPTIONS": own}}


def test_an_answer_is_what_the_question_returns() -> None:
    assert ask(lambda client: client.ping()) is True
    assert tell(lambda client: client.ping()) is True
    assert valkey.key("x").endswith(":x")


def test_a_valkey_that_is_away_is_left_alone_for_a_moment(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    home, asked = settings.CACHES["default"]["LOCATION"], []

    def question(client: Any) -> bool:
        asked.append(1)
        return bool(client.ping())

    lead_to(settings, NOWHERE)
    assert [ask(question) for _ in range(5)] == [None] * 5
    assert (len(asked), caplog.text.count("valkey_away")) == (1, 1)
    assert 0 < valkey._away["until"] - monotonic() <= REST_SECONDS
    lead_to(settings, home)
    assert ask(question) is None  # not yet
    valkey._away["until"] = monotonic()
    assert (ask(question), valkey._away) == (True, {})


def test_one_that_hangs_is_left_alone_longer(settings: Settings, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(f"{tmp_path}/s")
        silent.listen()
        lead_to(settings, f"unix://{tmp_path}/s", SOCKET_TIMEOUT=0.05)
        assert ask(lambda client: client.ping()) is None
    assert REST_SECONDS < valkey._away["until"] - monotonic() <= HANGING_REST_SECONDS


def test_a_statement_outlives_a_restart(settings: Settings) -> None:
    home, tries = settings.CACHES["default"]["LOCATION"], []

    def statement(client: Any) -> bool:
        tries.append(1)
        if len(tries) == 3:
            lead_to(settings, home)
        return bool(client.ping())

    lead_to(settings, NOWHERE)
    assert (tell(statement), len(tries)) == (True, 4)


def test_a_statement_is_given_up_after_so_many_tries_and_one_that_is_refused_at_once(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    tries = []

    def refused(client: Any) -> None:
        tries.append(1)
        raise ResponseError

    assert (tell(refused), len(tries)) == (None, 1)
    lead_to(settings, NOWHERE)
    tries.clear()

    def unheard(client: Any) -> None:
        tries.append(1)
        client.ping()

    assert (tell(unheard), len(tries)) == (None, TRIES)
    assert caplog.text.count("valkey_away") == 2


def test_a_fault_of_our_own_is_not_taken_for_valkey_s() -> None:
    def fail(_: Any) -> None:
        raise LookupError

    for call in (ask, tell):
        with pytest.raises(LookupError):
            call(fail)


# ── The line of a hit ───────────────────────────────────────────────────────────────────────────
@pytest.fixture
def server(tmp_path: Path, settings: Settings) -> Iterator[Valkey]:
    server = Valkey(tmp_path)
    lead_to(settings, server.url, SOCKET_TIMEOUT=0.2)
    valkey.client().hset(valkey.key("a hash"), mapping={"x": "1" * 100_000, "y": "2"})
    yield server
    server.kill()


def test_fields_are_read_whatever_their_size_and_none_for_those_that_are_not_there(server: Valkey) -> None:
    assert read_hash("a hash", ["y", "x", "z"]) == [b"2", b"1" * 100_000, None]
    assert read_hash("no hash", ["y"]) == [None]


def test_a_reader_does_not_notice_that_valkey_was_killed_and_is_back(server: Valkey) -> None:
    read_hash("a hash", ["y"])
    server.kill()
    server.start()
    assert read_hash("a hash", ["y"]) == [b"2"]


def test_an_answer_that_comes_too_late_is_not_the_next_one_s(server: Valkey) -> None:
    read_hash("a hash", ["y"])
    server.process.send_signal(signal.SIGSTOP)
    assert read_hash("a hash", ["x"]) is None
    assert REST_SECONDS < valkey._away["until"] - monotonic() <= HANGING_REST_SECONDS
    server.process.send_signal(signal.SIGCONT)
    valkey._away.clear()
    assert read_hash("a hash", ["y"]) == [b"2"]


def test_an_error_is_no_answer_and_leaves_the_line_as_it_was(server: Valkey) -> None:
    valkey.client().set(valkey.key("a word"), "x")
    assert read_hash("a word", ["y"]) is None
    valkey._away.clear()
    assert read_hash("a hash", ["y"]) == [b"2"]
