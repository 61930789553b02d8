"""What the page of a race shows: the facts of its template, and the state that its script goes on from."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from board.money import COLUMNS, INCREMENT, amounts_of, share_lines, thinned, timeline_of
from board.state import state_of
from moneyflow.history.columns import read_columns
from raceday.staff.chart import lay_out
from races.closing import usual_closing

TIMELINE_MINUTES, REPLAYED_MINUTES = 6, 16  # to the start, from which on all readings are there
POOLS = ("win", "place", "quinella", "trifecta", "first4")


def race_facts(race_id: str, live: Mapping[str, Any], *, is_replay: bool = False) -> dict[str, Any]:
    """Return the facts of a race's template, from its live body.

    A replay brings all readings of its quarter of an hour, and the tote odds that the live body has only as of now.
    """
    start = datetime.fromisoformat(live["race"]["start_time"])
    whole = read_columns(race_id, start, (*COLUMNS, INCREMENT))
    history = thinned(whole, start, minutes=REPLAYED_MINUTES if is_replay else TIMELINE_MINUTES)
    runners = amounts_of(live["entrants"], history, live["alerts"])
    return {
        "live": live,
        "start": start,
        "closing": usual_closing(live["race"]["race_type"]),
        "alerts": worst_of_each(live["alerts"]),
        "dividends": dividends_of(live.get("results", {}).get("dividends_data", [])),
        "runners": runners,
        "timeline": timeline_of(runners, history, start),
        "chart": lay_out(share_lines(runners, history), mark=start),
        "pools": pools_of(live["pools"] or {}),
        "state": state_of(live, history, COLUMNS if is_replay else COLUMNS[:-1]),
    }


def worst_of_each(alerts: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the alert of the highest severity of each runner, the newest first; its lower steps say less."""
    worst = {alert["entrant_id"]: alert for alert in sorted(alerts, key=lambda alert: alert["severity"])}
    return sorted(worst.values(), key=lambda alert: alert["raised_at"], reverse=True)


def dividends_of(dividends: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, float]]:
    """Return the product, the runners and what $1 paid of each dividend: the final ones, else the interim ones.

    Products come in the order of the pools, and within one the highest place first.
    """
    paid = [dividend for dividend in dividends if dividend["dividend"]]
    final = [dividend for dividend in paid if dividend["status"].lower() == "final"]
    rows = [(_product(each), _places(each), each["dividend"]) for each in final or paid]
    found = sorted(rows, key=lambda row: (_rank(row[0]), row[0], row[1]))
    return [(product, "–".join(str(number) for _, number in places), price) for product, places, price in found]


def _product(dividend: Mapping[str, Any]) -> str:
    return str(dividend["product_name"].removeprefix("Pool "))


def _places(dividend: Mapping[str, Any]) -> list[tuple[int, int]]:
    return sorted((place["position"], place["runner_number"]) for place in dividend["positions"])


def _rank(product: str) -> int:
    return POOLS.index(name) if (name := product.lower()) in POOLS else len(POOLS)


def pools_of(pools: Mapping[str, Any]) -> list[tuple[str, str, int | None]]:
    """Return names, fields and totals in cents of the tote pools."""
    fields = [(name.capitalize(), f"{name}_pool_total") for name in POOLS]
    return [(name, field, pools.get(field)) for name, field in [*fields, ("All", "total_race_pool")]]
