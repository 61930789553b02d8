"""The modules that reckon in the browser, held to the Python that they are a copy of, over the same cases."""

from copy import deepcopy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page

from moneyflow.live.deltas import deltas
from moneyflow.live.readings import with_reading
from tests.moneyflow.live.test_deltas import BODY, arrive, live_bodies
from tests.moneyflow.live.test_readings import DATA, HISTORY, changed
from tests.support.browser import in_one_page

ARRIVE = """async ([body, told]) => {
    const { apply } = await import("/static/board/deltas.js");
    const before = JSON.stringify(body);
    const arrived = told.reduce((body, [kind, data]) => apply(body, kind, data), body);
    if (JSON.stringify(body) !== before) throw Error("the body that was there has changed");
    return arrived;
}"""
APPEND = """async ([history, readings]) => {
    const { append } = await import("/static/board/columns.js");
    return [readings.map((reading) => append(history, reading)), history];
}"""
each_in_the_same_page = settings(in_one_page, max_examples=40)


@given(bodies=st.lists(live_bodies(), min_size=2, max_size=4))
@each_in_the_same_page
def test_events_make_the_same_of_a_body(blank: Page, bodies: list[dict[str, Any]]) -> None:
    told = [event for before, after in zip([None, *bodies], bodies, strict=False) for event in deltas(before, after)]
    for begin in (0, 1):  # without the snapshot the deltas fall on another body
        assert blank.evaluate(ARRIVE, [BODY, told[begin:]]) == arrive(BODY, told[begin:])


@st.composite
def readings(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Readings of a few instants and runners: most follow, some are there already, some are late, some are new."""
    found = []
    at: int | None = 20
    for _ in range(draw(st.integers(1, 5))):
        timestamp = draw(st.sampled_from([10, 20, 30, 40, 50]))
        ids = draw(st.sampled_from(["abc", "ba", "c", "ad"]))
        values = [draw(st.none() | st.integers(-5, 5)) for _ in ids]
        previous = draw(st.sampled_from([at, at, at, None, 15]))
        found.append(
            changed(timestamp=timestamp, previous_timestamp=previous, entrant_ids=list(ids), win_pool_amount=values)
        )
        at = timestamp
    return found


@given(readings=readings())
@each_in_the_same_page
def test_readings_make_the_same_of_a_history(blank: Page, readings: list[dict[str, Any]]) -> None:
    history: Any = HISTORY
    fits = []
    for reading in readings:
        longer = with_reading(history, reading)
        fits.append(longer is not None)
        history = history if longer is None else longer
    assert blank.evaluate(APPEND, [deepcopy(HISTORY), readings]) == [fits, history]


def test_a_history_without_columns_of_a_runner_is_fetched_again_by_a_page_too(blank: Page) -> None:
    bare = {"timestamps": [20], "entrants": [{"entrant_id": "a", "win_pool_amount": [1]}, {"entrant_id": "b"}]}
    assert with_reading(bare, DATA) is None
    assert blank.evaluate(APPEND, [bare, [DATA]]) == [[False], bare]
