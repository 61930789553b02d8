"""Pieces of a race's admin page that this floor knows; moneyflow.admin puts the page together."""

from unfold.admin import TabularInline

from raceday.staff import RacingDayFilter, ReadOnly
from races.models import Entrant


class RaceDayFilter(RacingDayFilter):
    field = "race_date_nz"


class EntrantInline(ReadOnly, TabularInline):  # type: ignore[misc]  # unfold has no types
    model = Entrant
    hide_title = True
    fields = (
        "runner_number", "name", "barrier", "jockey", "trainer_name", "weight", "pool_win_odds", "pool_place_odds",
        "fixed_win_odds", "fixed_place_odds", "hold_percentage", "is_scratched",
    )  # fmt: skip
