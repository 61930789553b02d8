"""A reading that the streams tell continues a history without a hole and without a double."""

from copy import deepcopy
from typing import Any

import msgspec
import pytest

from moneyflow.history.columns import MONEY_COLUMNS, read_history
from moneyflow.live.readings import COLUMNS, with_reading
from raceday import valkey
from raceday.published import events
from raceday.published.events import Event
from tests.support.card import own_keys  # noqa: F401  # a fixture
from tests.support.late_polls import START, poll
from tests.support.snapshots import runner

pytestmark = pytest.mark.usefixtures("own_keys")
DATA: dict[str, Any] = {
    **{"race_id": "r1", "timestamp": 30, "previous_timestamp": 20, "entrant_ids": ["b", "a"]},
    **{"win_pool_amount": [50, 70], "fixed_win_odds": [2.5, None]},
}
HISTORY: dict[str, Any] = {
    "timestamps": [10, 20],
    "entrants": [
        {"entrant_id": name, "runner_number": number, "win_pool_amount": [1, 2]} for number, name in enumerate("abc")
    ],
}


def changed(**values: Any) -> dict[str, Any]:
    return {**DATA, **values}


def test_the_next_reading_is_one_more_value_in_each_column_and_null_for_who_is_not_in_it() -> None:
    before = deepcopy(HISTORY)
    longer = with_reading(HISTORY, DATA)
    assert longer is not None
    assert longer["timestamps"] == [10, 20, 30]
    assert [entrant["win_pool_amount"] for entrant in longer["entrants"]] == [[1, 2, 70], [1, 2, 50], [1, 2, None]]
    assert longer["entrants"][0].keys() == HISTORY["entrants"][0].keys()
    assert before == HISTORY


@pytest.mark.parametrize("timestamp", [10, 20])
def test_a_reading_that_a_history_has_is_not_added_again(timestamp: int) -> None:
    assert with_reading(HISTORY, changed(timestamp=timestamp, previous_timestamp=None)) == HISTORY


def test_a_history_without_columns_of_a_runner_has_to_be_read_again() -> None:
    bare = {**HISTORY, "entrants": [*HISTORY["entrants"][:1], {"entrant_id": "b"}, {"entrant_id": "c"}]}
    assert with_reading(bare, DATA) is None
    assert with_reading(bare, changed(entrant_ids=["a"])) is not None


@pytest.mark.parametrize(
    "data",
    [
        changed(previous_timestamp=25),
        changed(timestamp=15, previous_timestamp=10),  # a late poll's
        changed(previous_timestamp=None),
        changed(entrant_ids=["b", "new"]),
    ],
)
def test_what_does_not_follow_is_a_hole(data: dict[str, Any]) -> None:
    assert with_reading(HISTORY, data) is None


def test_a_first_reading_follows_an_empty_history_only() -> None:
    empty = {"timestamps": [], "entrants": [{"entrant_id": name, "win_pool_amount": []} for name in "ab"]}
    assert with_reading(empty, DATA) is None
    first = with_reading(empty, changed(previous_timestamp=None))
    assert first is not None and first["timestamps"] == [30]


# ── What is stored is what is told ──────────────────────────────────────────────────────────────
def told() -> list[Event]:
    every = map(events.parse, valkey.client().xrange(valkey.key(events.LOG)))
    return [event for event in every if event.kind == events.FLOW]


def stored() -> Any:
    return msgspec.json.decode(msgspec.json.encode(read_history("r1", START)))


def columns(history: Any) -> Any:
    """A history without the prices, which it has with times of their own."""
    return {**history, "entrants": [{**entrant, "odds": None} for entrant in history["entrants"]]}


@pytest.mark.django_db(transaction=True)
def test_every_stored_reading_is_told_and_leads_from_any_history_to_the_newest() -> None:
    """Scratchings, an unchanged poll, missing prices and a pool that is not told are among the polls."""
    off = {**runner(2, fixed_win=3.0), "is_scratched": True}
    scratched: dict[str, Any] = {"runners": [runner(1, pool_win=2.0, fixed_win=2.5), off]}
    unpriced: dict[str, Any] = {"runners": [runner(1), runner(2)]}
    no_pools: dict[str, Any] = {"tote_pools": []}
    plain: list[tuple[float, dict[str, Any]]] = [(900.0, {}), (1000.55, {}), (1000.55, {})]
    polls = [*plain, (1200, scratched), (1300, scratched), (1400, no_pools), (1500, unpriced), (1600, {})]
    histories = []
    for place, (dollars, data) in enumerate(polls):
        poll(dollars, after=5.125 * place - 60, **data)
        histories.append(columns(stored()))
    readings = [msgspec.json.decode(event.data) for event in told()]
    assert [reading["timestamp"] for reading in readings] == histories[-1]["timestamps"]
    assert len(readings) == len(polls) - 2  # one poll was unchanged, one knew no price
    for before in histories:
        history = before
        for reading in readings:
            history = with_reading(history, reading)
            assert history is not None
        assert history == histories[-1]


@pytest.mark.django_db(transaction=True)
def test_a_late_polls_reading_is_a_hole_for_who_did_not_see_it() -> None:
    poll(900, after=-60)
    poll(1100, after=-40)
    before = stored()
    poll(1000, after=-50)
    after, late = stored(), msgspec.json.decode(told()[-1].data)
    assert with_reading(before, late) is None
    assert with_reading(after, late) == after


@pytest.mark.django_db(transaction=True)
def test_an_answer_processed_again_tells_its_reading_once() -> None:
    for is_again in (False, True):
        poll(900, after=-60, is_again=is_again)
    assert len(told()) == 1


def test_a_reading_has_all_columns_of_a_history() -> None:
    assert set(MONEY_COLUMNS[None]) < set(COLUMNS)
