"""`manage.py poll_status`: what is polled, how fresh it is, and what went wrong of late."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db.models import Count, Max, Q

from moneyflow.models import Reconciliation
from raceday import clock
from raceday.models import PollRun
from raceday.queue.cluster import heartbeat_ages
from raceday.racing_day import nz_iso
from races.cadence import is_frozen
from races.models import Race

WINDOW = timedelta(minutes=15)
NEXT_RACES = 10


class Command(BaseCommand):
    help = "Show what is polled, how fresh it is, and what went wrong in the last 15 minutes."

    def handle(self, *_: Any, **__: Any) -> None:
        now = clock.now()
        self.stdout.write(f"now        {nz_iso(now)}")
        for cluster, age in heartbeat_ages().items():
            self.stdout.write(f"{cluster:<10} {'no heartbeat yet' if age is None else f'heartbeat {age:.0f} s ago'}")
        self._outcomes(now - WINDOW)
        if second_look := Reconciliation.objects.first():
            self.stdout.write(f"reconciled {second_look}")
        live = Race.objects.live()
        self.stdout.write(f"live races {live.count()}, started but not ended {live.due(now).count()}")
        for race in live.filter(start_time__gte=now - WINDOW).select_related("meeting", "mark")[:NEXT_RACES]:
            mark = getattr(race, "mark", None)
            age_seconds = f"{(now - mark.polled_at).total_seconds():5.0f} s ago" if mark else "   never   "
            if mark and is_frozen(mark.generated_at, mark.polled_at, timedelta(seconds=settings.FEED_REFRESH_SECONDS)):
                age_seconds += f", FROZEN since {nz_iso(mark.generated_at)}"
            start_minutes = (race.start_time - now).total_seconds() / 60
            self.stdout.write(f"  {start_minutes:+7.1f} min  {race.status:<9} polled {age_seconds}  {race}")

    def _outcomes(self, since: Any) -> None:
        runs = PollRun.objects.filter(polled_at__gte=since)
        for row in runs.order_by("outcome").values("outcome").annotate(count=Count("pk"), newest=Max("polled_at")):
            self.stdout.write(f"{row['outcome']:<12} {row['count']:6d} in 15 min, newest {nz_iso(row['newest'])}")
        for run in runs.filter(~Q(outcome__in=["changed", "unchanged"]))[:5]:
            self.stdout.write(
                f"  {nz_iso(run.polled_at)} {run.race_id or 'the card'}: {run.outcome} {run.reason or ''}"
            )
