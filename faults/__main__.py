"""`python -m faults [NAME …] [--short] [--json] [--write]`: hurts a tree, counts, exits 1 when a goal is missed."""

import argparse
import math
import os
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]
import psycopg
import redis

from faults import report
from faults.catalogue import FAULTS, SHORT, Fault
from faults.count import Answer, Span, Tally, longest_gap, recovery, tally, wrong_increments
from faults.questions import Questions
from faults.report import Row
from faults.stage import Looked, Trees
from faults.tree import FaultsError, NotAllowedError
from faults.watch import Read, Reader, p99_ms, seen

DOCUMENT = Path("docs/reliability.md")
BEFORE_SECONDS = 3.0
AFTER_SECONDS, SHORT_AFTER_SECONDS = 20.0, 8.0
UNREAD_SECONDS = 1.0
SETTLE_SECONDS = 45.0  # q2 delivers again after 30
QUIET_SECONDS = 5.0  # after which an answer that does not wait in Valkey is lost


# ── One fault ───────────────────────────────────────────────────────────────────────────────────


def try_out(fault: Fault, looked: Looked, after_seconds: float) -> Row:
    """Do one fault and count what it did."""
    scene, questions = looked.scene, Questions(looked.scene.tree)
    race_id = questions.live_races()[0]
    rate = 20.0 if fault.p99_ms else 2.0
    live = Reader(scene.tree.port, f"/api/races/{race_id}/live", times_a_second=rate)
    health = Reader(scene.tree.port, "/api/health")
    time.sleep(BEFORE_SECONDS)
    begun = time.time()
    fault.do(scene)
    done = time.time()  # finding the process to hurt may have taken a while
    time.sleep(fault.hold_seconds)
    fault.undo(scene)
    over = time.time()
    time.sleep(after_seconds)
    looking = Span(begun - BEFORE_SECONDS, time.time())
    unread = Span(begun - UNREAD_SECONDS, (done if fault.whose == "ours" else over) + UNREAD_SECONDS)
    counted = settle(looked, questions, looking, unread if fault.ends_leader else None)
    for reader in (live, health):
        reader.watcher.is_over = True
    is_outage = fault.whose != "ours"
    commits = looked.commits.commits
    return Row(
        name=fault.name,
        what=fault.what,
        fetched=counted.fetched,
        stored=counted.stored,
        unread=counted.unread,
        lost=len(counted.lost),
        twice=counted.twice + double_polls(looked, begun),
        wrong=count_wrong(questions, looked, looking),
        frozen=questions.frozen(good_at_the_end(looked.answers, looking)),
        gap=longest_gap(commits, Span(begun, looking.end)),
        gap_allowed=fault.longest_gap(over - begun),
        recovery=recovery(commits, over if is_outage else done),
        p99_ms=p99_ms(live.reads, Span(begun, over)) if fault.p99_ms else None,
        p99_allowed_ms=fault.p99_ms,
        seen=what_was_seen(live.reads, health.reads, looking),
    )


def settle(looked: Looked, questions: Questions, looking: Span, unread: Span | None) -> Tally:
    """Count again and again until nothing is missing, or what is missing no longer waits anywhere."""
    while True:
        counted = tally(looked.answers, questions.runs(looking.begin), looking, unread)
        waited = time.time() - looking.end
        if not counted.lost or waited > SETTLE_SECONDS:
            return counted
        oldest = questions.oldest_waiting()
        if waited > QUIET_SECONDS and (oldest is None or oldest > counted.lost[-1].sent_at + QUIET_SECONDS):
            return counted
        time.sleep(1)


def good_at_the_end(answers: Sequence[Answer], looking: Span) -> list[Answer]:
    """Return the last good answers of the look, but those that may still be on their way."""
    last = Span(looking.begin, looking.end - 2)
    return [answer for answer in answers if answer.fault is None and last.holds(answer.sent_at)]


def double_polls(looked: Looked, begun: float) -> int:
    """Count what the second tree fetched while the first led, and the first once the second had taken over."""
    if looked.scene.second is None:
        return 0
    first, second = (feed.answers for feed in looked.feeds)
    early = Span(begun - BEFORE_SECONDS, begun)
    took_over = min((each.sent_at for each in second if each.sent_at > begun), default=math.inf)
    return sum(early.holds(each.sent_at) for each in second) + sum(each.sent_at > took_over for each in first)


def count_wrong(questions: Questions, looked: Looked, looking: Span) -> int:
    """Count the wrong increments, and the readings that differ from the simulator's; a false stamp shows no instant."""
    since = questions.shown(looking.begin) - timedelta(seconds=60)
    readings, dividends = questions.readings(looking.begin)
    false = {(each.race_id, each.generated_at) for each in looked.answers if each.fault == "future_stamp"}
    true = [pair for pair in zip(readings, dividends, strict=True) if (pair[0].race_id, pair[0].at) not in false]
    untrue = questions.untrue([reading for reading, _ in true], [dividend for _, dividend in true], since)
    return wrong_increments(readings, since) + untrue


def what_was_seen(live: Sequence[Read], health: Sequence[Read], looking: Span) -> str:
    return f"{seen('live', live, looking)}; {seen('health', health, looking)}"


# ── All of them ─────────────────────────────────────────────────────────────────────────────────


def try_all(faults: Sequence[Fault], trees: Trees, after_seconds: float) -> Iterator[Row]:
    """Do one fault after the other; after one that was missed, or took the tree apart, the next gets a new tree."""
    try:
        for fault in faults:
            try:
                row = try_out(fault, trees.whole(fault), after_seconds)
            except NotAllowedError as reason:
                row = Row(name=fault.name, what=fault.what, why_not=str(reason))
            except (FaultsError, psycopg.Error, redis.RedisError, httpx.HTTPError, psutil.Error) as reason:
                row = Row(name=fault.name, what=fault.what, failure=f"{type(reason).__name__}: {reason}".strip())
            if not row.is_ok or fault.needs:
                trees.drop()
            yield row
    finally:
        trees.drop()


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    described = argparse.ArgumentParser(prog="./run faults", allow_abbrev=False)
    described.add_argument(
        "names", nargs="*", metavar="NAME", help=", ".join(["short", *(each.name for each in FAULTS)])
    )
    described.add_argument("--short", action="store_true", help="the five-minute form, as CI has it")
    described.add_argument("--counts", action="store_true", help="let only what is counted decide, not seconds")
    described.add_argument("--json", action="store_true", help="print one JSON line last instead of a table")
    described.add_argument("--write", action="store_true", help=f"write {DOCUMENT}, as a run of all faults does")
    described.add_argument("--port", type=int, help="four ports from here on are used instead of free ones")
    return described


def chosen(names: Sequence[str]) -> list[Fault]:
    """Return the faults with these names in their own order, all without names; FaultsError for an unknown name."""
    wanted = [each for name in names for each in (SHORT if name == "short" else (name,))]
    if unknown := [name for name in wanted if name not in {fault.name for fault in FAULTS}]:
        raise FaultsError(f"there is no fault '{unknown[0]}': choose of {', '.join(fault.name for fault in FAULTS)}.")
    return [fault for fault in FAULTS if not wanted or fault.name in wanted]


def set_up(folder: Path) -> None:
    """Let this process read what q2 writes about its clusters, which is signed with the trees' secret key."""
    os.environ |= {"SECRET_KEY": secrets.token_urlsafe(64), "DJANGO_SETTINGS_MODULE": "config.settings"}
    os.environ |= {"RACEDAY_HOME": str(folder), "DATABASE_URL": "", "REDIS_URL": "", "LOG_LEVEL": "CRITICAL"}
    import django  # noqa: PLC0415 - it reads what was just set

    django.setup()


def main(arguments: Sequence[str]) -> int:
    """Run `./run faults`: 0 if every row meets its goal, 1 if one misses it, 2 if none was tried."""
    options = parser().parse_args(arguments)
    try:
        faults = chosen([*options.names, *(["short"] if options.short else [])])
    except FaultsError as fault:
        sys.stderr.write(f"raceday: {fault}\n")
        return 2
    out = sys.stderr if options.json else sys.stdout
    rows = []
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        Path(name).chmod(0o711)
        set_up(Path(name))
        trees = Trees(Path(name), options.port)
        print(report.DEFINITIONS, "", report.line(report.HEAD), sep="\n", file=out, flush=True)
        is_short = {fault.name for fault in faults} <= set(SHORT)
        for row in try_all(faults, trees, SHORT_AFTER_SECONDS if is_short else AFTER_SECONDS):
            rows.append(row)
            print(report.line(report.cells(row)), file=out, flush=True)
    told = report.conditions(trees.races)
    print(report.record(rows, told) if options.json else "\n" + "\n".join(f"{at}: {it}" for at, it in told.items()))
    if options.write or len(rows) == len(FAULTS):
        DOCUMENT.write_text(report.document(rows, told))
    return 0 if all(row.is_counted_ok if options.counts else row.is_ok for row in rows) else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
