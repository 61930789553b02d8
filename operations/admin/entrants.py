"""An entrant and its history: every reading of the money on it, and every price it had."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.dateparse import parse_datetime
from unfold.admin import ModelAdmin

from moneyflow.models import MoneyFlowHistory, OddsHistory
from operations.admin.names import FoundByRace
from operations.admin.race_page import MONEY_HEADERS, money_cells, polled_span, running
from operations.admin.tables import Table
from raceday.staff.chart import Chart, Series, lay_out
from raceday.staff.pieces import RacingDayFilter, ReadOnly, link, nz_time, told
from races.models import Entrant

ROWS_SHOWN = 100


class EntrantDayFilter(RacingDayFilter):
    field = "race__race_date_nz"


@admin.register(Entrant)
class EntrantAdmin(FoundByRace, ReadOnly, ModelAdmin):  # type: ignore[misc]  # unfold has no types
    list_display = ("called", "race_link", "jockey", "trainer_name", "state")
    list_filter = (EntrantDayFilter, "race__status", "is_scratched")
    search_fields = ("name", "jockey", "trainer_name", "entrant_id")
    search_help_text = "an entrant, a jockey, a trainer, a race, a meeting"
    list_select_related = ("race__meeting",)
    ordering = ("race__start_time", "race_id", "runner_number")
    list_per_page = 50
    fields = (
        ("race_link", "state"),
        ("jockey", "trainer_name"),
        ("barrier", "weight"),
        ("pool_win_odds", "pool_place_odds"),
        ("fixed_win_odds", "fixed_place_odds"),
        "entrant_id",
    )
    readonly_fields = ("race_link", "state")
    change_form_outer_before_template = "operations/race_chart.html"
    change_form_outer_after_template = "operations/entrant_history.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Entrant]:
        return Entrant.objects.select_related(*self.list_select_related)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        page = {**context, **entrant_page(kwargs["obj"], parse_until(request.GET.get("until", "")))}
        shown: HttpResponse = super().render_change_form(request, page, **kwargs)
        return shown

    @admin.display(description="entrant", ordering="name")
    def called(self, entrant: Entrant) -> str:
        return str(entrant)

    @admin.display(description="race", ordering="race__start_time")
    def race_link(self, entrant: Entrant) -> str:
        return link(str(entrant.race), "races_race_change", entrant.race_id)

    @admin.display(description="state")
    def state(self, entrant: Entrant) -> str:
        return running(entrant)


def parse_until(text: str) -> datetime | None:
    """Read the instant before which readings are shown; None for all, and for what is no instant."""
    try:
        until = parse_datetime(text)
    except ValueError:
        return None
    return until if until and until.tzinfo else None


def entrant_page(entrant: Entrant, until: datetime | None) -> dict[str, Any]:
    """Gather an entrant's newest readings before `until`; `entrant` has its race selected with it."""
    since, last = polled_span(entrant.race)
    span = (since, min(last, until) if until else last)
    readings = _newest(MoneyFlowHistory.objects.filter(entrant_id=entrant.pk, event_timestamp__range=span))
    prices = _newest(OddsHistory.objects.filter(entrant_id=entrant.pk, event_timestamp__range=span))
    cut = [rows[-1].event_timestamp for rows in (readings, prices) if len(rows) == ROWS_SHOWN]
    return {
        "chart": win_share_chart(entrant, readings),
        "chart_title": "Win-pool share, the readings below",
        "tables": [money_table(readings), odds_table(prices)],
        "older": max(cut).isoformat() if cut else None,
    }


def _newest(rows: QuerySet[Any]) -> list[Any]:
    return list(rows.order_by("-event_timestamp")[:ROWS_SHOWN])


def win_share_chart(entrant: Entrant, readings: list[MoneyFlowHistory]) -> Chart | None:
    shares = [
        (reading.event_timestamp, float(reading.win_pool_percentage))
        for reading in reversed(readings)
        if reading.win_pool_percentage is not None
    ]
    return lay_out([Series(name=str(entrant), readings=shares)], mark=entrant.race.start_time)


def money_table(readings: list[MoneyFlowHistory]) -> Table:
    """Show readings of the money, newest first, with the seconds to the advertised start."""
    rows = [[told(reading.seconds_to_start, "s"), *money_cells(reading)] for reading in readings]
    return Table("Money, newest first", ["To start", *MONEY_HEADERS], rows)


def odds_table(prices: list[OddsHistory]) -> Table:
    """Show the prices, newest first, each from when it was first seen."""
    rows = [[told(nz_time(price.event_timestamp)), price.get_type_display(), told(price.odds)] for price in prices]
    return Table("Odds, newest first", ["Seen first, NZ", "Odds of", "Per $1"], rows)
