"""What a race's admin page shows around its fields: four queries, however big the race, and a fifth as it closes."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from moneyflow.models import MoneyFlowHistory
from moneyflow.polling.live_races import expected_refresh
from operations.admin.tables import Table
from raceday import clock
from raceday.models import PollRun
from raceday.money import cents, dollars
from raceday.staff.chart import Chart, Series, lay_out
from raceday.staff.pieces import link, milliseconds, nz_clock, nz_time, told
from races.models import Entrant, Race

CHART_SPAN = timedelta(minutes=60)
BEFORE_START, AFTER_START = timedelta(days=1), timedelta(hours=12)  # the span in which a race is polled
POLL_RUNS_SHOWN = 20
POOLS = ("win", "place", "quinella", "trifecta", "exacta", "first4")
BASIS = {"pool_win": "Win pool", "hold": "hold"}


def race_page(race: Race) -> dict[str, Any]:
    """Gather a race's chart and tables; `race` has its pool and result selected with it."""
    entrants = list(Entrant.objects.filter(race=race))
    flow = latest_flow(race)
    poll_runs = PollRun.objects.filter(race_id=race.pk).order_by("-polled_at")[:POLL_RUNS_SHOWN]
    tables = [
        entrants_table(entrants),
        flow_table(entrants, flow),
        pools_table(race),
        result_table(race),
        dividends_table(race),
        refresh_table(race),
        poll_runs_table(poll_runs),
    ]
    return {"chart": share_chart(race, entrants, flow), "tables": list(filter(None, tables))}


def polled_span(race: Race) -> tuple[datetime, datetime]:
    """Bound the instants of a race's readings, and with them the partitions that are looked into."""
    return race.start_time - BEFORE_START, race.start_time + AFTER_START


def latest_flow(race: Race) -> dict[str, MoneyFlowHistory]:
    """Return the newest reading of each entrant, by entrant_id, in one query."""
    readings = MoneyFlowHistory.objects.filter(race_id=race.pk, event_timestamp__range=polled_span(race))
    newest = readings.order_by("entrant_id", "-event_timestamp").distinct("entrant_id")
    return {reading.entrant_id: reading for reading in newest}


def share_chart(race: Race, entrants: Iterable[Entrant], flow: Mapping[str, MoneyFlowHistory]) -> Chart | None:
    """Lay out the Win-pool shares of the hour up to the newest reading; None without readings."""
    if not flow:
        return None
    until = max(reading.event_timestamp for reading in flow.values())
    span = (until - CHART_SPAN, until)
    readings = MoneyFlowHistory.objects.filter(race_id=race.pk, event_timestamp__range=span)
    shares = readings.order_by("event_timestamp").values_list("entrant_id", "event_timestamp", "win_pool_percentage")
    lines: dict[str, list[tuple[datetime, float]]] = {entrant.pk: [] for entrant in entrants}
    for entrant_id, at, share in shares:
        if share is not None and entrant_id in lines:
            lines[entrant_id].append((at, float(share)))
    series = [Series(name=str(entrant), readings=lines[entrant.pk]) for entrant in entrants]
    return lay_out(series, mark=race.start_time)


def entrant_link(entrant: Entrant) -> str:
    return link(str(entrant), "races_entrant_change", entrant.pk)


def entrants_table(entrants: Iterable[Entrant]) -> Table:
    """Show the field with its prices, each runner linked to its history."""
    rows = [
        [
            entrant_link(entrant),
            told(entrant.barrier),
            told(entrant.jockey),
            told(entrant.trainer_name),
            told(entrant.weight, "kg"),
            told(entrant.pool_win_odds),
            told(entrant.pool_place_odds),
            told(entrant.fixed_win_odds),
            told(entrant.fixed_place_odds),
            running(entrant),
        ]
        for entrant in entrants
    ]
    headers = ["Entrant", "Barrier", "Jockey", "Trainer", "Weight", "Tote win", "Place", "Fixed win", "Place", ""]
    return Table("Entrants", headers, rows)


def running(entrant: Entrant) -> str:
    """Say whether an entrant runs."""
    return "left the field" if entrant.gone_at else "scratched" if entrant.is_scratched else "runs"


def percent(share: Decimal | None) -> str:
    return told(None if share is None else f"{share:.2f}", "%")


def flow_table(entrants: Iterable[Entrant], flow: Mapping[str, MoneyFlowHistory]) -> Table:
    """Show the newest reading of each entrant."""
    rows = [[entrant_link(entrant), *money_cells(reading)] for entrant in entrants if (reading := flow.get(entrant.pk))]
    return Table("Money on each entrant, newest reading", ["Entrant", *MONEY_HEADERS], rows)


MONEY_HEADERS = [
    "Read, NZ", "Share from", "Hold", "Win share", "Win money", "Change", "Place share", "Place money", "Change",
]  # fmt: skip


def money_cells(reading: MoneyFlowHistory) -> list[str]:
    """Write a reading of the money as the cells below MONEY_HEADERS."""
    return [
        nz_clock(reading.event_timestamp),
        BASIS.get(reading.type, reading.type),
        percent(reading.hold_percentage),
        percent(reading.win_pool_percentage),
        cents(reading.win_pool_amount),
        cents(reading.incremental_win_amount),
        percent(reading.place_pool_percentage),
        cents(reading.place_pool_amount),
        cents(reading.incremental_place_amount),
    ]


def pools_table(race: Race) -> Table | None:
    """Show a race's tote pools; None before the first poll of them."""
    if not hasattr(race, "pool"):
        return None
    amounts = [getattr(race.pool, f"{name}_pool_total") for name in POOLS] + [race.pool.total_race_pool]
    headers = [*(name.capitalize() for name in POOLS), "All", "Quality", "Changed, NZ"]
    cells = [*map(dollars, amounts), told(race.pool.data_quality_score), nz_clock(race.pool.last_updated)]
    return Table("Tote pools", headers, [cells])


def result_table(race: Race) -> Table | None:
    """Show the placings, with what is still open about them; None while there are none."""
    if not hasattr(race, "result"):
        return None
    open_about = {"photo_finish": "photo finish", "stewards_inquiry": "stewards' inquiry", "protest_lodged": "protest"}
    words = [words for field, words in open_about.items() if getattr(race.result, field)]
    keys = ("position", "runner_number", "name", "barrier", "margin_length")
    rows = [[told(placing.get(key)) for key in keys] for placing in race.result.results]
    title = ", ".join([f"Result: {race.result.get_result_status_display()}", *words])
    return Table(title, ["Position", "Number", "Name", "Barrier", "Margin"], rows)


def dividends_table(race: Race) -> Table | None:
    """Show what each pool pays, final dividends first; None while nothing is known."""
    if not hasattr(race, "result"):
        return None
    rows = [
        [
            told(dividend.get("product_name")),
            told(dividend.get("status")),
            _positions(dividend),
            dollars(_exact(dividend.get("dividend"))),
            dollars(_exact(dividend.get("pool_size"))),
        ]
        for dividend in sorted(race.result.dividends, key=_dividend_order)
    ]
    return Table("Dividends", ["Pool", "Status", "Runners", "Pays per $1", "Pool size"], rows)


def _dividend_order(dividend: Mapping[str, Any]) -> tuple[bool, int, str, list[int]]:
    """Order by final or not, by pool as POOLS lists them, and by the placings that win it."""
    name = str(dividend.get("product_name"))
    words = name.lower().split()
    pool = next((place for place, pool in enumerate(POOLS) if pool in words), len(POOLS))
    placings = [runner.get("position") or 0 for runner in dividend.get("positions") or []]
    return dividend.get("status") != "Final", pool, name, placings


def _exact(number: float | None) -> Decimal | None:
    return None if number is None else Decimal(str(number))


def _positions(dividend: Mapping[str, Any]) -> str:
    runners: Sequence[Mapping[str, Any]] = dividend.get("positions") or []
    return ", ".join(str(runner.get("runner_number")) for runner in runners)


def refresh_table(race: Race) -> Table | None:
    """Show how often the feed renews a race that closes, as learned from polls; None while that is unclear."""
    if (expected := expected_refresh(race.race_id, clock.now())) is None:
        return None
    cells = [f"{expected.period:.1f} s", nz_clock(expected.at)]
    return Table("The feed's refresh", ["Every", "Next expected, NZ"], [cells])


def poll_runs_table(poll_runs: Iterable[PollRun]) -> Table:
    """Show polls, each linked to its own page."""
    rows = [
        [
            link(told(nz_time(run.polled_at)), "raceday_pollrun_change", run.pk),
            run.outcome,
            told(run.reason),
            told(run.http_status),
            milliseconds(run.fetch_ms),
            milliseconds(run.transform_ms),
        ]
        for run in poll_runs
    ]
    return Table("Recent polls", ["Polled, NZ", "Outcome", "Reason", "HTTP", "Fetch", "Parse"], rows)


def races_table(title: str, races: Iterable[Race]) -> Table:
    """Show races, each with its meeting and mark selected."""
    rows = [
        [
            link(str(race), "races_race_change", race.pk),
            told(nz_time(race.start_time)),
            race.status,
            told(nz_time(race.mark.polled_at) if hasattr(race, "mark") else None),
        ]
        for race in races
    ]
    return Table(title, ["Race", "Start, NZ", "Status", "Last polled"], rows)
