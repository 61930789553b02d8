"""Two worlds built by other rules than the training's, to see whether what was learnt holds elsewhere. PURE, seeded."""

import numpy as np

from moneyflow.late_money.records import Floats
from moneyflow.late_money.worlds.market import (
    Bets,
    Dice,
    Race,
    World,
    drawn_by,
    steady,
    watched,
)

NOTES = np.array([1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000], float)  # dollars people bet
NOTE_ODDS = np.array([8, 10, 22, 22, 18, 11, 6, 2.2, 1.0, 0.4])
SHOWN = {
    "followers": World(takeout=0.15, refresh_seconds=10, jitter=0.3, missed=0.03),
    "hosts": World(takeout=0.175, refresh_seconds=15, follow=0.3, follow_seconds=20, missed=0.02),
}


def play_followers(dice: Dice, informed_share: float = 0.0) -> Race:
    """Play a race where bettors bet round sums and copy each other, and a sharper crowd comes late.

    Parents come by a power law. A third of the bets draws followers within seconds, half of them on the same runner.
    """
    chances = dice.dirichlet(np.full(int(dice.integers(6, 15)), 1.5)) + 0.004
    chances /= chances.sum()
    pool = 20_000 * np.exp(dice.normal(0, 0.8)) * (1 - informed_share)
    parents = int(dice.poisson(pool / float(NOTES @ NOTE_ODDS / NOTE_ODDS.sum()) / 1.5)) + 20
    before = 60 * (dice.random(parents) ** (-1 / 0.9) - 1)
    casual = chances**0.8 * np.exp(dice.normal(0, 0.35, len(chances)))
    sharp = chances**1.03 * np.exp(dice.normal(0, 0.12, len(chances)))
    mix = np.linspace(0.6, 0.1, 24)[:, None]  # by half minutes before the close
    likes = mix * sharp / sharp.sum() + (1 - mix) * casual / casual.sum()
    runner = drawn_by(dice, likes, np.minimum((before / 30).astype(int), 23))
    for _ in range(3):
        copied = np.flatnonzero(dice.random(len(before)) < 0.16)
        same = dice.random(len(copied)) < 0.5
        other = drawn_by(dice, likes, np.zeros(len(copied), int))
        later = before[copied] - dice.exponential(8, len(copied))
        before = np.concatenate((before, later))
        runner = np.concatenate((runner, np.where(same, runner[copied], other)))
    kept = before > 0
    dollars = dice.choice(NOTES, int(kept.sum()), p=NOTE_ODDS / NOTE_ODDS.sum())
    crowd = seeded(Bets(before=before[kept], runner=runner[kept], dollars=dollars), casual, pool)
    view = chances * np.exp(dice.normal(0, 0.15, len(chances)))
    return watched(SHOWN["followers"], dice, crowd, (chances, steady(view / view.sum())), informed_share)


def play_hosts(dice: Dice, informed_share: float = 0.0) -> Race:
    """Play a race whose pool is half local, half sent in lumps by two hosts, with a few regulars who bet big.

    Computers bet in the last half minute on whatever pays more than the bookmaker.
    """
    count = int(dice.integers(8, 17))
    chances = dice.dirichlet(np.full(count, 0.9)) + 0.004
    chances /= chances.sum()
    pool = 20_000 * np.exp(dice.normal(0, 0.6)) * (1 - informed_share)
    liked = chances**0.95 * np.exp(dice.normal(0, 0.25, count))
    view = chances * np.exp(dice.normal(0, 0.15, count))
    bets = int(dice.poisson(pool / 62)) + 20
    is_regular = dice.random(bets) < 0.12
    median, sigma = np.where(is_regular, 150.0, 16.0), np.where(is_regular, 0.9, 1.0)
    dollars = np.minimum(median * np.exp(dice.normal(0, 1, bets) * sigma), 2_500)
    before = dice.gamma(1.3, 110, bets)
    walk = np.log(liked) + np.cumsum(dice.standard_t(4, (24, count)) * 0.03, 0)[::-1]
    runner = drawn_by(dice, np.exp(walk), np.minimum((before / 30).astype(int), 23))
    host = dice.integers(0, 3, bets)  # 0: local; a host's money comes with its next delivery
    period, phase = np.array([1e-6, 25.0, 40.0])[host], dice.uniform(0, 1, 3)[host]
    arrives = np.where(host == 0, before, (np.floor(before / period - phase) + phase) * period)
    kept = arrives > 0
    crowd = seeded(Bets(before=arrives[kept], runner=runner[kept], dollars=dollars[kept]), liked, pool)
    view /= view.sum()
    return watched(SHOWN["hosts"], dice, computers(dice, crowd, view), (chances, steady(view)), informed_share)


def computers(dice: Dice, bets: Bets, view: Floats) -> Bets:
    """Add computers' bets: every 3 s of the last 30, 0.8 % of the pool on what pays most over the book."""
    for at in np.arange(29.0, 0.5, -3):
        held = np.bincount(bets.runner, bets.dollars * (bets.before >= at), len(view))
        gaps = np.maximum(view / (held / held.sum() + 1e-9) - 1.1, 0) * view
        if gaps.sum() > 0:
            bought = held.sum() * 0.008 * gaps / gaps.sum()
            some = np.flatnonzero(bought > 1)
            jittered = np.full(len(some), at - float(dice.uniform(0, 0.4)))
            bets = bets.joined(Bets(before=jittered, runner=some, dollars=bought[some]))
    return bets


def seeded(bets: Bets, liked: Floats, pool: float) -> Bets:
    """Add an early 1 % of the pool on all runners, so that all have dividends."""
    count = len(liked)
    first = np.maximum(5, pool * liked / liked.sum() / 100)
    return Bets(before=np.full(count, 3_000.0), runner=np.arange(count), dollars=first).joined(bets)
