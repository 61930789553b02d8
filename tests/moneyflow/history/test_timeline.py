"""Documents in buckets, and the cursor over them while the real writer goes on writing."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from moneyflow.history.columns import PoolType
from moneyflow.history.coverage import Covered, coverage
from moneyflow.history.timeline import Cursor, read_timeline
from moneyflow.models import MoneyFlowHistory
from moneyflow.pipeline import process_answer
from raceday import clock
from tests.support.card import own_keys  # noqa: F401
from tests.support.lane import LaneClient
from tests.support.snapshots import answer, event, runner

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_keys")]

Documents = dict[str, dict[str, Any]]
INCREMENTS = ("incremental_win_amount", "incremental_place_amount")
FIELDS = [
    *["id", "race_id", "entrant_id", "type", "time_interval", "time_to_start", "interval_type", "hold_percentage"],
    *["incremental_win_amount", "incremental_place_amount", "win_pool_amount", "place_pool_amount"],
    *["win_pool_percentage", "place_pool_percentage", "fixed_win_odds", "fixed_place_odds", "pool_win_odds"],
    *["pool_place_odds", "event_timestamp", "polling_timestamp", "created_at"],
]


def race_start() -> datetime:
    return clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=2)


def poll(before: int, pool: int, *, odds: float = 2.0, is_scratched: bool = False, delay: int = 0) -> None:
    """A race of two, written as it is in earnest, as the feed showed it `before` seconds to its first start."""
    at = race_start() - timedelta(seconds=before)
    first = runner(1, pool_win=odds, pool_place=1.5, fixed_win=2.5)
    runners = [first, {**runner(2, pool_win=3.1, pool_place=1.8), "is_scratched": is_scratched}]
    pools = [{"product_type": "Win", "total": float(pool)}, {"product_type": "Place", "total": float(pool)}]
    body = event("r1", generated_at=at, runners=runners, tote_pools=pools)
    body["data"]["race"]["advertised_start"] = int(race_start().timestamp()) + delay
    process_answer("r1", answer(body, polled_at=at))


def page(**query: Any) -> dict[str, Any]:
    word = query.pop("cursor_after", None)
    asked = {"race_id": "r1", "entrants": ("e1", "e2"), "pool_type": PoolType.WIN, "limit": 2000, **query}
    return read_timeline(race_start(), asked | ({"cursor_after": Cursor.read(word)} if word else {}))


def by_id(body: dict[str, Any]) -> Documents:
    return {document["id"]: document for document in body["documents"]}


# ── Documents ───────────────────────────────────────────────────────────────────────────────────
def test_a_document_is_the_last_reading_of_its_bucket_with_the_increment_from_the_bucket_before() -> None:
    for before, pool in ((299, 1000), (250, 1200), (239, 1500), (200, 1800), (-1, 2000)):
        poll(before, pool)
    documents = [document for document in page()["documents"] if document["entrant_id"] == "e1"]
    amounts = [document["win_pool_amount"] for document in documents]
    assert [document["id"] for document in documents] == ["e1:4", "e1:3", "e1:-0.5"]
    assert [document["time_to_start"] for document in documents] == [4, 3, -1]
    assert [document["incremental_win_amount"] for document in documents] == [
        amounts[0],
        amounts[1] - amounts[0],
        amounts[2] - amounts[1],
    ]
    assert amounts[1] == MoneyFlowHistory.objects.get(entrant_id="e1", seconds_to_start=200).win_pool_amount
    assert list(documents[0]) == FIELDS


def test_the_first_increment_of_an_entrant_is_its_whole_amount_wherever_its_document_is_shown() -> None:
    for before, pool in ((299, 1000), (290, 1100), (239, 1500), (179, 1800)):
        poll(before, pool)
    whole = by_id(page())
    for entrant_id in ("e1", "e2"):
        early, late = whole[f"{entrant_id}:4"], whole[f"{entrant_id}:3"]
        for kind in ("win", "place"):
            assert early[f"incremental_{kind}_amount"] == early[f"{kind}_pool_amount"] > 0
            assert late[f"incremental_{kind}_amount"] == late[f"{kind}_pool_amount"] - early[f"{kind}_pool_amount"]
    pages = [page(limit=1)]
    while pages[-1]["next_cursor"]:
        pages.append(page(limit=1, cursor_after=pages[-1]["next_cursor"]))
    assert {name: document for body in pages for name, document in by_id(body).items()} == whole
    seen = datetime.fromisoformat(pages[0]["next_created_at"])
    poll(100, 2000)
    later_only = by_id(page(created_after=seen))
    assert "e1:4" not in later_only
    assert (
        later_only["e1:1"]["incremental_win_amount"]
        == later_only["e1:1"]["win_pool_amount"] - whole["e1:2"]["win_pool_amount"]
    )


def test_a_first_document_after_a_scratching_has_its_whole_amount_too_and_one_of_unknown_amount_none() -> None:
    poll(299, 1000)
    poll(290, 800, is_scratched=True)
    assert by_id(page())["e1:4"]["incremental_win_amount"] == 80_000
    MoneyFlowHistory.objects.update(win_pool_amount=None)
    assert by_id(page())["e1:4"]["incremental_win_amount"] is None
    poll(239, 900, is_scratched=True)
    documents = by_id(page())
    assert (documents["e1:3"]["win_pool_amount"], documents["e1:3"]["incremental_win_amount"]) == (90_000, None)


def test_a_late_poll_before_the_first_document_takes_its_place_and_brings_both_to_a_later_poller() -> None:
    poll(239, 1500)
    first = page()
    poll(299, 1000)  # late
    later = by_id(page(created_after=datetime.fromisoformat(first["next_created_at"])))
    early, late = later["e1:4"], later["e1:3"]
    assert early["incremental_win_amount"] == early["win_pool_amount"]
    assert late["incremental_win_amount"] == late["win_pool_amount"] - early["win_pool_amount"]


def test_documents_come_by_time_whatever_the_entrant() -> None:
    for before in (299, 239, 179):
        poll(before, 1000 + before)
    assert list(by_id(page())) == ["e1:4", "e2:4", "e1:3", "e2:3", "e1:2", "e2:2"]
    assert list(by_id(page(entrants=("e2", "nobody")))) == ["e2:4", "e2:3", "e2:2"]


def test_a_scratching_between_two_documents_leaves_no_increment() -> None:
    poll(299, 1000)
    poll(239, 1500)
    poll(200, 800, is_scratched=True)
    poll(190, 900, is_scratched=True)
    poll(179, 1000, is_scratched=True)
    documents = by_id(page())
    assert documents["e1:3"]["incremental_win_amount"] is None
    assert documents["e1:2"]["incremental_win_amount"] == 10_000  # all of the pool is on the one that is left


# ── The cursor ──────────────────────────────────────────────────────────────────────────────────
def test_a_bucket_that_grows_while_it_is_paged_is_shown_once_and_brought_again_to_a_later_poller() -> None:
    poll(299, 1000)
    first = page(limit=1)
    poll(250, 2000)
    second = page(limit=1, cursor_after=first["next_cursor"])
    assert (list(by_id(first)), list(by_id(second)), second["next_cursor"]) == (["e1:4"], ["e2:4"], None)
    later = page(created_after=datetime.fromisoformat(second["next_created_at"]))
    assert list(by_id(later)) == ["e1:4", "e2:4"]
    assert later["documents"][0]["win_pool_amount"] == 2 * first["documents"][0]["win_pool_amount"]
    assert page(created_after=datetime.fromisoformat(later["next_created_at"]))["documents"] == []


def test_buckets_that_open_while_it_is_paged_come_after_those_that_were_there() -> None:
    poll(239, 1000)
    first = page(limit=1)
    poll(179, 2000)
    poll(299, 500)  # late
    second = page(limit=1, cursor_after=first["next_cursor"])
    third = page(cursor_after=second["next_cursor"])
    assert [list(by_id(body)) for body in (first, second, third)] == [
        ["e1:3"],
        ["e2:3"],
        ["e1:4", "e2:4", "e1:2", "e2:2"],
    ]
    assert (first["total"], third["next_cursor"]) == (2, None)
    assert first["next_created_at"] == third["next_created_at"]


polls = st.lists(
    st.tuples(
        st.integers(-40, 330),
        st.integers(0, 5),
        st.sampled_from([1.5, 2.0, 4.0]),
        st.booleans(),
        st.sampled_from([0, 0, 0, 0, 120]),
    ),
    min_size=2,
    max_size=9,
    unique_by=lambda drawn: drawn[0],
)


@settings(max_examples=60)
@given(polls, st.integers(1, 3), st.integers(0, 4), st.randoms())
def test_any_walk_among_any_polls_shows_each_document_once_as_it_was_and_a_later_poll_brings_the_rest(
    drawn: list[tuple[int, int, float, bool, int]], limit: int, began: int, random: Any
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE meetings, money_flow_history, odds_history CASCADE")
    moments: list[Documents] = []
    bodies: list[dict[str, Any]] = []
    arriving = sorted(drawn, key=lambda one: -one[0] + random.choice([0, 0, 200]))  # some are late
    for number, (before, pool, odds, is_scratched, delay) in enumerate(arriving):
        poll(before, 1000 + 100 * pool, odds=odds, is_scratched=is_scratched, delay=delay)
        moments += [by_id(page())] if number >= began or number == len(arriving) - 1 else []
        if number >= began and random.random() < 0.7 and (not bodies or bodies[-1]["next_cursor"]):
            bodies.append(next_page(bodies, limit))
    while not bodies or bodies[-1]["next_cursor"]:
        bodies.append(next_page(bodies, limit))
    shown = [document for body in bodies for document in body["documents"]]
    ids = [document["id"] for document in shown]
    assert len(ids) == len(set(ids))
    assert all(any(is_as_it_was(document, moment) for moment in moments) for document in shown)
    changed = by_id(page(created_after=datetime.fromisoformat(bodies[-1]["next_created_at"])))
    assert {document["id"]: document for document in shown} | changed == moments[-1]
    check_increments(moments[-1])


def next_page(bodies: list[dict[str, Any]], limit: int) -> dict[str, Any]:
    return page(limit=limit, **({"cursor_after": bodies[-1]["next_cursor"]} if bodies else {}))


def is_as_it_was(document: dict[str, Any], moment: Documents) -> bool:
    """A document of an earlier moment may know already of a reset that a late reading has told of since."""
    then = moment.get(document["id"], {})
    reset = dict.fromkeys(name for name in INCREMENTS if document[name] is None)
    return {**then, **reset} == document


def check_increments(documents: Documents) -> None:
    """Against the readings themselves: the first amount, then None where one of them is, else last − last."""
    for entrant_id in ("e1", "e2"):
        readings = list(MoneyFlowHistory.objects.filter(entrant_id=entrant_id).order_by("event_timestamp"))
        last = {reading.time_interval: reading for reading in readings}
        ordered = sorted(last.values(), key=lambda reading: reading.event_timestamp)
        for before, reading in zip([None, *ordered], ordered, strict=False):
            document = documents[f"{entrant_id}:{reading.time_interval.normalize():f}"]
            between = [
                one.incremental_win_amount
                for one in readings
                if one.event_timestamp <= reading.event_timestamp
                and (before is None or one.event_timestamp > before.event_timestamp)
            ]
            told = document["incremental_win_amount"]
            if before is None:
                assert told == reading.win_pool_amount
            else:
                assert told == (None if None in between else sum(between))  # type: ignore[arg-type]


# ── The route ───────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def client_of_a_race(client: Client) -> Client:
    for before in (299, 239, 179):
        poll(before, 1000 + before)
    return client


URL = "/api/money-flow-timeline?race_id=r1&entrants=e1,e2"


def test_the_body_has_the_fields_of_the_contract(client_of_a_race: Client) -> None:
    body = client_of_a_race.get(URL).json()
    assert list(body) == [
        *["success", "documents", "total", "race_id", "entrant_ids", "pool_type", "bucketed_data"],
        *["interval_coverage", "next_cursor", "next_created_at", "limit", "created_after"],
    ]
    assert (body["total"], body["limit"], body["pool_type"], body["created_after"]) == (6, 200, "win", None)
    assert body["entrant_ids"] == ["e1", "e2"]
    assert body["documents"] == page()["documents"]


def test_pages_over_http_are_the_whole_and_a_later_poll_brings_what_is_new(client_of_a_race: Client) -> None:
    bodies = [client_of_a_race.get(f"{URL}&limit=4").json()]
    url = f"{URL}&limit=4&cursorAfter={bodies[0]['next_cursor']}"
    bodies.append(client_of_a_race.get(url).json())
    assert [document["id"] for body in bodies for document in body["documents"]] == list(by_id(page()))
    # As a client may well send it, without encoding the + of the offset.
    later = f"{URL}&created_after={bodies[1]['next_created_at']}"
    answered = client_of_a_race.get(later).json()
    assert (answered["documents"], answered["total"], answered["message"]) == ([], 0, "nothing new")
    poll(178, 5000)
    answered = client_of_a_race.get(later).json()
    assert [document["id"] for document in answered["documents"]] == ["e1:2", "e2:2"]
    assert answered["interval_coverage"]["summary"]["total_documents"] == 6


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("cursor_after=abc", "cursor_after"),
        ("cursor_after=WzFd", "cursor_after"),
        (f"cursor_after={Cursor('another').write()}", "cursor_after"),
        ("limit=0", "limit"),
        ("limit=2001", "limit"),
        ("pool_type=quinella", "pool_type"),
        ("created_after=yesterday", "created_after"),
        ("entrant=e1", "entrant"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(client: Client, query: str, name: str) -> None:
    refused = client.get(f"{URL}&{query}")
    assert (refused.status_code, list(refused.json()["details"])) == (400, [name])


@pytest.mark.parametrize("text", ["yesterday", "2026-11-21T15:30:00", "2026-11-21 15:30", "2026-11-21", "9" * 60])
@pytest.mark.parametrize("address", [f"{URL}&created_after=", "/api/races/r1/history?since="])
def test_an_instant_without_an_offset_is_refused_with_what_to_write(client: Client, address: str, text: str) -> None:
    refused = client.get(address + text)
    ((name, told),) = refused.json()["details"].items()
    assert (refused.status_code, name) == (400, "since" if "history" in address else "created_after")
    assert told == ["must be an instant with its offset, as 2026-11-21T15:30:00%2B13:00 or 2026-11-21T02:30:00Z"]
    for good in re.findall(r"2026\S+", told[0]):
        assert client.get(address + good).status_code == 404  # no such race


@pytest.mark.parametrize(
    "query",
    ["", "entrants=", "entrants=,%20,", f"entrants={','.join(map(str, range(51)))}", f"entrants=e1,{'x' * 101}"],
)
def test_entrants_are_needed_and_bounded(client: Client, query: str) -> None:
    refused = client.get(f"/api/money-flow-timeline?race_id=r1&{query}")
    assert (refused.status_code, list(refused.json()["details"])) == (400, ["entrants"])


def test_an_unknown_race_is_a_404_and_one_without_readings_says_so(client_of_a_race: Client) -> None:
    assert client_of_a_race.get("/api/money-flow-timeline?race_id=r2&entrants=e1").status_code == 404
    body = client_of_a_race.get("/api/money-flow-timeline?race_id=r1&entrants=nobody").json()
    assert (body["documents"], body["next_cursor"], body["total"]) == ([], None, 0)
    assert body["message"] == "no readings of these entrants yet"


@pytest.mark.usefixtures("client_of_a_race")
def test_a_page_is_kept_until_a_poll_changes_the_race() -> None:
    client = LaneClient()
    assert client.outcomes(URL, URL) == ["MISS", "HIT"]
    poll(170, 9000)
    assert client.outcomes(URL) == ["MISS"]


# ── Coverage ────────────────────────────────────────────────────────────────────────────────────
def test_only_buckets_that_some_entrant_has_reached_are_missing() -> None:
    told = coverage([Covered("a", 2, [5.0, 2.0]), Covered("b", 1, [10.0]), Covered("c", 1, None)], ["a", "b", "c", "d"])
    by_entrant = {entrant["entrant_id"]: entrant for entrant in told["entrants"]}
    assert told["summary"]["intervals_covered"] == [10, 5, 2]
    assert told["summary"]["total_documents"] == 4
    assert by_entrant["a"]["critical_period_coverage"] == [5, 2]
    assert by_entrant["a"]["missing_critical_intervals"][-2:] == [4, 3]
    assert told["summary"]["critical_period_gaps"] == [
        {"entrant_id": "a", "missing_intervals": [4, 3]},
        *({"entrant_id": name, "missing_intervals": [5, 4, 3, 2]} for name in "bcd"),
    ]
    assert (by_entrant["d"]["document_count"], by_entrant["d"]["intervals_covered"]) == (0, [])


def test_before_the_first_document_nothing_is_missing() -> None:
    told = coverage([], ["a"])
    assert told["summary"]["critical_period_gaps"] == []
    assert told["entrants"][0]["missing_critical_intervals"] == []
