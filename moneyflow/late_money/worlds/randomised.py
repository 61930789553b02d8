"""Worlds drawn anew for each race, so that what is learnt holds in worlds that nobody described. PURE, seeded."""

import numpy as np

from moneyflow.late_money.worlds.market import Dice, World


def draw_world(dice: Dice) -> World:
    """Draw a world: every habit of crowd, bookmaker, arbitrage and source within wide bounds."""
    is_pareto = dice.random() < 0.5
    return World(
        pareto=float(dice.uniform(1.25, 1.9)) if is_pareto else None,
        bet_median=float(np.exp(dice.uniform(np.log(4), np.log(20)))),
        bet_sigma=float(dice.uniform(1.1, 1.9)),
        bet_cap=float(np.exp(dice.uniform(np.log(1_500), np.log(10_000)))),
        pool_median=float(np.exp(dice.uniform(np.log(5_000), np.log(40_000)))),
        takeout=float(dice.uniform(0.14, 0.19)),
        inflow_seconds=float(dice.uniform(90, 280)),
        drift=float(dice.uniform(0.02, 0.09)),
        arbitrage=float(dice.uniform(0, 1)),
        arbitrage_seconds=float(dice.uniform(20, 90)),
        arbitrage_view=str(dice.choice(["book", "pool", "truth"])),
        fixed_noise=float(dice.uniform(0.06, 0.22)),
        follow=float(dice.uniform(0, 0.6)) if dice.random() < 0.5 else 0.0,
        follow_seconds=float(dice.uniform(10, 60)),
        refresh_seconds=float(dice.uniform(5, 30)),
        jitter=float(dice.uniform(0, 0.5)),
        missed=float(dice.uniform(0, 0.1)),
        tipster=float(dice.uniform(1.4, 3.5)) if dice.random() < 0.35 else None,
        lump=float(dice.uniform(0.05, 0.4)) if dice.random() < 0.3 else None,
        scratches=bool(dice.random() < 0.1),
        delay_shift=float(dice.choice([0, 0, 0, -1, 1]) * dice.uniform(0, 80)),
        informed_seconds=_informed_seconds(dice),
        most_informed_bets=10,
    )


def _informed_seconds(dice: Dice) -> tuple[float, float]:
    last = float(dice.uniform(0, 15)) if dice.random() < 0.5 else 0.0
    return last, last + float(dice.uniform(15, 50))
