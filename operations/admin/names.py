"""Races by the names that staff know: in lists, titles and searches of rows that have only a race's id."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.views import ChangeList

from raceday.staff.pieces import link
from races.names import race_names, races_called


class NamedChangeList(ChangeList):  # type: ignore[misc]  # unfold has no types
    """A list that has all its rows named at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list: list[Model] = self.model_admin.named(self.result_list)


class FoundByRace:
    """An admin whose rows are found by their race's name; `race_field` leads to the race's id."""

    race_field: str = "race_id"

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], words: str) -> tuple[Any, bool]:
        found, has_duplicates = super().get_search_results(request, queryset, words)  # type: ignore[misc]
        if words:
            found |= queryset.filter(**{f"{self.race_field}__in": races_called(words).values("pk")})
        return found, has_duplicates


class RacesNamed(FoundByRace):
    """An admin of poll runs, or of rows that belong to one, which know their race only by its id."""

    def poll_run(self, row: Any) -> Any:
        return row

    def named(self, rows: Iterable[Model]) -> list[Model]:
        """Give each row's poll run the name of its race."""
        found = list(rows)
        names = race_names(self.poll_run(row).race_id for row in found)
        for row in found:
            run = self.poll_run(row)
            run.race_name = names.get(run.race_id)
        return found

    def get_changelist(self, request: HttpRequest, **_: Any) -> type[NamedChangeList]:
        return NamedChangeList

    def get_object(self, *args: Any, **kwargs: Any) -> Any:
        row = super().get_object(*args, **kwargs)  # type: ignore[misc]
        return row and self.named([row])[0]

    @admin.display(description="race")
    def race(self, row: Model) -> str | None:
        run = self.poll_run(row)
        return link(run.race_name, "races_race_change", run.race_id) if run.race_name else run.race_id
