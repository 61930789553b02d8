"""How often alerts were right, on archives small enough to count by hand."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from board import record
from board.record import own_record, plot_of, simulated_record
from moneyflow.late_money.study.metrics import share_of
from moneyflow.models import LateMoneyCalibration
from races.models import Race
from tests.support.card import POLLED, START, make_alert, make_entrant, make_meeting, make_race, own_keys  # noqa: F401  # a fixture

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_keys")]


@pytest.fixture
def races() -> list[Race]:
    """Four races that ended, and one that did not."""
    meeting = make_meeting()
    jumped: dict[str, Any] = {"status": "Final", "actual_start": START + timedelta(seconds=40)}
    ended = [make_race(meeting, race_id=f"r{number}", race_number=number, **jumped) for number in range(1, 5)]
    return [*ended, make_race(meeting, race_id="r5", race_number=5)]


def settled(race: Race, number: int, *, won: bool, share: int, **columns: Any) -> None:
    shares = {"share_after_percentage": Decimal(share), "final_share_percentage": Decimal(share + 10)}
    make_alert(make_entrant(race, number), won=won, placed=won, **shares, **columns)


def test_an_empty_archive_has_no_figures(client: Client) -> None:
    found = own_record()
    assert found["plot"] is None
    assert [rate for *_, rate in found["a_day"]] == [None] * 3
    assert "No alerted runner’s race has ended yet (n = 0)." in client.get("/record").content.decode()


def test_races_with_an_alert_before_the_close_count_once_at_their_worst_severity(races: list[Race]) -> None:
    settled(races[0], 1, won=False, share=20, severity=2)
    settled(races[0], 2, won=True, share=20, severity=1)
    settled(races[1], 1, won=True, share=20, severity=3, raised_at=START + timedelta(seconds=41))  # after the close
    make_alert(make_entrant(races[4], 1), severity=3)  # not ended
    found = own_record()
    assert found["races"]["races"] == 4
    assert [(asked, count) for asked, count, _ in found["a_day"]] == [(10, 1), (4, 1), (1, 0)]
    rate = found["a_day"][1][2]
    assert (rate.ratio, rate.low) == (20.0, pytest.approx(80 * share_of(1, 4).low))
    assert (found["races"]["won_by_alerted"], found["won_by_others"]) == (1, 3)


def test_runners_stand_in_the_bin_of_their_share_once(races: list[Race]) -> None:
    settled(races[0], 1, won=True, share=4, severity=1)
    make_alert(races[0].entrants.get(), won=True, severity=2, raised_at=POLLED + timedelta(seconds=5))
    settled(races[1], 1, won=False, share=8)
    settled(races[2], 1, won=False, share=9)
    found = own_record()
    assert [(row["label"], row["settled"], row["won"]) for row in found["raised"]] == [
        ("0–5 %", 1, 1),
        ("5–10 %", 2, 0),
    ]
    assert [(row["label"], row["settled"]) for row in found["final"]] == [("10–20 %", 3)]
    assert found["raised"][1]["expected"] == 8.5


def test_the_plot_has_a_mark_for_each_bin_with_its_interval() -> None:
    row = {"settled": 4, "won": 1, "expected": 25.0, "share": share_of(1, 4)}
    plot = plot_of([row], [])
    (mark,) = plot.final
    assert plot.ticks[-1][2] == "80"  # room for the interval, which ends at 70 %
    assert (mark.x, mark.y) == (record._across(25, 80), record._up(25, 80))
    assert mark.high_y < mark.y < mark.low_y
    assert mark.label == "1 of 4"


def test_the_page_says_what_is_from_the_archive_and_what_is_simulated(client: Client, races: list[Race]) -> None:
    settled(races[0], 1, won=True, share=20)
    LateMoneyCalibration.objects.create(artefact="a", maxima=[1.0, 2.0], false_alerts=5.5, is_in_force=True)
    page = client.get("/record").content.decode()
    own, simulated = page.split('<div id="simulated">')
    assert "4 races ended, on 1 day." in own
    assert "from 2 races; by those before, 4 asked were 5.5" in own
    assert "1 of 1 won" in own
    assert "published" not in own
    assert "trained on 128,000 races of" in simulated
    assert "<b>0.19</b>, <em>0.81</em><small>0.16 to 0.23</small>" in simulated


def test_another_artefact_has_no_simulated_record(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "shipped", lambda: None)
    assert simulated_record() == {}
    assert "No record belongs to the detector in use." in client.get("/record").content.decode()
