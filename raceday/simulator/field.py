"""Who runs: names, people, weights and silks of a simulated field. PURE, seeded; every name is made up."""

import random
from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split(", ") if ", " in text else text.split())


_FIRST = _listed(
    "Amber Bold Calico Dusty Emerald Fiordland Golden Harbour Iron Jolly Kauri Lucky Midnight Northern Opal Pacific "
    "Quiet Rata Silver Tawny Upland Velvet Winter Young Zephyr Copper Misty Rapid Southern Tidal"
)
_SECOND = _listed(
    "Anchor Ballad Comet Dancer Echo Falcon Gambit Heart Isle Jester King Lantern Melody Native Oracle Piper Quest "
    "River Storm Tempo Union Voyage Whisper Yarn Zenith Bandit Crown Drift Ember Flyer"
)
_GIVEN = _listed("Alex Billie Casey Drew Erin Frankie Georgie Hemi Jo Kerry Lee Mere Nikau Ollie Pat Quinn Rua Sam Tai")
_FAMILY = _listed(
    "Adair Bexley Corran Dunmore Eastey Farrow Gilham Harcus Innis Jarrow Kelburn Lowther Marden Norrie Ormsby Purdie"
)
_SILKS = _listed("Royal blue, Red, White, Emerald green, Gold, Cerise, Black, Orange, Sky blue, Purple")
_PATTERNS = _listed("hoops, diamonds, sash, stars, spots, quarters, chevrons, cross sashes")
GREYHOUND_SILKS = ("Red", "Black & white", "White", "Blue", "Yellow", "Green", "Black", "Pink")


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """One horse or dog on the card; what a race's day does not change."""

    entrant_id: str
    number: int
    name: str
    barrier: int
    jockey: str
    trainer: str
    weight: str  # kilograms, "" if no weight is carried
    silks: str


def person(rng: random.Random) -> str:
    """Make up a name of a person."""
    return f"{rng.choice(_GIVEN)} {rng.choice(_FAMILY)}"


def animal(rng: random.Random) -> str:
    """Make up a name of a horse or dog."""
    return f"{rng.choice(_FIRST)} {rng.choice(_SECOND)}"


def field_of(race_id: str, code: str, count: int, rng: random.Random) -> tuple[Runner, ...]:
    """Make up the field of a race: `code` T, H or G, runners numbered from 1, names distinct."""
    barriers = list(range(1, count + 1))
    if code != "G":
        rng.shuffle(barriers)
    firsts, seconds = rng.sample(_FIRST, count), rng.sample(_SECOND, count)
    return tuple(
        Runner(
            entrant_id=str(uuid5(NAMESPACE_URL, f"{race_id}/{number}")),
            number=number,
            name=f"{first} {second}",
            barrier=barrier,
            jockey="" if code == "G" else person(rng),
            trainer=person(rng),
            weight=f"{rng.randrange(108, 121) / 2:g}" if code == "T" else "",
            silks=_silks(code, number, rng),
        )
        for number, barrier, first, second in zip(range(1, count + 1), barriers, firsts, seconds, strict=True)
    )


def _silks(code: str, number: int, rng: random.Random) -> str:
    if code == "G":
        return GREYHOUND_SILKS[(number - 1) % len(GREYHOUND_SILKS)]
    body, trim = rng.sample(_SILKS, 2)
    return f"{body}, {trim.lower()} {rng.choice(_PATTERNS)} & cap"
