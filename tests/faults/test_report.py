"""The rows of `./run faults`, its list of faults and its command line."""

import json
import math
from dataclasses import replace

import pytest

from faults.__main__ import chosen, main
from faults.catalogue import FAULTS, SHORT
from faults.report import HEAD, Row, cells, document, record
from faults.tree import FaultsError

GOOD = Row(
    name="leader", what="kill -9", fetched=10, stored=10, gap=1.0, gap_allowed=3.0, recovery=0.4, seen="live 200"
)


@pytest.mark.parametrize("count", ["lost", "twice", "wrong", "frozen"])
def test_a_row_with_anything_wrong_misses_the_goal(count: str) -> None:
    row = replace(GOOD)
    assert row.is_ok
    object.__setattr__(row, count, 1)
    assert not row.is_ok


def test_a_row_that_is_slow_never_recovers_or_counted_nothing_misses_the_goal() -> None:
    assert not replace(GOOD, gap=3.1).is_ok
    assert not replace(GOOD, recovery=math.inf).is_ok
    assert not replace(GOOD, fetched=0, stored=0).is_ok
    assert not replace(GOOD, p99_ms=101.0, p99_allowed_ms=100.0).is_ok
    assert replace(GOOD, p99_ms=99.0, p99_allowed_ms=100.0, unread=2).is_ok


def test_the_table_says_why_a_fault_was_not_tried() -> None:
    row = Row(name="disk-full", what="no space left", why_not="no tmpfs here")
    assert cells(row)[-2:] == ("not run", "no tmpfs here")
    assert len(cells(row)) == len(cells(GOOD)) == len(HEAD)
    assert row.is_ok
    assert "| disk-full |" in document([GOOD, row], {"cores": "2"})


def test_a_fault_that_could_not_be_counted_misses_the_goal() -> None:
    row = Row(name="leader", what="kill -9", failure="no poller leads")
    assert not row.is_ok
    assert cells(row)[-2:] == ("MISSED", "no poller leads")


def test_json_has_null_for_what_never_recovered() -> None:
    told = json.loads(record([replace(GOOD, recovery=math.inf)], {}))
    assert told["rows"][0]["recovery"] is None
    assert (told["rows"][0]["is_ok"], told["is_met"]) == (False, False)


def test_every_fault_has_a_name_of_its_own_and_the_short_form_is_of_them() -> None:
    names = [fault.name for fault in FAULTS]
    assert len(set(names)) == len(names)
    assert {fault.name for fault in chosen(["short"])} == set(SHORT)
    assert chosen([]) == list(FAULTS)
    with pytest.raises(FaultsError, match="no fault 'flood'"):
        chosen(["flood"])


def test_an_outage_may_last_two_seconds_longer_and_our_own_fault_three_in_all() -> None:
    by_name = {fault.name: fault for fault in FAULTS}
    assert by_name["leader"].longest_gap(0.1) == 3.0
    assert by_name["stop-postgres"].longest_gap(15.0) == 17.0
    assert by_name["429"].longest_gap(8.0) == 13.0
    assert by_name["two-trees"].longest_gap(6.0) == 2.0


def test_a_name_nobody_has_is_told_and_nothing_is_started(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flood"]) == 2
    assert "there is no fault 'flood'" in capsys.readouterr().err
