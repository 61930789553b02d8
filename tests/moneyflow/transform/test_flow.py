from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moneyflow.transform.flow import bucket, interval_type, money_flow, snapshot_digest
from moneyflow.transform.records import Basis, MoneyFlow, Outcome, RaceState, Reading
from moneyflow.transform.shares import ZERO
from raceday.feed.records import Dividend, EntrantSnapshot, FixedPrice, PoolTotals, RaceSnapshot, Result
from tests.support.snapshots import START, entrant, snapshot

LONG_AGO = START - timedelta(days=7)
NOTHING_STORED = RaceState()


def flow_of(seen: RaceSnapshot, state: RaceState = NOTHING_STORED) -> MoneyFlow:
    return money_flow(seen, state, odds_since=LONG_AGO)


def state_after(seen: RaceSnapshot, flow: MoneyFlow, before: RaceState = NOTHING_STORED) -> RaceState:
    """What room 4 would read back after writing this flow in order."""
    readings = tuple(
        Reading(
            entrant_id=point.entrant_id,
            event_timestamp=seen.generated_at,
            type=point.type,
            win_pool_amount=point.win_pool_amount,
            place_pool_amount=point.place_pool_amount,
            has_place_dividend=any(other.pool_place_odds is not None for other in flow.points),
        )
        for point in flow.points
    )
    return RaceState(
        version=before.version + 1,
        generated_at=seen.generated_at,
        digest=flow.digest,
        last_reading_at=seen.generated_at if readings else before.last_reading_at,
        win_pool_cents=seen.pools.win_cents if seen.pools else before.win_pool_cents,
        readings=readings or before.readings,
        recorded_odds={**before.recorded_odds, **flow.recorded_odds},
        dividends=flow.end.dividends if flow.end else before.dividends,
        result_status=flow.end.result_status if flow.end else before.result_status,
        result_time=flow.end.result_time if flow.end else before.result_time,
    )


@pytest.mark.parametrize(
    ("seconds", "minutes"),
    [
        (7200, "60"), (3600, "60"), (3599, "55"), (600, "10"), (599, "5"), (300, "5"), (299, "4"), (130, "2"),
        (60, "1"), (59, "0"), (0, "0"), (-1, "-0.5"), (-30, "-0.5"), (-31, "-1"), (-90, "-1.5"),
    ],
)  # fmt: skip
def test_a_bucket_is_the_largest_slot_not_above_the_time_to_start(seconds: int, minutes: str) -> None:
    assert bucket(seconds) == Decimal(minutes)


@pytest.mark.parametrize(("seconds", "name"), [(1801, "5m"), (1800, "2m"), (301, "2m"), (300, "30s"), (0, "live")])
def test_interval_types_change_at_thirty_and_five_minutes(seconds: int, name: str) -> None:
    assert interval_type(seconds) == name


def test_win_money_follows_from_the_dividends() -> None:
    flow = flow_of(snapshot(entrant(1, pool_win_odds=2.0), entrant(2, pool_win_odds=4.0)))
    assert [point.win_pool_amount for point in flow.points] == [66393, 33607]  # 1/2.05 : 1/4.05
    assert {point.type for point in flow.points} == {Basis.POOL_WIN}


def test_without_dividends_win_money_follows_from_the_hold() -> None:
    flow = flow_of(snapshot(entrant(1, hold_percentage=30), entrant(2, hold_percentage=10)))
    assert [point.win_pool_amount for point in flow.points] == [75000, 25000]
    assert {point.type for point in flow.points} == {Basis.HOLD}


def test_a_runner_without_a_dividend_has_no_known_share() -> None:
    flow = flow_of(snapshot(entrant(1, pool_win_odds=1.2), entrant(2, fixed_win_odds=80.0)))
    assert flow.points[1].win_pool_amount is None
    assert flow.points[1].win_pool_percentage is None


def test_a_race_of_which_nothing_is_known_has_no_reading() -> None:
    assert flow_of(snapshot(entrant(1), entrant(2), pools=None)).points == ()


def test_the_first_reading_has_no_increment() -> None:
    flow = flow_of(snapshot(entrant(1, pool_win_odds=2.0), entrant(2, pool_win_odds=4.0)))
    assert {point.incremental_win_amount for point in flow.points} == {None}


def test_an_increment_is_what_came_since_the_reading_before() -> None:
    field = entrant(1, hold_percentage=50), entrant(2, hold_percentage=50)
    first = snapshot(*field, at=-60)
    state = state_after(first, flow_of(first))
    second = snapshot(*field, at=-45, pools=PoolTotals(win_cents=150_000, place_cents=50_000))
    points = flow_of(second, state).points
    assert [point.incremental_win_amount for point in points] == [25_000, 25_000]
    assert [point.incremental_place_amount for point in points] == [0, 0]


def test_late_scratching_stops_the_flow_for_that_entrant_and_starts_a_new_baseline() -> None:
    first = snapshot(*(entrant(number, pool_win_odds=3.0) for number in (1, 2, 3)), at=-60)
    state = state_after(first, flow_of(first))
    scratched = entrant(3, pool_win_odds=3.0, is_scratched=True)
    second = snapshot(entrant(1, pool_win_odds=2.0), entrant(2, pool_win_odds=2.0), scratched, at=-45)
    points = flow_of(second, state).points
    assert [point.entrant_id for point in points] == ["e1", "e2"]
    assert {point.incremental_win_amount for point in points} == {None}


def test_amounts_of_unlike_derivation_are_not_subtracted() -> None:
    first = snapshot(entrant(1, hold_percentage=50), entrant(2, hold_percentage=50), at=-60)
    second = snapshot(entrant(1, pool_win_odds=2.0), entrant(2, pool_win_odds=2.0), at=-45)
    points = flow_of(second, state_after(first, flow_of(first))).points
    assert {point.incremental_win_amount for point in points} == {None}


def test_an_unchanged_poll_has_nothing_to_write() -> None:
    first = snapshot(entrant(1, pool_win_odds=2.0), entrant(2, pool_win_odds=2.0), at=-60)
    again = snapshot(*first.entrants, at=-45)
    flow = flow_of(again, state_after(first, flow_of(first)))
    assert (flow.outcome, flow.points, flow.odds, flow.end) == (Outcome.UNCHANGED, (), (), None)


def test_a_digest_depends_on_all_but_the_feeds_time() -> None:
    first = snapshot(entrant(1, pool_win_odds=2.0), at=-60)
    assert snapshot_digest(first) == snapshot_digest(snapshot(*first.entrants, at=-45))
    assert snapshot_digest(first) != snapshot_digest(snapshot(entrant(1, pool_win_odds=2.1), at=-60))


def test_a_price_is_recorded_when_it_is_the_first_or_moved_by_more_than_a_cent() -> None:
    state = RaceState()
    recorded = []
    for at, odds in enumerate([1.01, 1.02, 1.03, 1.03]):
        seen = snapshot(entrant(1, fixed_win_odds=odds, hold_percentage=at), at=at - 60)
        flow = flow_of(seen, state)
        recorded += [str(row.odds) for row in flow.odds]
        state = state_after(seen, flow, state)
    assert recorded == ["1.01", "1.03"]


def test_dated_prices_fill_the_history_at_first_contact_only() -> None:
    dated = tuple(
        FixedPrice(START - timedelta(hours=hours), Decimal(odds)) for hours, odds in ((400, 9), (5, 6), (2, 5))
    )
    seen = snapshot(entrant(1, fixed_win_odds=5, fixed_win_history=dated), at=-60)
    flow = flow_of(seen)
    assert [(int(row.odds), row.event_timestamp) for row in flow.odds] == [
        (6, START - timedelta(hours=5)),
        (5, START - timedelta(hours=2)),
    ]
    again = snapshot(entrant(1, fixed_win_odds=4, fixed_win_history=dated), at=-30)
    assert [row.odds for row in flow_of(again, state_after(seen, flow)).odds] == [4]


def test_interim_dividends_stay_beside_the_final_ones() -> None:
    def ended(status: str, at: float) -> RaceSnapshot:
        dividend = Dividend(id=status, product_name="Pool Win", status=status, dividend=Decimal(3), pool_size=None,
                            positions=(), description="1")  # fmt: skip
        result = Result(position=1, runner_number=1, name="Runner 1", entrant_id="e1")
        return snapshot(entrant(1), status=status, results=(result,), dividends=(dividend,), at=at)

    interim, final = ended("Interim", 120), ended("Final", 300)
    flow = flow_of(final, state_after(interim, flow_of(interim)))
    assert flow.end is not None
    assert [dividend.status for dividend in flow.end.dividends] == ["Interim", "Final"]
    assert (flow.end.result_status, flow.end.result_time) == ("final", final.generated_at)


def test_a_sound_answer_has_full_quality_and_a_poor_one_loses_points() -> None:
    sound = snapshot(
        entrant(1, pool_win_odds=1.7, pool_place_odds=1.1), entrant(2, pool_win_odds=1.7, pool_place_odds=1.1)
    )
    assert flow_of(sound).data_quality_score == 100
    stale = snapshot(entrant(1, pool_win_odds=5.0), entrant(2, pool_win_odds=9.0))
    assert flow_of(stale).data_quality_score == 85
    assert flow_of(snapshot(entrant(1), pools=None)).data_quality_score == 70


@dataclass(frozen=True)
class Poll:
    seconds: int
    pool: int
    odds: tuple[int, ...]


polls = st.lists(
    st.builds(
        Poll,
        seconds=st.integers(0, 600),
        pool=st.integers(0, 5_000_000),
        odds=st.tuples(*[st.integers(11, 500)] * 4),
    ),
    min_size=2,
    max_size=8,
    unique_by=lambda poll: poll.seconds,
)


def seen_by(poll: Poll) -> RaceSnapshot:
    field = [entrant(number, pool_win_odds=tenths / 10) for number, tenths in enumerate(poll.odds, 1)]
    return snapshot(*field, at=poll.seconds, pools=PoolTotals(win_cents=poll.pool, place_cents=None))


@given(polls)
def test_increments_sum_to_last_minus_first(drawn: list[Poll]) -> None:
    state = RaceState()
    history: dict[str, list[tuple[int | None, int | None]]] = {}
    for poll in sorted(drawn, key=lambda poll: poll.seconds):
        flow = flow_of(seen_by(poll), state)
        for point in flow.points:
            history.setdefault(point.entrant_id, []).append((point.win_pool_amount, point.incremental_win_amount))
        state = state_after(seen_by(poll), flow, state)
    for rows in history.values():
        assert sum(increment or 0 for _, increment in rows) == (rows[-1][0] or 0) - (rows[0][0] or 0)


@given(polls, st.randoms(use_true_random=False))
def test_permuting_the_entrants_changes_nothing(drawn: list[Poll], random: object) -> None:
    seen = seen_by(drawn[0])
    shuffled: list[EntrantSnapshot] = list(seen.entrants)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    other = flow_of(msgspec.structs.replace(seen, entrants=tuple(shuffled)))
    assert sorted(other.points, key=lambda point: point.entrant_id) == list(flow_of(seen).points)


@given(st.lists(st.decimals(Decimal("1.0"), Decimal(500), places=1), min_size=1, max_size=24))
def test_shares_sum_to_one_hundred_per_cent(odds: list[Decimal]) -> None:
    field = [entrant(number, pool_win_odds=price) for number, price in enumerate(odds, 1)]
    total = sum((point.win_pool_percentage or ZERO for point in flow_of(snapshot(*field)).points), ZERO)
    assert abs(total - 100) < Decimal("0.01")
