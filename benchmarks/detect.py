"""The late-money detector: what it costs in CPU to judge one poll of 12 runners, from readings to verdict."""

from itertools import count

from benchmarks.figures import BenchmarkError, Figure
from benchmarks.transform import BLOCKS, cpu_ms
from moneyflow.late_money.artefact import shipped
from moneyflow.late_money.judge import judge, scores_of
from moneyflow.late_money.judge import measure as measure_readings
from moneyflow.late_money.records import Reading, Silence
from moneyflow.late_money.tape import MEMORY_SECONDS
from moneyflow.late_money.worlds.catalogue import race_of

RUNNERS = 12
MARK_MS = 0.5


def measure(rounds: int | None) -> list[Figure]:
    """Take the CPU of a verdict on a source that renews each 15 s, and on one that renews each 5 s."""
    artefact = shipped()
    if artefact is None:
        raise BenchmarkError("no artefact fits this code: train one with `manage.py train_late_money`.")
    blocks = rounds or BLOCKS
    found = []
    for world, seconds in (("published", 15), ("refresh-5", 5)):
        readings = _readings(world)
        measured = measure_readings(readings)
        if isinstance(measured, Silence):
            raise BenchmarkError(f"the race to measure cannot be judged: {measured}.")
        what = f"CPU, {RUNNERS} runners, {len(readings)} readings"
        verdict_ms = cpu_ms(lambda readings=readings: judge(readings, artefact), blocks)  # type: ignore[misc]
        net_ms = cpu_ms(lambda measured=measured: scores_of(measured, artefact), blocks)  # type: ignore[misc]
        name = f"detect.every_{seconds}_s"
        found += [
            Figure(name=name, what=f"a verdict: {what}", figure=verdict_ms, unit="ms", at_most_paced=MARK_MS),
            Figure(name=f"{name}.net", what="the net alone", figure=net_ms, unit="ms"),
        ]
    return found


def _readings(world: str) -> list[Reading]:
    """Return the readings that a live poll just before the close is handed, of a field without scratchings."""
    races = (race_of(world, seed).readings[:-1] for seed in count())
    readings = next(each for each in races if len(each[-1].entrant_ids) == RUNNERS)
    since = readings[-1].seconds_since_start - MEMORY_SECONDS
    return [each for each in readings if each.seconds_since_start >= since]
