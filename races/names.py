"""Races by the names that staff know, and races found by them."""

import re
from collections.abc import Iterable

from django.db.models import Q, QuerySet

from races.models import Race

NUMBER = re.compile(r"[Rr](\d{1,3})")


def race_names(race_ids: Iterable[str | None]) -> dict[str, str]:
    """Return what races are called, by race_id, in one query; unknown ones are left out."""
    races = Race.objects.filter(pk__in={race_id for race_id in race_ids if race_id}).select_related("meeting")
    return {race.pk: str(race) for race in races.order_by()}


def races_called(words: str) -> QuerySet[Race]:
    """Find the races that have each word in their name, their meeting's name or as their number, `R5`."""
    found = Race.objects.order_by()
    for word in words.split():
        number = NUMBER.fullmatch(word)
        is_meant = Q(name__icontains=word) | Q(meeting__meeting_name__icontains=word)
        found = found.filter(is_meant | Q(race_number=int(number[1])) if number else is_meant)
    return found
