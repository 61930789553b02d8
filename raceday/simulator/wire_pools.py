"""Pools, dividends, results and the money tracker on the feed's wire format. PURE."""

from functools import lru_cache
from itertools import pairwise
from uuid import NAMESPACE_URL, uuid5

from raceday.simulator.day import Meeting, Race
from raceday.simulator.market import Market, MarketState, places_paid, state_at
from raceday.simulator.world import along, dice

Json = dict[str, object]

LEGS = 4
FOREIGN_IDS = 3  # the real tracker lists a few ids that are not in the field
EXOTIC_PLACES = {"Quinella": 2, "Trifecta": 3, "FirstFour": 4}
PRODUCT_NAMES = {"FirstFour": "First4"}
SECONDS_A_METRE = {"T": 0.06, "H": 0.074, "G": 0.0585}
MARGIN_WORDS = ((0.15, "NSE"), (0.3, "HD"), (0.5, "NK"), (0.8, "3/4L"), (99.0, "L"))


def dollars(cents: int) -> float:
    """Write cents as the feed's dollars, whole ones without a decimal point."""
    return plain(cents / 100)


def plain(number: float) -> float:
    """Make a whole float an int, as the feed prints it."""
    return int(number) if number == int(number) else round(number, 4)


def tote_pools(meeting: Meeting, race: Race, state: MarketState, flags: frozenset[str]) -> list[Json]:
    """List a race's pools, with those multi-leg ones it is a leg of."""
    pools = [_pool(name, cents, state) for name, cents in state.pools.items()]
    for pool in pools:
        if pool["product_type"] in ("Trifecta", "FirstFour"):
            pool["tote_trends"] = _trends(meeting, race, pool, flags)
    return pools + _multi_leg(meeting, race, state, flags)


def _pool(name: str, cents: int, state: MarketState) -> Json:
    status = {"Open": "OPEN", "Abandoned": "ABANDONED"}.get(state.status, "CLOSED")
    is_final = state.status in ("Interim", "Final")
    return {
        "product_type": name,
        "total": dollars(cents),
        "status": status,
        "guarantee": 0,
        "brought_forward": 0,
        "terminating": False,
        "jackpot": 0,
        "leg": 0,
        "is_commingled": True,
        "commingled_info": True,
        "is_concession": False,
        "is_final": is_final,
        "win_investment": str(cents // 1000) if is_final else "",
        "will_pay_live_units": 0,
        "will_pay_current_leg": 0,
    }


def _multi_leg(meeting: Meeting, race: Race, state: MarketState, flags: frozenset[str]) -> list[Json]:
    """Give the quaddies: the early one on a meeting's first four races, the other on its last."""
    count = len(meeting.races)
    quaddies = {
        "EarlyQuadrella": ("early_quaddie", range(1, LEGS + 1)),
        "Quadrella": ("quaddie", range(count - LEGS + 1, count + 1)),
    }
    pools = []
    for name, (key, legs) in quaddies.items():
        if race.number not in legs:
            continue
        first_leg = meeting.races[legs[0] - 1].plan.closes_at
        rng = dice(meeting.meeting_id, name)
        share = along(((0.0, 0.02), (1.0, 1.0)), min(max(1 - (first_leg - state.at) / 7_200, 0.0), 1.0))
        pool = _pool(name, round(rng.uniform(400_000, 3_000_000) * share), state) | {key: list(legs)}
        del pool["is_final"]
        if "with_will_pays" in flags:
            pool["will_pays"] = [
                {"odds": round(rng.uniform(50, 9_000), 1), "sel": runner.number} for runner in race.runners
            ]
        pools.append(pool)
    return pools


def _trends(meeting: Meeting, race: Race, pool: Json, flags: frozenset[str]) -> Json:
    if "with_tote_trends_data" not in flags:
        return {"pool_total": pool["total"]}
    runners = "".join(
        f'            <runner runner_number="{runner.number}">\r\n'
        f"              <runner_name>{runner.name}</runner_name>\r\n            </runner>\r\n"
        for runner in race.runners
    )
    xml = (
        f'<meetings>\r\n  <date>{meeting.date}</date>\r\n  <meeting meeting_number="{meeting.number}">\r\n'
        f'    <race race_number="{race.number}">\r\n      <pool_total>{pool["total"]}</pool_total>\r\n'
        f"          <runners>\r\n{runners}          </runners>\r\n    </race>\r\n  </meeting>\r\n</meetings>\r\n"
    )
    return {"pool_total": pool["total"], "tote_trends_data": xml}


def results(meeting: Meeting, race: Race, market: Market, status: str) -> list[Json]:
    """List the finish: the first four without margins while Interim, all with margins at Final."""
    rng = dice(race.race_id, "margins")
    rows: list[Json] = []
    behind = 0.0
    seconds = round(race.distance * SECONDS_A_METRE[meeting.code] * rng.uniform(0.98, 1.04), 2)
    for position, index in enumerate(market.finish, 1):
        gap = round(rng.expovariate(0.8), 1) if position > 1 else 0.0
        behind += gap
        runner = race.runners[index]
        row: Json = {
            "position": position,
            "name": runner.name,
            "barrier": runner.barrier,
            "runner_number": runner.number,
            "margin_length": plain(round(behind, 1)) if status == "Final" else 0,
            "entrant_id": runner.entrant_id,
        }
        if position == 1:
            row |= {"winning_time": seconds, "time_ran": seconds}
        elif status == "Final":
            row["positional_margin"] = next(word for limit, word in MARGIN_WORDS if gap <= limit)
        rows.append(row)
    return rows if status == "Final" else rows[:4]


def dividends(race: Race, market: Market, state: MarketState) -> list[Json]:
    """List what each product pays: Interim rows, and at Final the Final rows beside them."""
    at_interim = state_at(market, market.plan.interim_at)
    rows = _dividend_rows(race, market, at_interim)
    if state.status == "Final":
        rows += _dividend_rows(race, market, state)
    dice(race.race_id, "dividends").shuffle(rows)
    return rows


def _dividend_rows(race: Race, market: Market, state: MarketState) -> list[Json]:
    finish = market.finish
    paid = places_paid(len(finish))
    singles = [("Win", state.win_dividends, 0)] + [("Place", state.place_dividends, place) for place in range(paid)]
    rows = [
        _dividend(race, state, name, ((finish[place], place + 1),), tenths[finish[place]])
        for name, tenths, place in singles
    ]
    for name, places in EXOTIC_PLACES.items():
        tenths = int(10 * (1 - market.world.takeout) / _order_chance(state, finish[:places], name == "Quinella"))
        positions = tuple((runner, place) for place, runner in enumerate(finish[:places], 1))
        rows.append(_dividend(race, state, name, positions, max(tenths, 10)))
    return rows


def _order_chance(state: MarketState, order: tuple[int, ...], is_any_order: bool) -> float:
    """Return Harville's chance of an order from the Win money; of both orders for a quinella."""
    if is_any_order:
        return _order_chance(state, order, False) + _order_chance(state, order[::-1], False)
    chance, left = 1.0, float(sum(state.win_cents))
    for runner in order:
        chance *= state.win_cents[runner] / left
        left -= state.win_cents[runner]
    return chance


def _dividend(
    race: Race, state: MarketState, pool: str, positions: tuple[tuple[int, int], ...], tenths: int | None
) -> Json:
    numbers = [race.runners[runner].number for runner, _ in positions]
    product = f"Pool {PRODUCT_NAMES.get(pool, pool)}"
    description = ":".join(map(str, sorted(numbers) if pool == "Quinella" else numbers))
    return {
        "id": str(uuid5(NAMESPACE_URL, f"{race.race_id}/{product}/{state.status}/{description}")),
        "tote": "NZ",
        "product_name": product,
        "status": state.status,
        "dividend": plain((tenths or 0) / 10),
        "pool_size": dollars(state.pools[pool]),
        "jackpot_size": 0,
        "positions": [
            {"runner_number": number, "position": position}
            for number, (_, position) in zip(numbers, positions, strict=True)
        ],
        "description": description,
    }


@lru_cache(maxsize=256)
def _tracker_layout(race_id: str, count: int) -> tuple[tuple[int, float, float], ...]:
    """Deal each runner 8–10 slices (runner, from, to) of its hold, in no order; some are empty."""
    rng = dice(race_id, "tracker")
    slices = []
    for runner in range(count):
        cuts = [0.0, *sorted(1 - rng.random() ** 2 for _ in range(rng.randint(3, 4))), 1.0]
        cuts += [1.0] * (rng.randint(8, 10) + 1 - len(cuts))
        slices += [(runner, low, high) for low, high in pairwise(cuts)]
    rng.shuffle(slices)
    return tuple(slices)


def money_tracker(race: Race, state: MarketState) -> Json:
    """Give TAB-wide holds in integer slices: half as the Win money, half as the fixed prices."""
    shares = _tracker_shares(state)
    holds = [100 * share for share in shares]
    flatter = [share**0.7 for share in shares]
    counts = [100 * share / (sum(flatter) or 1) for share in flatter]
    rows: list[Json] = [
        {
            "entrant_id": race.runners[runner].entrant_id,
            "hold_percentage": round(holds[runner] * high) - round(holds[runner] * low),
            "bet_percentage": round(counts[runner] * high) - round(counts[runner] * low),
        }
        for runner, low, high in _tracker_layout(race.race_id, len(race.runners))
    ]
    for number in range(FOREIGN_IDS):
        stranger = str(uuid5(NAMESPACE_URL, f"{race.race_id}/stranger/{number}"))
        rows.insert(len(rows) // 2, {"entrant_id": stranger, "hold_percentage": 2 * (number == 0), "bet_percentage": 0})
    return {"entrants": rows}


def _tracker_shares(state: MarketState) -> list[float]:
    prices = [0.0 if i in state.scratched or not past else 1 / past[-1].price for i, past in enumerate(state.prices)]
    priced, bet = sum(prices) or 1.0, float(state.pools["Win"]) or 1.0
    mixed = [price / priced + cents / bet for price, cents in zip(prices, state.win_cents, strict=True)]
    total = sum(mixed) or 1.0
    return [share / total for share in mixed]
