"""The original client's colours, worked out by hand and read through the API."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from moneyflow.alerts import examples
from moneyflow.alerts.indicators import indicator_of, moves, shares
from moneyflow.alerts.settings import DEFAULTS, read_config
from moneyflow.history.columns import PoolType
from tests.support.card import own_keys  # noqa: F401  # a fixture
from tests.support.late_polls import START, poll
from tests.support.snapshots import runner

INDICATORS = DEFAULTS["indicators"]
ADDRESS = "/api/late-money/indicators"


def documents(**columns: dict[float, Any]) -> list[dict[str, Any]]:
    """Documents of entrants: the same value as increment and as price."""
    names = ("incremental_win_amount", "incremental_place_amount", "fixed_win_odds")
    return [
        {"entrant_id": entrant_id, "time_interval": bucket, **dict.fromkeys(names, value)}
        for entrant_id, values in columns.items()
        for bucket, value in values.items()
    ]


@pytest.mark.parametrize("pool_type", [PoolType.WIN, PoolType.PLACE])
def test_money_moves_by_points_of_share_from_bucket_to_bucket(pool_type: PoolType) -> None:
    found = documents(a={5: 100, 4: 300, -0.5: 50}, b={5: 300, 4: 300, -0.5: 150})
    assert moves(found, pool_type) == {4: {"a": 25.0, "b": -25.0}, -0.5: {"a": -25.0, "b": 25.0}}


def test_odds_move_by_the_percentage_that_a_price_shortens() -> None:
    assert moves(documents(a={5: 4.0, 4: 3.0}, b={5: 2.0, 4: 2.5}), PoolType.ODDS) == {4: {"a": 25.0, "b": -25.0}}


def test_what_is_not_known_moves_nothing() -> None:
    found = documents(a={5: None, 4: 300}, b={5: 100, 4: None}, c={4: 100}, d={5: 100, 4: 100})
    assert moves(found, PoolType.WIN) == {4: {"d": -30.0}}
    assert moves([], PoolType.WIN) == {}


def test_money_that_went_counts_as_none_and_no_new_money_has_no_shares() -> None:
    assert shares({"a": -50, "b": 100, "c": None}) == {"a": 0.0, "b": 100.0}
    assert shares({"a": 0, "b": -1}) == {}


@pytest.mark.parametrize(
    ("value", "order"), [(4.9, None), (5, 1), (9.99, 1), (10, 2), (49, 5), (50, 6), (100, 6), (-20, None)]
)
def test_a_value_has_the_colour_of_its_range(value: float, order: int | None) -> None:
    indicator = indicator_of(value, INDICATORS)
    assert (indicator and indicator["display_order"]) == order


def test_an_indicator_that_is_off_leaves_its_range_to_the_next() -> None:
    off = [{**each, "enabled": each["display_order"] != 1, "percentage_range_min": 5} for each in INDICATORS]
    assert (indicator_of(7, off) or {})["display_order"] == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("own_keys")
def test_a_race_is_coloured_by_the_users_own_ranges(
    client: Client, clock_goes_on_from: Callable[[datetime], None]
) -> None:
    clock_goes_on_from(START)
    for after, fixed in ((-290, 2.5), (-230, 2.0)):
        runners = [runner(1, pool_win=2.0, fixed_win=fixed), runner(2, pool_win=3.1, fixed_win=3.0)]
        poll(1000 + after, after=after, runners=runners)
    body = client.get(f"{ADDRESS}?race_id=r1&pool_type=odds").json()
    assert list(body) == list(examples.INDICATORS)
    coloured = {"entrant_id": "e1", "value": 20.0, "indicator_id": "indicator-4", "color": "#BBF7D0"}
    assert body["columns"] == [{"time_interval": 3.0, "entrants": [coloured]}]
    config = read_config("Default User")
    config.toggle_all = False
    config.save()
    assert client.get(f"{ADDRESS}?race_id=r1&pool_type=odds").json()["columns"][0]["entrants"] == []
    assert client.get(f"{ADDRESS}?race_id=nowhere").status_code == 404
