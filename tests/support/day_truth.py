"""What a simulated racing day truly was, told as the client API has to tell it. From the simulator alone."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from raceday.simulator.day import Meeting, Race
from raceday.simulator.fixed_odds import place_price
from raceday.simulator.market import Market, MarketState
from raceday.simulator.wire_pools import dividends, money_tracker, results

NZ = ZoneInfo("Pacific/Auckland")
KINDS = {"T": "thoroughbred", "H": "harness", "G": "greyhound"}
ENDED = {"Final", "Abandoned"}
POOLS = {"win": "Win", "place": "Place", "quinella": "Quinella", "trifecta": "Trifecta", "first4": "FirstFour"}
ODDS = ("fixed_win", "fixed_place", "pool_win", "pool_place")
Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Poll:
    """What the feed showed of a race, when it made its answer and when that was in hand."""

    generated_at: datetime
    polled_at: datetime
    state: MarketState


@dataclass(slots=True, kw_only=True, eq=False)
class Followed:
    """A race as far as its polls can tell of it; `readings` are those polls that brought something new."""

    meeting: Meeting
    race: Race
    market: Market
    polls: list[Poll] = field(default_factory=list)
    readings: list[Poll] = field(default_factory=list)

    def add(self, poll: Poll) -> bool:
        """Note a poll, and return whether it brought something new."""
        is_new = not self.polls or poll.state.at != self.polls[-1].state.at
        self.polls.append(poll)
        if is_new:
            self.readings.append(poll)
        return is_new

    @property
    def status(self) -> str:
        return self.polls[-1].state.status if self.polls else "Open"

    @property
    def start(self) -> datetime:
        return datetime.fromtimestamp(self.race.plan.advertised_at, UTC)

    @property
    def field(self) -> list[int]:
        return [index for index in range(len(self.race.runners)) if index not in self.polls[-1].state.scratched]


def nz(at: datetime) -> str:
    """Write an instant with the New Zealand offset and milliseconds."""
    return at.astimezone(NZ).isoformat(timespec="milliseconds")


def instant_of(stamp: str) -> datetime:
    """Read an instant of the feed, told in nanoseconds, to the nearest microsecond."""
    seconds, _, fraction = stamp.rstrip("Z").partition(".")
    nanoseconds = int(fraction.ljust(9, "0"))
    return datetime.fromisoformat(f"{seconds}+00:00") + timedelta(microseconds=round(nanoseconds / 1000))


# ── Races ───────────────────────────────────────────────────────────────────────────────────────
def row(followed: Followed) -> Json:
    race = followed.race
    return {
        "race_id": race.race_id,
        "name": race.name,
        "race_number": race.number,
        "start_time": nz(followed.start),
        "status": followed.status,
        "meeting_id": followed.meeting.meeting_id,
    }


def detail(followed: Followed) -> Json:
    meeting = followed.meeting
    has_jumped = followed.status not in {"Open", "Abandoned"}
    jumped_at = datetime.fromtimestamp(int(followed.race.plan.closes_at), UTC)
    return row(followed) | {
        "actual_start": nz(jumped_at) if has_jumped else None,
        "distance": followed.race.distance,
        "track_condition": meeting.track_condition,
        "weather": meeting.weather,
        "race_type": KINDS[meeting.code],
        "type": KINDS[meeting.code],
        "runner_count": len(followed.field) if followed.polls else 0,
    }


def meeting(races: list[Followed]) -> Json:
    card, statuses = races[0].meeting, {race.status for race in races}
    status = "active" if statuses - ENDED else "abandoned" if statuses == {"Abandoned"} else "completed"
    return {
        "meeting_id": card.meeting_id,
        "meeting_name": card.name,
        "country": card.country,
        "race_type": KINDS[card.code],
        "date": str(card.date),
        "status": status,
        "first_race_time": nz(min(race.start for race in races)),
        "track_condition": card.track_condition,
        "weather": card.weather,
    }


def neighbour(followed: Followed | None) -> Json | None:
    if followed is None:
        return None
    return {name: row(followed)[name] for name in ("race_id", "name", "start_time")} | {
        "meeting_name": followed.meeting.name
    }


# ── Runners ─────────────────────────────────────────────────────────────────────────────────────
def prices(followed: Followed, state: MarketState, index: int) -> dict[str, float | None]:
    """Return a runner's four prices as the feed shows them."""
    scratching = next((each for each in followed.race.plan.scratchings if each.index == index), None)
    is_hidden = scratching is not None and index in state.scratched and not scratching.keeps_prices
    past = () if is_hidden else state.prices[index]
    win = past[-1].price if past else None
    tenths = state.win_dividends[index], state.place_dividends[index]
    pools = [None if each is None else each / 10 for each in tenths]
    return dict(zip(ODDS, (win, place_price(win) if win else None, *pools), strict=True))


def holds(followed: Followed, state: MarketState) -> dict[str, int]:
    """Sum each entrant's slices of the money tracker."""
    sums: dict[str, int] = {}
    tracker: Any = money_tracker(followed.race, state)["entrants"]
    for each in tracker:
        sums[each["entrant_id"]] = sums.get(each["entrant_id"], 0) + each["hold_percentage"]
    return sums


def entrants(followed: Followed) -> list[Json]:
    state = followed.polls[-1].state
    held = holds(followed, state)
    told = []
    for index, runner in enumerate(followed.race.runners):
        shown = prices(followed, state, index)
        slug = runner.name.lower().replace(" ", "_")
        silk = None if followed.meeting.code == "G" else f"https://silks.example/{followed.race.race_id}/{slug}"
        told.append(
            {
                "entrant_id": runner.entrant_id,
                "name": runner.name,
                "runner_number": runner.number,
                "win_odds": shown["pool_win"] or shown["fixed_win"],
                "place_odds": shown["pool_place"] or shown["fixed_place"],
                "hold_percentage": held[runner.entrant_id],
                "is_scratched": index in state.scratched,
                "jockey": runner.jockey or None,
                "trainer_name": runner.trainer,
                "barrier": runner.barrier,
                "weight": float(runner.weight) if runner.weight else None,
                "silk_colours": runner.silks,
                "silk_url_64": silk and f"{silk}_64x64.png",
                "silk_url_128": silk and f"{silk}_128x128.png",
                **{f"{name}_odds": price for name, price in shown.items()},
            }
        )
    return told


# ── Pools and results ───────────────────────────────────────────────────────────────────────────
def pools(followed: Followed) -> Json:
    cents = told_pools(followed.polls[-1].state)
    same_since = next(each for each in followed.readings if told_pools(each.state) == cents)
    return {
        "race_id": followed.race.race_id,
        **{f"{name}_pool_total": cents.get(kind) for name, kind in POOLS.items()},
        "exacta_pool_total": None,  # a product this tote does not offer
        "total_race_pool": sum(cents.values()) if cents else None,
        "currency": "$",
        "extracted_pools": len(cents),
        "last_updated": nz(same_since.generated_at),
    }


def told_pools(state: MarketState) -> dict[str, int]:
    """Cents by product; the money of an abandoned race was given back."""
    return {} if state.status == "Abandoned" else {kind: state.pools[kind] for kind in POOLS.values()}


def result(followed: Followed) -> Json | None:
    state, race = followed.polls[-1].state, followed.race
    if state.status not in {"Interim", "Final"}:
        return None
    placings = ("position", "runner_number", "name", "entrant_id", "barrier", "margin_length")
    first = next(each for each in followed.readings if each.state.status == state.status)
    return {
        "race_id": race.race_id,
        "results_available": True,
        "results_data": [
            {name: each[name] for name in placings}
            for each in results(followed.meeting, race, followed.market, state.status)
        ],
        "dividends_data": by_name(_dividend(each) for each in dividends(race, followed.market, state)),
        "fixed_odds_data": {
            str(each["runner_number"]): {
                "fixed_win_odds": each["fixed_win_odds"],
                "fixed_place_odds": each["fixed_place_odds"],
                "runner_name": each["name"],
                "entrant_id": each["entrant_id"],
            }
            for each in entrants(followed)
        },
        "result_status": state.status.lower(),
        "photo_finish": None,
        "stewards_inquiry": None,
        "protest_lodged": None,
        "result_time": nz(first.generated_at),
    }


def _dividend(told: Any) -> Json:
    names = ("product_name", "dividend", "positions", "status", "description")
    return {name: told[name] for name in names} | {"pool_size": round(told["pool_size"] * 100)}


def by_name(rows: Iterable[Json]) -> list[Json]:
    """Sort dividends, whose order says nothing."""
    return sorted(rows, key=lambda each: (each["product_name"], each["status"], each["description"]))
