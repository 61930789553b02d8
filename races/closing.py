"""When races close after their advertised start: by our own archive, as published until that has enough races."""

import time
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection

from raceday import clock
from raceday.feed.records import RaceStatus

FEWEST_RACES = 200
LOOK_BACK = timedelta(days=90)
LOOK_AGAIN_SECONDS = 600.0
ARCHIVE = """
SELECT race_type, count(*), percentile_disc(ARRAY[0.5, 0.9]) WITHIN GROUP (
    ORDER BY extract(epoch FROM actual_start - start_time)::integer)
FROM races JOIN meetings USING (meeting_id)
WHERE races.status = %s AND actual_start IS NOT NULL AND start_time >= %s
GROUP BY race_type
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """Seconds after the advertised start by which half and nine in ten races were closed.

    half_seconds: None where unknown. races: of our archive; None: as published.
    """

    half_seconds: int | None
    most_seconds: int
    is_most_of_all_codes: bool = False
    races: int | None = None


# Actual less advertised start, from the feed's own answers of earlier years: New Zealand's races, except where only
# the nine in ten of all codes and countries together are known.
ALL_CODES = 275
PUBLISHED = {
    "thoroughbred": Closing(half_seconds=49, most_seconds=138),
    "harness": Closing(half_seconds=41, most_seconds=ALL_CODES, is_most_of_all_codes=True),
}
UNKNOWN = Closing(half_seconds=None, most_seconds=ALL_CODES, is_most_of_all_codes=True)
_archive: dict[str, tuple[float, dict[str, Closing]]] = {}


def usual_closing(race_type: str) -> Closing:
    """Return when races of a code usually close; the archive is looked up once in ten minutes."""
    database = str(connection.settings_dict["NAME"])
    until, found = _archive.get(database, (0.0, {}))
    if time.monotonic() >= until:
        found = read_closings()
        _archive[database] = (time.monotonic() + LOOK_AGAIN_SECONDS, found)
    return found.get(race_type) or PUBLISHED.get(race_type, UNKNOWN)


def read_closings() -> dict[str, Closing]:
    """Read by code when the races of our archive closed; without the codes that have too few races."""
    with connection.cursor() as cursor:
        cursor.execute(ARCHIVE, [RaceStatus.FINAL, clock.now() - LOOK_BACK])
        rows = cursor.fetchall()
    return {
        race_type: Closing(half_seconds=half, most_seconds=most, races=races)
        for race_type, races, (half, most) in rows
        if races >= FEWEST_RACES
    }
