"""The simulated racing days: cards and race plans as a function of (simulation, date). PURE, seeded."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from uuid import NAMESPACE_URL, uuid5

from raceday.racing_day import nz_instant, racing_day
from raceday.simulator.field import Runner, field_of
from raceday.simulator.world import CLOSE_DELAY, RacePlan, Scratching, World, along, dice

FIRST_RACE_NZ = time(11, 30)
SECONDS_BETWEEN_STARTS = 315.0
ABANDONED_SHARE = 0.02
SCRATCHED_SHARE = 0.04
LATE_SHARE = 0.5  # of the scratchings
INFORMED_SHARES = (0.02, 0.05, 0.10, 0.15, 0.20)
CODE_DELAY = {"T": 1.0, "H": 0.84, "G": 0.8}  # harness starts a median of 41 s late where gallops take 49
FIELD_SIZES = {"T": (7, 16), "H": (7, 14), "G": (7, 8)}
DISTANCES = {"T": (1000, 1200, 1400, 1600, 2100), "H": (1609, 1980, 2200, 2600), "G": (295, 375, 457, 520)}
TRACKS = {  # (code, country): (track, state)
    ("T", "NZ"): (("Ellerslie", "NZ"), ("Te Rapa", "NZ"), ("Trentham", "NZ"), ("Riccarton Park", "NZ")),
    ("T", "AUS"): (("Rosehill", "NSW"), ("Flemington", "VIC"), ("Eagle Farm", "QLD"), ("Morphettville", "SA")),
    ("H", "NZ"): (("Addington", "NZ"), ("Alexandra Park", "NZ"), ("Cambridge", "NZ"), ("Winton", "NZ")),
    ("H", "AUS"): (("Menangle", "NSW"), ("Melton", "VIC"), ("Albion Park", "QLD"), ("Hobart", "TAS")),
    ("G", "NZ"): (("Cambridge (G)", "NZ"), ("Addington (G)", "NZ"), ("Manawatu (G)", "NZ")),
    ("G", "AUS"): (("Wentworth Park", "NSW"), ("Sandown Park", "VIC"), ("Angle Park", "SA"), ("Dapto", "NSW")),
}
SPONSORS = ("Harbourside", "Ridgeline", "Southern Cross", "Tui Street", "Kowhai", "Long Bay", "Blue Gum", "Bayview")
KINDS = {"T": ("Handicap", "Maiden", "Stakes"), "H": ("Mobile Pace", "Trot"), "G": ("Sprint", "Dash", "Stayers")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """The values that make a simulated TAB; the same values always give the same racing.

    is_one_day: no card after the first day's; else each following day has one from 11:30.
    """

    seed: str
    first_start: datetime
    is_one_day: bool = False
    world: World = field(default_factory=World)


@dataclass(
    frozen=True, slots=True, kw_only=True, eq=False
)  # by identity: hashing a whole card costs more than using it
class Race:
    race_id: str
    number: int
    name: str
    distance: int
    plan: RacePlan
    runners: tuple[Runner, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Meeting:
    """A simulated card. `date` is the NZ racing day it was made for, `code` T, H or G."""

    meeting_id: str
    name: str
    date: date
    code: str
    country: str
    state: str
    track_condition: str
    weather: str
    number: int
    races: tuple[Race, ...]


@lru_cache(maxsize=32)
def card_of(simulation: Simulation, day: date) -> tuple[Meeting, ...]:
    """Return a racing day's meetings; none on a day without racing in the simulation."""
    began = racing_day(simulation.first_start)
    if day < began or (simulation.is_one_day and day > began):
        return ()
    is_first = day == began
    key = f"{simulation.seed}/{day}" + (f"/{simulation.first_start.timestamp():.0f}" if is_first else "")
    rng = dice(key, "card")
    kinds = list(TRACKS)
    rest = kinds[1:]
    rng.shuffle(rest)
    sizes = [rng.randint(8, 12) for _ in kinds]
    starts = _starts(_first_advertised(simulation, day), sizes)
    return tuple(
        _meeting(simulation, f"{key}/{number}", day, kind, tuple(starts[number]))
        for number, kind in enumerate([kinds[0], *rest])
    )


def find_race(simulation: Simulation, race_id: str, today: date) -> tuple[Meeting, Race] | None:
    """Find a race by id: first around today, then on the days since the simulation began."""
    return next(
        (found for day in _likely_days(simulation, today) if (found := _races_by_id(simulation, day).get(race_id))),
        None,
    )


def find_meeting(simulation: Simulation, meeting_id: str, today: date) -> Meeting | None:
    """Find a meeting by id on the same days as find_race."""
    cards = (card_of(simulation, day) for day in _likely_days(simulation, today))
    return next((meeting for card in cards for meeting in card if meeting.meeting_id == meeting_id), None)


def _likely_days(simulation: Simulation, today: date) -> Iterator[date]:
    yield from (today + timedelta(days=offset) for offset in (0, -1, 1))
    began = racing_day(simulation.first_start)
    yield from (began + timedelta(days=offset) for offset in range((today - began).days + 8))


@lru_cache(maxsize=32)
def _races_by_id(simulation: Simulation, day: date) -> dict[str, tuple[Meeting, Race]]:
    return {race.race_id: (meeting, race) for meeting in card_of(simulation, day) for race in meeting.races}


def _first_advertised(simulation: Simulation, day: date) -> float:
    """Return the first advertised start: a whole minute, 45–105 s after the simulation's start."""
    if day != racing_day(simulation.first_start):
        return nz_instant(day, FIRST_RACE_NZ).timestamp()
    return (simulation.first_start.timestamp() + 105) // 60 * 60


def _starts(first: float, sizes: list[int]) -> list[list[float]]:
    """Deal advertised starts round the meetings, one about every five minutes overall."""
    starts: list[list[float]] = [[] for _ in sizes]
    turns = [number for turn in range(max(sizes)) for number, size in enumerate(sizes) if turn < size]
    for place, number in enumerate(turns):
        starts[number].append(first + place * SECONDS_BETWEEN_STARTS // 60 * 60)
    return starts


def _meeting(simulation: Simulation, key: str, day: date, kind: tuple[str, str], starts: tuple[float, ...]) -> Meeting:
    rng = dice(key, "meeting")
    track, state = rng.choice(TRACKS[kind])
    return Meeting(
        meeting_id=str(uuid5(NAMESPACE_URL, f"raceday/{key}")),
        name=track,
        date=day,
        code=kind[0],
        country=kind[1],
        state=state,
        track_condition=rng.choice(
            ("Good4", "Soft5", "Good3", "Soft6") if kind[0] == "T" else ("Good", "Fast", "Easy")
        ),
        weather=rng.choice(("Fine", "Overcast", "Showery", "Cloudy")),
        number=int(key.rsplit("/", 1)[1]) + 1,
        races=tuple(
            _race(simulation, f"{key}/{number}", kind[0], number, start) for number, start in enumerate(starts, 1)
        ),
    )


def _race(simulation: Simulation, key: str, code: str, number: int, advertised_at: float) -> Race:
    rng = dice(key, "race")
    race_id = str(uuid5(NAMESPACE_URL, f"raceday/{key}"))
    distance = rng.choice(DISTANCES[code])
    runners = field_of(race_id, code, rng.randint(*FIELD_SIZES[code]), rng)
    is_first = advertised_at == _first_advertised(simulation, racing_day(simulation.first_start))
    delay = along(CLOSE_DELAY, rng.random()) * CODE_DELAY[code]
    plan = (
        _first_plan(simulation, race_id, len(runners), rng)
        if is_first
        else _plan(simulation, race_id, len(runners), advertised_at, delay)
    )
    return Race(
        race_id=race_id,
        number=number,
        name=f"{rng.choice(SPONSORS)} {rng.choice(KINDS[code])} {distance}",
        distance=distance,
        plan=plan,
        runners=runners,
    )


def _first_plan(simulation: Simulation, race_id: str, count: int, rng: random.Random) -> RacePlan:
    """Plan the race a newcomer sees first: two minutes to its close, and nothing odd."""
    closes_at = simulation.first_start.timestamp() + rng.uniform(115, 125)
    interim_at = closes_at + rng.uniform(90, 120)
    return RacePlan(
        seed=f"{simulation.seed}/{race_id}",
        runner_count=count,
        advertised_at=_first_advertised(simulation, racing_day(simulation.first_start)),
        closes_at=closes_at,
        interim_at=interim_at,
        final_at=interim_at + rng.uniform(50, 65),
    )


def _plan(simulation: Simulation, race_id: str, count: int, advertised_at: float, delay: float) -> RacePlan:
    rng = dice(simulation.seed, race_id, "plan")
    closes_at = advertised_at + delay
    interim_at = closes_at + rng.uniform(90, 180)
    is_informed = rng.random() < simulation.world.informed_share
    share = rng.choice(INFORMED_SHARES)
    return RacePlan(
        seed=f"{simulation.seed}/{race_id}",
        runner_count=count,
        advertised_at=advertised_at,
        closes_at=closes_at,
        interim_at=interim_at,
        final_at=interim_at + rng.uniform(50, 180),
        abandoned_at=advertised_at - rng.uniform(60, 1_800) if rng.random() < ABANDONED_SHARE else None,
        scratchings=_scratchings(count, advertised_at, rng),
        informed_share=share if is_informed else None,
    )


def _scratchings(count: int, advertised_at: float, rng: random.Random) -> tuple[Scratching, ...]:
    out = [index for index in range(count) if rng.random() < SCRATCHED_SHARE][: count - 6]
    return tuple(_scratching(index, advertised_at, rng) for index in out)


def _scratching(index: int, advertised_at: float, rng: random.Random) -> Scratching:
    is_late = rng.random() < LATE_SHARE
    before = rng.uniform(30, 1_500) if is_late else rng.uniform(3 * 3600, 30 * 3600)
    return Scratching(
        index=index, at=advertised_at - before, is_late=is_late, keeps_prices=is_late and rng.random() < 0.5
    )
