"""The large part of a feed answer that nobody here reads: form, breeding, owners. PURE, seeded, encoded once a race."""

import random
from functools import lru_cache

import msgspec

from raceday.simulator.day import Meeting, Race
from raceday.simulator.field import Runner, animal, person
from raceday.simulator.world import dice

LAST_STARTS = 7
BLANK: dict[str, object] = {
    "form_comment": None,
    "class_level": "",
    "apprentice_indicator": "",
    "allowance_weight": "",
    "rating": "",
    "form_indicators": None,
    "past_performances": None,
    "jockey_past_performances": None,
    "meta": None,
    "competitor_id": "",
    "ride_guide_exists": False,
    "ride_guide_thumbnail": "",
    "ride_guide_file": "",
}
_STANDINGS = (
    "first_up second_up third_up fourth_up track distance track_distance good soft heavy turf synthetic overall "
    "left_handed right_handed hurdle steeple fresh_30 fresh_90 weight_for_age slow firm"
)
STIPES = (
    "Began awkwardly and settled towards the rear. Improved wide without cover from the 600m and kept on steadily.",
    "Held up for clear running from the 350m until passing the 200m, then finished the race off well.",
    "Raced keenly in the early stages. Steadied when tightened near the 1000m and lost its position.",
    "Rider reported that it travelled well throughout but was one paced when placed under pressure.",
)


@lru_cache(maxsize=128)
def static_parts(meeting: Meeting, race: Race) -> tuple[bytes, ...]:
    """Return what never changes of each runner: a JSON object without its braces, by runner."""
    rng = dice(race.race_id, "form")
    return tuple(msgspec.json.encode(_static(meeting, race, runner, rng))[1:-1] for runner in race.runners)


def _static(meeting: Meeting, race: Race, runner: Runner, rng: random.Random) -> dict[str, object]:
    is_dog = meeting.code == "G"
    sire, dam = animal(rng), animal(rng)
    slug = runner.name.lower().replace(" ", "_")
    silk = "" if is_dog else f"https://silks.example/{race.race_id}/{slug}"
    return BLANK | {
        "entrant_id": runner.entrant_id,
        "market_name": "Final Field",
        "primary_market": True,
        "name": runner.name,
        "is_emergency": False,
        "first_start_indicator": False,
        "emergency_position": "",
        "gear": "" if is_dog else "Blinkers [Approved Plates, Lugging Bit]",
        "barrier": runner.barrier,
        "runner_number": runner.number,
        "prize_money": str(rng.randrange(900, 90_000)),
        "age": rng.randint(2, 8),
        "sex": rng.choice("DB" if is_dog else "gmhc"),
        "colour": rng.choice(("b", "br", "ch", "bl")),
        "silk_colours": runner.silks,
        "silk_url_64x64": silk and f"{silk}_64x64.png",
        "silk_url_128x128": silk and f"{silk}_128x128.png",
        "jockey": runner.jockey,
        "owners": f"{person(rng)} & {person(rng)}",
        "country": meeting.country,
        "trainer_name": runner.trainer,
        "trainer_location": meeting.name,
        "last_twenty_starts": "".join(rng.choice("1234567890X") for _ in range(8)),
        "sire": sire,
        "dam": dam,
        "breeding": f"{rng.randint(1, 9)}  {sire}-{dam}",
        "weight": {"allocated": runner.weight, "total": runner.weight},
        "handicap_rating": str(rng.randint(45, 90)) if meeting.code == "T" else "",
        "speedmap": {"settling_lengths": rng.randint(1, 9), "entrant_id": runner.entrant_id, "label": "Midfield"},
        "horse_id": rng.randrange(100_000, 2_500_000),
        "last_starts": [_last_start(race, number, rng) for number in range(LAST_STARTS)],
        **{name: _standing(rng) for name in _STANDINGS.split() if not is_dog},
    }


def _standing(rng: random.Random) -> dict[str, int]:
    starts = rng.randint(0, 20)
    names = ("number_of_wins", "number_of_placings", "number_of_seconds", "number_of_thirds")
    return {"number_of_starts": starts, **{name: rng.randint(0, starts // 4) for name in names}, "winning_distance": 0}


def _last_start(race: Race, number: int, rng: random.Random) -> dict[str, str]:
    winner, second, third = (animal(rng) for _ in range(3))
    return {
        "barrier": str(rng.randint(1, 12)),
        "days_since": str(rng.randint(7, 30)),
        "distance": str(race.distance + rng.randrange(-4, 5) * 100 // 4),
        "finish": str(rng.randint(1, 12)),
        "jockey": person(rng),
        "limit_weight": "54.00",
        "margin": f"{rng.uniform(0, 12):.2f}",
        "number_of_runners": str(rng.randint(7, 14)),
        "class": f"Rating {rng.randint(55, 85)} Benchmark",
        "number": str(number + 1),
        "prize_money": str(rng.randrange(8_000, 40_000, 500)),
        "winner": winner,
        "second": second,
        "third": third,
        "starting_price": f"{rng.uniform(2, 60):.2f}",
        "time_ran": f"1:{rng.uniform(10, 59):05.2f}",
        "margin_1st_2nd": "Neck",
        "margin_2nd_3rd": "1.5 Lengths",
        "margin_3rd_4th": "",
        "minimum_handicap": "54.00",
        "gear": "Approved Plates, Lugging Bit, Blinkers",
        "track": "TRAK",
        "track_four_char": "TRAK",
        "track_condition": rng.choice(("Good 4", "Soft 5", "Heavy 8")),
        "weight_carried": f"{rng.uniform(52, 60):.1f}",
        "date": f"{rng.randint(1, 28):02d}/{rng.randint(1, 12):02d}/2025",
        "last_600": f"0.{rng.uniform(33, 40):.2f}",
        "bon": f"1.{rng.uniform(10, 59):.2f}",
        "track_surface": "Grass",
        "track_direction": "Left Handed",
        "run_rating": str(rng.randint(40, 90)),
        "stipes": rng.choice(STIPES),
    }
