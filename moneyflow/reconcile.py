"""The second look at races that ended: what the feed has corrected since is repaired through the usual rooms."""

import asyncio
from collections.abc import Sequence
from datetime import date, datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Q, QuerySet

from moneyflow.models import Reconciliation
from moneyflow.pipeline import PollReport
from moneyflow.polling.evening import AT
from moneyflow.polling.round import poll_each
from raceday import clock
from raceday.feed.records import ENDED
from raceday.models import PollRun
from raceday.racing_day import day_bounds, nz_instant
from races.cadence import STALE
from races.models import Race

AT_ONCE = 4  # a task of so many is short: alerts are sent by the same cluster
STORED = {PollRun.Outcome.CHANGED, PollRun.Outcome.UNCHANGED, PollRun.Outcome.LATE}
log = structlog.get_logger(__name__)


def unread(day: date, since: datetime) -> QuerySet[Race]:
    """Return the races of a day that the poller has left, and nobody has polled since an instant, by their ids.

    It leaves a race that has ended, or half a day after its start: Raceday may have been away meanwhile. To the day
    belong the races that started after 21:00 NZ the day before, for that evening's look came before they ended.
    """
    is_over = Q(status__in=ENDED) | Q(start_time__lt=clock.now() - STALE)
    is_unread = Q(mark__polled_at__lt=since) | Q(mark=None)
    started = Q(start_time__gte=nz_instant(day - timedelta(days=1), AT), start_time__lt=day_bounds(day)[1])
    return Race.objects.filter(started, is_over, is_unread).order_by("race_id")


def read_again(day: date, since: datetime, *, after: str = "") -> list[PollReport]:
    """Read the day's next unread races again, after a race id, and note what came of it; empty at the end."""
    race_ids = list(unread(day, since).filter(race_id__gt=after).values_list("race_id", flat=True)[:AT_ONCE])
    if not race_ids:
        return []
    reports = asyncio.run(_poll(race_ids))
    _note(day, since, reports)
    return sorted(reports, key=lambda report: report.race_id)


async def _poll(race_ids: Sequence[str]) -> list[PollReport]:
    return [report async for report in poll_each(race_ids)]


def _note(day: date, since: datetime, reports: Sequence[PollReport]) -> None:
    repaired = [report.race_id for report in reports if report.outcome == PollRun.Outcome.CHANGED]
    with transaction.atomic():
        row = Reconciliation.objects.select_for_update().filter(race_date_nz=day, since=since).first()
        row = row or Reconciliation(race_date_nz=day, since=since)
        row.races += sum(report.outcome in STORED for report in reports)
        row.repaired += len(repaired)
        row.unread, row.read_at = unread(day, since).count(), clock.now()
        row.save()
    log.info("races_read_again", day=str(day), repaired=repaired, races=row.races, unread=row.unread)
