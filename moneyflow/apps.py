"""The Django app `moneyflow`: its partitions come with migrate, its checks and cluster hooks with every start."""

from typing import Any

from django.apps import AppConfig
from django.core.checks import Tags, register
from django.db.models.signals import post_migrate


class MoneyflowConfig(AppConfig):
    name = "moneyflow"

    def ready(self) -> None:
        """Wire what Django offers no other place for: the one signal of ours, and the checks."""
        from moneyflow.answers import SHARDS  # noqa: PLC0415
        from moneyflow.store.partitions import check_runway  # noqa: PLC0415 - models are not loaded before
        from raceday.queue import cluster  # noqa: PLC0415

        post_migrate.connect(_make_partitions, sender=self)
        register(check_runway, Tags.database)
        writers = dict.fromkeys((f"write-{shard}" for shard in range(SHARDS)), "moneyflow.writer.run")
        poller, publisher = "moneyflow.polling.election.run", "moneyflow.publisher.run"
        cluster.connect({"control": poller, "publish": publisher, **writers})


def _make_partitions(**_: Any) -> None:
    from moneyflow.store import partitions  # noqa: PLC0415
    from raceday.clock import now  # noqa: PLC0415
    from raceday.racing_day import racing_day  # noqa: PLC0415

    if partitions.is_migrated():
        partitions.keep(racing_day(now()))
