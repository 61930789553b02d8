"""The worlds by name: those the detector is trained on, variations of them, and those it never saw. PURE, seeded."""

from collections.abc import Callable
from dataclasses import replace
from zlib import crc32

import numpy as np

from moneyflow.late_money.worlds.market import Dice, Race, World, play, polled_each
from moneyflow.late_money.worlds.others import play_followers, play_hosts
from moneyflow.late_money.worlds.randomised import draw_world

PUBLISHED = World()
Player = Callable[[Dice, float], Race]


def _of(world: World) -> Player:
    return lambda dice, informed_share: play(world, dice, informed_share)


def _polled(seconds: float) -> Player:
    """Return the published world as polls on a grid see it, at a phase that knows nothing of the source's."""

    def play_polled(dice: Dice, informed_share: float) -> Race:
        race = play(PUBLISHED, dice, informed_share)
        return polled_each(race, seconds, float(dice.uniform(0, seconds)))

    return play_polled


WORLDS: dict[str, Player] = {
    "published": _of(PUBLISHED),
    "randomised": lambda dice, informed_share: play(draw_world(dice), dice, informed_share),
    "followers": play_followers,
    "hosts": play_hosts,
    "sigma-1.3": _of(replace(PUBLISHED, bet_sigma=1.3)),
    "no-arbitrage": _of(replace(PUBLISHED, arbitrage=0.0)),
    "refresh-5": _of(replace(PUBLISHED, refresh_seconds=5.0)),
    "refresh-30": _of(replace(PUBLISHED, refresh_seconds=30.0)),
    "polled-5": _polled(5.0),
    "polled-15": _polled(15.0),
}
TRAINED_ON = ("published", "randomised")


def race_of(world: str, seed: int, informed_share: float = 0.0) -> Race:
    """Play race number `seed` of a world, the same in every process."""
    dice = np.random.default_rng([crc32(world.encode()), seed])
    return WORLDS[world](dice, informed_share)
