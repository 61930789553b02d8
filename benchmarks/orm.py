"""The peer of `write`: the rows that moneyflow.store.poll writes, written by Django's ORM in one transaction."""

from itertools import count

from django.db import transaction

from moneyflow.archive.store import PackedAnswer
from moneyflow.models import FeedAnswer, MoneyFlowHistory, OddsHistory
from moneyflow.transform.records import MoneyFlow, MoneyFlowPoint
from raceday.feed.records import EntrantSnapshot, RaceSnapshot
from raceday.models import PollRun
from races.models import Entrant, PollMark, Race, RacePool

POOLS = ("win", "place", "quinella", "trifecta", "exacta", "first4")
# The ORM wants the column filled; a counter costs it less than the sequence it would be in earnest.
_ids = count(1)


def write_with_orm(snapshot: RaceSnapshot, flow: MoneyFlow, packed: PackedAnswer, *, version: int) -> None:
    """Write race, mark, entrants, pools, readings, prices, PollRun and the answer of a poll, and commit."""
    with transaction.atomic():
        _upsert(Race, "race_id", [_race(snapshot)])
        _upsert(PollMark, "race", [_mark(snapshot, flow, packed, version)])
        _upsert(Entrant, "entrant_id", [_entrant(entrant, snapshot, flow) for entrant in snapshot.entrants])
        _upsert(RacePool, "race", [_pool(snapshot, flow)])
        MoneyFlowHistory.objects.bulk_create(
            [_reading(point, snapshot, flow, packed) for point in flow.points], ignore_conflicts=True
        )
        OddsHistory.objects.bulk_create(
            [
                OddsHistory(
                    id=next(_ids),
                    entrant_id=price.entrant_id,
                    odds=price.odds,
                    type=price.type,
                    event_timestamp=price.event_timestamp,
                )
                for price in flow.odds
            ],
            ignore_conflicts=True,
        )
        PollRun.objects.create(
            race_id=snapshot.race_id,
            polled_at=packed.polled_at,
            generated_at=snapshot.generated_at,
            outcome=flow.outcome,
            http_status=200,
            body_bytes=packed.body_bytes,
            fetch_ms=packed.fetch_ms,
            transform_ms=1.0,
        )
        FeedAnswer.objects.create(
            sequence=next(_ids),
            race_id=snapshot.race_id,
            polled_at=packed.polled_at,
            generated_at=snapshot.generated_at,
            fetch_ms=packed.fetch_ms,
            sha256=packed.sha256,
            base_at=packed.base_at,
            body=packed.body,
        )


Row = Race | PollMark | Entrant | RacePool


def _upsert(model: type[Row], key: str, rows: list[Row]) -> None:
    kept = {key, "created_at", "updated_at"}
    columns = [column.name for column in model._meta.concrete_fields if column.name not in kept]
    model.objects.bulk_create(rows, update_conflicts=True, unique_fields=[key], update_fields=columns)  # type: ignore[arg-type]


def _race(snapshot: RaceSnapshot) -> Race:
    return Race(
        race_id=snapshot.race_id,
        name=snapshot.name,
        race_number=snapshot.race_number,
        start_time=snapshot.advertised_start,
        status=snapshot.status,
        actual_start=snapshot.actual_start,
        meeting_id=snapshot.meeting_id,
        race_date_nz=snapshot.race_date_nz,
        distance=snapshot.distance,
        track_condition=snapshot.track_condition,
        weather=snapshot.weather,
    )


def _mark(snapshot: RaceSnapshot, flow: MoneyFlow, packed: PackedAnswer, version: int) -> PollMark:
    return PollMark(
        race_id=snapshot.race_id,
        version=version + 1,
        polled_at=packed.polled_at,
        generated_at=snapshot.generated_at,
        last_reading_at=snapshot.generated_at,
        digest=flow.digest,
    )


def _entrant(entrant: EntrantSnapshot, snapshot: RaceSnapshot, flow: MoneyFlow) -> Entrant:
    return Entrant(
        entrant_id=entrant.entrant_id,
        race_id=snapshot.race_id,
        name=entrant.name,
        runner_number=entrant.runner_number,
        is_scratched=entrant.is_scratched,
        scratched_at=entrant.scratched_at,
        barrier=entrant.barrier,
        jockey=entrant.jockey,
        trainer_name=entrant.trainer_name,
        weight=entrant.weight,
        silk_colours=entrant.silk_colours,
        silk_url_64=entrant.silk_url_64,
        silk_url_128=entrant.silk_url_128,
        is_favourite=entrant.is_favourite,
        is_mover=entrant.is_mover,
        fixed_win_odds=entrant.fixed_win_odds,
        fixed_place_odds=entrant.fixed_place_odds,
        pool_win_odds=entrant.pool_win_odds,
        pool_place_odds=entrant.pool_place_odds,
        win_odds=entrant.pool_win_odds or entrant.fixed_win_odds,
        place_odds=entrant.pool_place_odds or entrant.fixed_place_odds,
        recorded_odds=list(flow.recorded_odds[entrant.entrant_id]),
        hold_percentage=entrant.hold_percentage,
        bet_percentage=entrant.bet_percentage,
    )


def _pool(snapshot: RaceSnapshot, flow: MoneyFlow) -> RacePool:
    assert snapshot.pools is not None
    cents = {name: getattr(snapshot.pools, f"{name}_cents") for name in POOLS}
    dollars = {f"{name}_pool_total": None if total is None else total / 100 for name, total in cents.items()}
    return RacePool(
        race_id=snapshot.race_id,
        total_race_pool=sum(total for total in cents.values() if total is not None) / 100,
        data_quality_score=flow.data_quality_score,
        last_updated=snapshot.generated_at,
        **dollars,
    )


def _reading(point: MoneyFlowPoint, snapshot: RaceSnapshot, flow: MoneyFlow, packed: PackedAnswer) -> MoneyFlowHistory:
    return MoneyFlowHistory(
        id=next(_ids),
        race_id=snapshot.race_id,
        entrant_id=point.entrant_id,
        hold_percentage=point.hold_percentage,
        bet_percentage=point.bet_percentage,
        type=point.type,
        time_to_start=flow.seconds_to_start // 60,
        seconds_to_start=flow.seconds_to_start,
        time_interval=flow.time_interval,
        interval_type=flow.interval_type,
        event_timestamp=snapshot.generated_at,
        polling_timestamp=packed.polled_at,
        win_pool_amount=point.win_pool_amount,
        place_pool_amount=point.place_pool_amount,
        win_pool_percentage=point.win_pool_percentage,
        place_pool_percentage=point.place_pool_percentage,
        incremental_amount=point.incremental_win_amount,
        incremental_win_amount=point.incremental_win_amount,
        incremental_place_amount=point.incremental_place_amount,
        fixed_win_odds=point.fixed_win_odds,
        fixed_place_odds=point.fixed_place_odds,
        pool_win_odds=point.pool_win_odds,
        pool_place_odds=point.pool_place_odds,
    )
