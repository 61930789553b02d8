"""One race as the feed's event answer renders it. PURE: bytes from (card, market, instant, flags)."""

from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from raceday.racing_day import NZ, nz_instant, racing_day
from raceday.simulator.betting import Bet
from raceday.simulator.day import Meeting, Race, Simulation
from raceday.simulator.fixed_odds import PriceChange, place_price
from raceday.simulator.form import static_parts
from raceday.simulator.market import Market, MarketState, market_of, places_paid, shown_at, state_at
from raceday.simulator.wire_pools import Json, dividends, dollars, money_tracker, plain, results, tote_pools

NEVER = {"timestamp": "0001-01-01T00:00:00Z", "fluc": 0}
NO_FLUCS: Json = {"last_six": [], "open": NEVER, "high": NEVER, "low": NEVER, "nine_am": NEVER}
BIG_CENTS = 50_000
BETS_LIMIT = 10


def event_data(simulation: Simulation, meeting: Meeting, race: Race, at: float, flags: frozenset[str]) -> bytes:
    """Return the `data` of an event answer as the source showed it at `at` (Unix seconds).

    `flags` are the names of the with_… parameters that were true; what was not requested is null.
    """
    return _event_data(simulation, meeting, race, shown_at(race.plan, simulation.world, at), flags)


@lru_cache(maxsize=64)
def _event_data(simulation: Simulation, meeting: Meeting, race: Race, shown: float, flags: frozenset[str]) -> bytes:
    market = market_of(race.plan, simulation.world)
    state = state_at(market, shown)
    favourite, mover = _favourite(state), _mover(state)
    statics = static_parts(meeting, race)
    runners = [
        msgspec.Raw(_runner(meeting, race, state, index, (favourite, mover))[:-1] + b"," + static + b"}")
        for index, static in enumerate(statics)
    ]
    bets = [bet for bet in market.notable_bets if bet.at <= shown and bet.runner not in state.scratched]
    data: Json = {"race": _race(meeting, race, state)}
    if state.status in ("Interim", "Final"):
        data["results"] = results(meeting, race, market, state.status)
        data["dividends"] = dividends(race, market, state)
        data["substitutions"] = [_substitution(race, market)]
    big = [bet for bet in bets if bet.cents >= BIG_CENTS]
    data |= {
        "favourite": None if favourite is None else runners[favourite],
        "runners": runners,
        "derivatives": None,
        "mover": None if mover is None else runners[mover],
        "big_bets": _bets(meeting, race, state, big) if "with_big_bets" in flags else None,
        "live_bets": _bets(meeting, race, state, bets) if "with_live_bets" in flags else None,
        "biggest_bet": _biggest(meeting, race, state, bets) if "with_biggest_bet" in flags else None,
        "money_tracker": money_tracker(race, state) if "with_money_tracker" in flags else None,
        "tote_pools": tote_pools(meeting, race, state, flags),
        "error": "",
    }
    return msgspec.json.encode(data)


def _price(state: MarketState, runner: int) -> PriceChange | None:
    past = state.prices[runner]
    return past[-1] if past and runner not in state.scratched else None


def _favourite(state: MarketState) -> int | None:
    prices = {runner: price.price for runner in range(len(state.prices)) if (price := _price(state, runner))}
    return min(prices, key=prices.__getitem__, default=None)


def _mover(state: MarketState) -> int | None:
    moves = {
        runner: price.price / state.prices[runner][0].price
        for runner in range(len(state.prices))
        if (price := _price(state, runner))
    }
    mover = min(moves, key=moves.__getitem__, default=None)
    return mover if mover is not None and moves[mover] < 1 else None


def _runner(
    meeting: Meeting, race: Race, state: MarketState, index: int, stars: tuple[int | None, int | None]
) -> bytes:
    scratching = next(
        (each for each in race.plan.scratchings if each.index == index and index in state.scratched), None
    )
    has_prices = scratching is None or scratching.keeps_prices
    past = state.prices[index] if has_prices else ()
    runner: Json = {
        "is_scratched": scratching is not None,
        "odds": _odds(past, state, index),
        "scratch_time": int(scratching.at) if scratching else 0,
        "scr_time": f"{_utc(scratching.at):%Y-%m-%dT%H:%M:%SZ}" if scratching else None,
        "favourite": index == stars[0],
        "mover": index == stars[1],
        "flucs": [plain(change.price) for change in past[-6:]],
        "flucs_with_timestamp": _flucs(race, past),
    }
    is_late = scratching is not None and scratching.is_late
    if meeting.country == "NZ" or is_late:  # the feed leaves it out of most Australian fields
        runner["is_late_scratched"] = is_late
    return msgspec.json.encode(runner)


def _odds(past: tuple[PriceChange, ...], state: MarketState, index: int) -> Json:
    win = past[-1].price if past else 0
    odds: Json = {"fixed_win": plain(win), "fixed_place": plain(place_price(win)) if win else 0}
    pools = {"pool_win": state.win_dividends[index], "pool_place": state.place_dividends[index]}
    return odds | {name: plain(tenths / 10) for name, tenths in pools.items() if tenths is not None}


def _flucs(race: Race, past: tuple[PriceChange, ...]) -> Json:
    if not past:
        return NO_FLUCS
    day = racing_day(_utc(race.plan.advertised_at))
    nine = nz_instant(day).timestamp() + 9 * 3600
    at_nine = [change for change in past if change.at <= nine]
    named = {
        "open": past[0],
        "high": max(past, key=lambda change: change.price),
        "low": min(past, key=lambda change: change.price),
        "nine_am": at_nine[-1] if at_nine else None,
    }
    return {"last_six": [_fluc(change) for change in past[-6:]]} | {
        name: _fluc(change) if change else NEVER for name, change in named.items()
    }


def _fluc(change: PriceChange) -> Json:
    return {"timestamp": change.stamp, "fluc": plain(change.price)}


def _utc(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def _race(meeting: Meeting, race: Race, state: MarketState) -> Json:
    advertised = int(race.plan.advertised_at)
    actual = advertised if state.status in ("Open", "Abandoned") else int(race.plan.closes_at)
    local = _utc(advertised).astimezone(NZ)
    return {
        "event_id": race.race_id,
        "meeting_name": meeting.name,
        "display_meeting_name": meeting.name,
        "meeting_id": meeting.meeting_id,
        "status": state.status,
        "description": race.name,
        "advertised_start": advertised,
        "actual_start": actual,
        "advertised_start_string": f"{_utc(advertised):%Y-%m-%d %H:%M:%S} +0000 UTC",
        "actual_start_string": f"{_utc(actual):%Y-%m-%d %H:%M:%S} +0000 UTC",
        "race_date_nz": f"{local:%Y-%m-%d}",
        "start_time_nz": f"{local:%H:%M:%S %Z}",
        "race_number": race.number,
        "type": meeting.code,
        "start_type": "Mobile" if meeting.code == "H" else "",
        "country": meeting.country,
        "state": meeting.state,
        "distance": race.distance,
        "weather": meeting.weather,
        "form_guide": "",
        "comment": f"{race.name} at {meeting.name} over {race.distance} metres.",
        "silk_base_url": "silks.example",
        "track_condition": meeting.track_condition,
        "track_direction": "Left",
        "silk_url": f"https://silks.example/{race.race_id}/SPRITE_64x64.png",
        "entrant_count": len(race.runners),
        "field_size": len(race.runners) - len(state.scratched),
        "positions_paid": places_paid(len(race.runners) - len(state.scratched)),
        "video_channels": ["Trackside1"],
        "rail_position": "",
        "group": "",
        "class": "Rating 65 Benchmark" if meeting.code == "T" else "",
        "prize_monies": {"1st": 9520, "2nd": 3060, "3rd": 1530, "4th": 850, "total_value": 14960},
        "track_home_straight": 300,
    }


def _substitution(race: Race, market: Market) -> Json:
    """Name the runner a bet on a scratched one falls to: the favourite at the close."""
    favourite = _favourite(state_at(market, race.plan.closes_at)) or 0
    return {"entrant_id": race.runners[favourite].entrant_id, "tote": "NZ", "product_name": "Pool Win"}


def _bets(meeting: Meeting, race: Race, state: MarketState, bets: list[Bet]) -> list[Json]:
    return [_bet(meeting, race, state, bet) for bet in bets[-BETS_LIMIT:]]


def _biggest(meeting: Meeting, race: Race, state: MarketState, bets: list[Bet]) -> Json | None:
    biggest = max(bets, key=lambda bet: bet.cents, default=None)
    return None if biggest is None else _bet(meeting, race, state, biggest)


def _bet(meeting: Meeting, race: Race, state: MarketState, bet: Bet) -> Json:
    runner = race.runners[bet.runner]
    tenths = state.win_dividends[bet.runner]
    leg: Json = {
        "meeting_name": meeting.name,
        "race_name": race.name,
        "race_number": race.number,
        "product_type_name": "Win",
        "entrant_id": runner.entrant_id,
        "entrant_name": runner.name,
        "entrant_number": runner.number,
        "barrier_number": runner.barrier,
    }
    return {
        "title": "Win",
        "description": [f"{runner.number}. {runner.name} ({runner.barrier})"],
        "stake": dollars(bet.cents),
        "legs": [{"race": leg, "selections": None}],
        "place_time": f"{_utc(bet.at):%Y-%m-%dT%H:%M:%S.%fZ}",
        "place_odds": plain((tenths or 0) / 10),
    }
