"""The faults: each has a name, what is done and undone, and which part it hurts."""

import signal
from dataclasses import dataclass
from typing import Any, Literal

from faults.deeds import (
    Deed,
    await_servers,
    continue_all,
    fill_disk,
    free_disk,
    give_another_race,
    hang_up,
    is_busy,
    is_idle,
    kill_first_tree,
    kill_leader,
    kill_leaders_parent,
    kill_monitor,
    kill_parent,
    kill_program,
    kill_pusher,
    kill_supervisor,
    kill_worker,
    nothing,
    restart_both,
    send_unfinished,
    signal_servers,
    start_again,
    stop,
    stop_leader,
    switch_off,
    switch_on,
    terminate_backends,
    wake_first_supervisor,
)
from raceday.feed.host import BROKEN

OURS_SECONDS = 3.0  # the longest allowed gap after a fault of our own processes
BEYOND_SECONDS = 2.0  # and how long after a server's or the feed's outage
STOPPED_SECONDS = 15.0
FEED_SECONDS = 8.0
FEED_TIMEOUT_SECONDS = 4.0  # requests sent while the feed hung wait so long
RETRY_AFTER_SECONDS = 3
HALF_A_DAY = 13 * 3600  # a stamp without a zone, read as New Zealand's


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`hold_seconds` pass between doing and undoing; an outage lasts from the start of doing to the end of undoing.

    ends_leader: the leader is gone, so nobody can say whether it had an answer in hand.
    lingers_seconds: how long the feed's outage still delays polls after its end; a probe may have failed just before.
    """

    name: str
    what: str
    do: Deed
    undo: Deed = nothing
    hold_seconds: float = 0.0
    whose: Literal["ours", "server", "feed"] = "ours"
    ends_leader: bool = False
    lingers_seconds: float = 0.0
    gap_seconds: float | None = None  # instead of the usual
    p99_ms: float | None = None
    needs: Literal["", "tmpfs", "second"] = ""

    def longest_gap(self, outage_seconds: float) -> float:
        """Return the seconds without a commit that are allowed."""
        if self.gap_seconds is not None:
            return self.gap_seconds
        return OURS_SECONDS if self.whose == "ours" else outage_seconds + self.lingers_seconds + BEYOND_SECONDS


POSTGRES, VALKEY = "postgres", "valkey"
STOPPED: dict[str, Any] = {"undo": continue_all, "hold_seconds": STOPPED_SECONDS}


def _server(name: str, what: str, do: Deed, *, ends_leader: bool = True) -> Fault:
    return Fault(name=name, what=what, do=do, undo=await_servers, whose="server", ends_leader=ends_leader)


def _feed(name: str, what: str, do: Deed, lingers_seconds: float = 0.0) -> Fault:
    return Fault(
        name=name,
        what=what,
        do=do,
        undo=switch_off,
        hold_seconds=FEED_SECONDS,
        whose="feed",
        lingers_seconds=lingers_seconds,
    )


KILL, CLEAN_POSTGRES, CLEAN_VALKEY = signal.SIGKILL, signal.SIGINT, signal.SIGTERM


FAULTS = (
    Fault(name="leader", what="kill -9 of the leading poller", do=kill_leader, ends_leader=True),
    Fault(name="control-parent", what="kill -9 of its cluster's parent", do=kill_leaders_parent, ends_leader=True),
    Fault(name="write-parent", what="kill -9 of the parents of all writers", do=kill_parent("write")),
    Fault(name="publish-parent", what="kill -9 of the cluster publish", do=kill_parent("publish")),
    Fault(name="default-parent", what="kill -9 of the cluster default", do=kill_parent("default")),
    Fault(name="busy-writer", what="kill -9 of a writer at work", do=kill_worker("write", is_busy)),
    Fault(name="idle-writer", what="kill -9 of a writer that waits", do=kill_worker("write", is_idle)),
    Fault(name="waiting-publisher", what="kill -9 of the publisher that waits", do=kill_worker("publish", is_idle)),
    Fault(name="monitor", what="kill -9 of the writers' monitors", do=kill_monitor),
    Fault(name="pusher", what="kill -9 of the writers' pushers", do=kill_pusher),
    Fault(name="web", what="kill -9 of the web", do=kill_program("raceday.web")),
    Fault(name="stream", what="kill -9 of the streams", do=kill_program("config.asgi")),
    Fault(
        name="unfinished",
        what="50 POSTs without the end of their body",
        do=send_unfinished,
        undo=hang_up,
        hold_seconds=10.0,
        p99_ms=100.0,
    ),
    Fault(name="stop-leader", what="SIGSTOP of the leader, 15 s", do=stop_leader, ends_leader=True, **STOPPED),
    Fault(name="stop-web", what="SIGSTOP of the web, 15 s", do=stop("raceday.web"), **STOPPED),
    Fault(name="stop-postgres", what="SIGSTOP of PostgreSQL, 15 s", do=stop(POSTGRES), whose="server", **STOPPED),
    Fault(name="stop-valkey", what="SIGSTOP of Valkey, 15 s", do=stop(VALKEY), whose="server", **STOPPED),
    _server("terminate", "pg_terminate_backend of all", terminate_backends),
    _server("kill-postgres", "kill -9 of PostgreSQL", signal_servers(KILL, POSTGRES)),
    _server("restart-postgres", "clean restart of PostgreSQL", signal_servers(CLEAN_POSTGRES, POSTGRES)),
    _server("kill-valkey", "kill -9 of Valkey", signal_servers(KILL, VALKEY), ends_leader=False),
    _server("restart-valkey", "clean restart of Valkey", signal_servers(CLEAN_VALKEY, VALKEY), ends_leader=False),
    _server("kill-both", "kill -9 of both", signal_servers(KILL, POSTGRES, VALKEY)),
    _server("restart-both", "clean restart of both", restart_both),
    _feed("frozen", "the feed shows one instant", switch_on("freeze")),
    _feed("hanging", "the feed never answers", switch_on("hang"), FEED_TIMEOUT_SECONDS + BROKEN.longest_seconds),
    _feed("429", "429, Retry-After 3 s", switch_on("429", retry_after=RETRY_AFTER_SECONDS), RETRY_AFTER_SECONDS),
    _feed("500", "500", switch_on("500"), BROKEN.longest_seconds),
    _feed("truncated", "bodies end half-way", switch_on("truncate"), BROKEN.longest_seconds),
    _feed("mistyped", "fields have the wrong type", switch_on("wrong_types")),
    _feed("other-race", "every answer is of one race", give_another_race),
    _feed("older-stamp", "answers a minute old", switch_on("older_stamp", seconds=60)),
    _feed("future-stamp", "stamps 13 h ahead", switch_on("future_stamp", seconds=HALF_A_DAY)),
    Fault(
        name="disk-full",
        what="no space left, 10 s",
        do=fill_disk,
        undo=free_disk,
        hold_seconds=10.0,
        whose="server",
        ends_leader=True,
        needs="tmpfs",
    ),
    Fault(
        name="supervisor",
        what="kill -9 of the supervisor, ./run demo again",
        do=kill_supervisor,
        undo=start_again,
        whose="server",
        ends_leader=True,
    ),
    Fault(
        name="two-trees",
        what="two trees on one database, kill -9 of the first",
        do=kill_first_tree,
        undo=wake_first_supervisor,
        hold_seconds=6.0,
        ends_leader=True,
        gap_seconds=BEYOND_SECONDS,
        needs="second",
    ),
)
SHORT = (
    "terminate",
    "kill-postgres",
    "busy-writer",
    "write-parent",
    "waiting-publisher",
    "unfinished",
    "two-trees",
    "future-stamp",
)
