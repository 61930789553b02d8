"""Pieces of a race's admin page that this floor knows; moneyflow.admin puts the page together."""

from django.contrib import admin
from unfold.admin import TabularInline

from raceday.staff import RacingDayFilter, ReadOnly, told
from races.models import Entrant


class RaceDayFilter(RacingDayFilter):
    field = "race_date_nz"


class EntrantInline(ReadOnly, TabularInline):  # type: ignore[misc]  # unfold has no types
    model = Entrant
    hide_title = True
    readonly_fields = ("number", "tote", "fixed", "hold", "scratched")
    fields = ("number", "name", "barrier", "jockey", "trainer_name", "weight", "tote", "fixed", "hold", "scratched")

    @admin.display(description="No.")
    def number(self, entrant: Entrant) -> int:
        return entrant.runner_number

    @admin.display(description="tote win, place")
    def tote(self, entrant: Entrant) -> str:
        return f"{told(entrant.pool_win_odds)}, {told(entrant.pool_place_odds)}"

    @admin.display(description="fixed win, place")
    def fixed(self, entrant: Entrant) -> str:
        return f"{told(entrant.fixed_win_odds)}, {told(entrant.fixed_place_odds)}"

    @admin.display(description="hold")
    def hold(self, entrant: Entrant) -> str:
        return told(entrant.hold_percentage, "%")

    @admin.display(description="state")
    def scratched(self, entrant: Entrant) -> str:
        return "gone" if entrant.gone_at else "scratched" if entrant.is_scratched else "runs"
