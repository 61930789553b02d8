"""What a race's admin page shows below its entrants: queries and tables, four queries however big the race."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypedDict

from moneyflow.models import MoneyFlowHistory
from raceday.models import PollRun
from raceday.staff.chart import Chart, Series, lay_out
from raceday.staff.pieces import link, nz_time, told
from races.models import Entrant, Race

CHART_SPAN = timedelta(minutes=60)
POLL_RUNS_SHOWN = 20
POOLS = ("win", "place", "quinella", "trifecta", "exacta", "first4")


class Table(TypedDict):
    """What unfold's table component draws; a cell is text or a link, never None."""

    headers: list[str]
    rows: list[list[Any]]


class RacePage(TypedDict):
    chart: Chart | None
    flow: Table
    pools: Table | None
    result: Table | None
    dividends: Table | None
    poll_runs: Table


def race_page(race: Race) -> RacePage:
    """Gather a race's page; `race` has its pool and result selected with it."""
    entrants = Entrant.objects.filter(race=race).only("entrant_id", "name", "runner_number")
    names = {entrant.pk: str(entrant) for entrant in entrants}
    flow = latest_flow(race)
    return {
        "chart": share_chart(race, names, flow),
        "flow": flow_table(names, flow),
        "pools": pools_table(race),
        "result": result_table(race),
        "dividends": dividends_table(race),
        "poll_runs": poll_runs_table(PollRun.objects.filter(race_id=race.pk).order_by("-polled_at")[:POLL_RUNS_SHOWN]),
    }


def latest_flow(race: Race) -> dict[str, MoneyFlowHistory]:
    """Return the newest reading of each entrant, by entrant_id, in one query.

    The day before the start and the half day after it bound the partitions that are looked into.
    """
    span = (race.start_time - timedelta(days=1), race.start_time + timedelta(hours=12))
    readings = MoneyFlowHistory.objects.filter(race_id=race.pk, event_timestamp__range=span)
    newest = readings.order_by("entrant_id", "-event_timestamp").distinct("entrant_id")
    return {reading.entrant_id: reading for reading in newest}


def share_chart(race: Race, names: Mapping[str, str], flow: Mapping[str, MoneyFlowHistory]) -> Chart | None:
    """Lay out the Win-pool shares of the hour up to the newest reading; None without readings."""
    if not flow:
        return None
    until = max(reading.event_timestamp for reading in flow.values())
    span = (until - CHART_SPAN, until)
    readings = MoneyFlowHistory.objects.filter(race_id=race.pk, event_timestamp__range=span)
    shares = readings.order_by("event_timestamp").values_list("entrant_id", "event_timestamp", "win_pool_percentage")
    lines: dict[str, list[tuple[datetime, float]]] = {entrant_id: [] for entrant_id in names}
    for entrant_id, at, share in shares:
        if share is not None:
            lines.setdefault(entrant_id, []).append((at, float(share)))
    series = [Series(name=names.get(entrant_id, entrant_id), readings=line) for entrant_id, line in lines.items()]
    return lay_out(series, mark=race.start_time)


def dollars(cents: int | None) -> str:
    """Write cents as dollars, `$9,151.38`, and a loss of them as `−$1.00`."""
    return told(None) if cents is None else f"{'−' if cents < 0 else ''}${Decimal(abs(cents)) / 100:,.2f}"


def flow_table(names: Mapping[str, str], flow: Mapping[str, MoneyFlowHistory]) -> Table:
    """Show the newest reading of each entrant in the order of `names`."""
    headers = ["Runner", "Read", "Basis", "Hold", "Win share", "Win money", "Win increment", "Place share"]
    headers += ["Place money", "Place increment"]
    rows = [
        [
            name,
            told(nz_time(reading.event_timestamp)),
            reading.type,
            told(reading.hold_percentage, "%"),
            told(reading.win_pool_percentage, "%"),
            dollars(reading.win_pool_amount),
            dollars(reading.incremental_win_amount),
            told(reading.place_pool_percentage, "%"),
            dollars(reading.place_pool_amount),
            dollars(reading.incremental_place_amount),
        ]
        for entrant_id, name in names.items()
        if (reading := flow.get(entrant_id))
    ]
    return {"headers": headers, "rows": rows}


def pools_table(race: Race) -> Table | None:
    """Show a race's tote pools; None before the first poll of them."""
    if not hasattr(race, "pool"):
        return None
    amounts = [getattr(race.pool, f"{name}_pool_total") for name in POOLS] + [race.pool.total_race_pool]
    cells = [told(None) if amount is None else f"${amount:,.2f}" for amount in amounts]
    return {
        "headers": [*(name.capitalize() for name in POOLS), "All", "Quality", "Changed"],
        "rows": [[*cells, told(race.pool.data_quality_score), told(nz_time(race.pool.last_updated))]],
    }


def result_table(race: Race) -> Table | None:
    """Show the placings; None while there are none."""
    if not hasattr(race, "result"):
        return None
    keys = ("position", "runner_number", "name", "barrier", "margin_length")
    rows = [[told(placing.get(key)) for key in keys] for placing in race.result.results]
    return {"headers": ["Position", "Runner", "Name", "Barrier", "Margin"], "rows": rows}


def _positions(dividend: Mapping[str, Any]) -> str:
    runners: Sequence[Mapping[str, Any]] = dividend.get("positions") or []
    return ", ".join(str(runner.get("runner_number")) for runner in runners)


def dividends_table(race: Race) -> Table | None:
    """Show what each pool pays; None while nothing is known."""
    if not hasattr(race, "result"):
        return None
    keys = ("product_name", "status", "dividend", "pool_size", "description")
    rows = [[told(dividend.get(key)) for key in keys] + [_positions(dividend)] for dividend in race.result.dividends]
    return {"headers": ["Pool", "Status", "Dividend", "Pool size", "Description", "Runners"], "rows": rows}


def poll_runs_table(poll_runs: Iterable[PollRun]) -> Table:
    """Show polls, each linked to its own page."""
    rows = [
        [
            link(told(nz_time(run.polled_at)), "raceday_pollrun_change", run.pk),
            run.outcome,
            told(run.reason),
            told(run.http_status),
            told(run.fetch_ms and round(run.fetch_ms, 1), "ms"),
            told(run.transform_ms and round(run.transform_ms, 1), "ms"),
        ]
        for run in poll_runs
    ]
    return {"headers": ["Polled", "Outcome", "Reason", "HTTP", "Fetch", "Parse and transform"], "rows": rows}


def next_races_table(races: Iterable[Race]) -> Table:
    """Show coming races, each with its meeting and mark selected."""
    rows = [
        [
            link(told(nz_time(race.start_time)), "races_race_change", race.pk),
            race.meeting.meeting_name,
            race.race_number,
            race.name,
            race.status,
            told(nz_time(race.mark.polled_at) if hasattr(race, "mark") else None),
        ]
        for race in races
    ]
    return {"headers": ["Start, NZ", "Meeting", "Race", "Name", "Status", "Last polled"], "rows": rows}
