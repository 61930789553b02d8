"""What a day's answers take in the archive: all answers of one race of each kind at real cadence, packed and stored."""

import gzip
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from statistics import mean, median

import zstandard
from django.conf import settings
from django.db import connection

from benchmarks.figures import BenchmarkError, Figure
from moneyflow.archive.packing import DamagedError, pack
from moneyflow.archive.store import PackedAnswer, pack_answer, read_answers, remember
from moneyflow.store.partitions import ANSWERS, Partition
from raceday import clock
from raceday.feed.client import EVENT_FLAGS, FeedAnswer
from raceday.racing_day import nz_instant, racing_day
from raceday.selecting import select
from raceday.simulator.day import Race, Simulation, card_of
from raceday.simulator.envelope import ROOT, Request
from raceday.simulator.market import status_at
from raceday.simulator.server import GZIP_LEVEL
from raceday.simulator.wire import answer
from races.cadence import CadenceSeconds, next_poll

DAY_RACES = 300
DAY_MARK_MB = 150
PACK_MARK_MS = 1.0
DICTIONARY_BYTES = 112_640
COMPARED = 40  # of each race's answers one in so many
NEWS_BYTES = 100  # a new time stamp alone takes less
STORE = """
INSERT INTO feed_answers (race_id, polled_at, generated_at, fetch_ms, sha256, base_at, body)
VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
SIZE = "SELECT pg_total_relation_size(%s)"


def measure(rounds: int | None) -> list[Figure]:
    """Pack and store every answer of some races of a day, read them again, and reckon a day of 300 races from them.

    rounds: races; one of each code and country when left out.
    """
    day = racing_day(clock.now()) - timedelta(days=2)
    simulation = Simulation(seed="archive", first_start=nz_instant(day - timedelta(days=1)))
    races = [meeting.races[len(meeting.races) // 2] for meeting in card_of(simulation, day)][: rounds or None]
    before, packed, seconds = _size(day), [], []
    some: list[bytes] = []
    for race in races:
        for number, (at, content) in enumerate(answers_about(simulation, race, day)):
            began = time.process_time()
            packed.append(_packed(race.race_id, at, content, number))
            seconds.append(time.process_time() - began)
            _store(race.race_id, packed[-1])
            some += [content] if number % COMPARED == 0 else []
    _check(races, len(packed))
    day_mb = (_size(day) - before) / len(races) * DAY_RACES / 1e6
    deltas = [len(each.body) for each in packed if each.base_at]
    news = mean(size for size in deltas if size > NEWS_BYTES)
    a_race = len(packed) / len(races)
    busiest_mb = day_mb + (news - mean(deltas)) * a_race * DAY_RACES / 1e6
    what = f"{DAY_RACES} races, table and index"

    def told(name: str, what: str, figure: float, unit: str, **mark: float) -> Figure:
        return Figure(name=f"archive.{name}", what=what, figure=figure, unit=unit, **mark)

    return [
        told("day", f"{what}; from {len(packed):,} answers about {len(races)}", day_mb, "MB", at_most=DAY_MARK_MB),
        told("day_busiest", "the same, if each answer had news", busiest_mb, "MB"),
        told("pack", "CPU of SHA-256 and packing, mean", mean(seconds) * 1000, "ms", at_most_paced=PACK_MARK_MS),
        told("answers", "distinct answers a race", a_race, ""),
        told("delta_mean", "an answer against the one before", mean(deltas), "B"),
        told("delta_p50", "the same", median(deltas), "B"),
        told("delta_news", "the same, where money or odds had moved", news, "B"),
        *_compared(some),
    ]


def answers_about(simulation: Simulation, race: Race, day: date) -> Iterator[tuple[datetime, bytes]]:
    """Yield what the poller would be given about a race from the day's first minute until the race has ended."""
    cadences = CadenceSeconds(**settings.CADENCE_SECONDS)
    request = Request(path=f"{ROOT}/events/{race.race_id}", query=EVENT_FLAGS)
    start = datetime.fromtimestamp(race.plan.advertised_at, UTC)
    due: datetime | None = nz_instant(day)
    while due:
        yield due, answer([simulation], request, due).body
        status = status_at(race.plan, due.timestamp())
        due = next_poll(due, due, status=status, advertised_start=start, seconds=cadences)


def _packed(race_id: str, at: datetime, content: bytes, version: int) -> PackedAnswer:
    found = FeedAnswer(body=content, encoding="identity", polled_at=at, fetch_ms=1.0)
    packed = pack_answer(race_id, found, content, version=version)
    remember(race_id, packed, version=version + 1)
    return packed


def _store(race_id: str, packed: PackedAnswer) -> None:
    at, digest = packed.polled_at, packed.sha256
    with connection.cursor() as cursor:
        cursor.execute(STORE, [race_id, at, at, packed.fetch_ms, digest, packed.base_at, packed.body])


def _size(day: date) -> int:
    (row,) = select(SIZE, [Partition(parent=ANSWERS, day=day).name])
    return int(row["pg_total_relation_size"])


def _check(races: Sequence[Race], count: int) -> None:
    """Raise unless each answer can be read again."""
    stored = select(
        "SELECT * FROM feed_answers WHERE race_id = ANY(%s) ORDER BY sequence", [[race.race_id for race in races]]
    )
    try:
        read = sum(1 for _ in read_answers(stored))
    except DamagedError as fault:
        raise BenchmarkError(str(fault)) from None
    if read != count:
        raise BenchmarkError(f"{count} answers were stored, and {read} were read")


def _compared(bodies: list[bytes]) -> Iterator[Figure]:
    """Yield what other ways of packing make of the same answers, each by itself."""
    dictionary = zstandard.train_dictionary(DICTIONARY_BYTES, [*bodies[::2]])
    trained = zstandard.ZstdCompressor(level=3, dict_data=dictionary)
    ways: dict[str, Callable[[bytes], bytes]] = {
        "raw": lambda body: body,
        "gzip": lambda body: gzip.compress(body, GZIP_LEVEL),
        "zstd_3": pack,
        "zstd_9": zstandard.ZstdCompressor(level=9).compress,
        "zstd_trained": trained.compress,
    }
    for name, way in ways.items():
        size = mean(len(way(body)) for body in bodies[1::2]) / 1000
        yield Figure(name=f"archive.{name}", what="an answer by itself, mean", figure=size, unit="kB")
