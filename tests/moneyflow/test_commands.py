"""manage.py's commands as a person sees them, on a simulated day."""

from collections.abc import Callable, Iterator
from datetime import datetime, time, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F
from pytest_django import Settings

from moneyflow.models import MoneyFlowHistory, Reconciliation
from moneyflow.tasks import NoCardError, daily
from raceday import clock
from raceday.models import PollRun
from raceday.racing_day import nz_instant, racing_day
from raceday.simulator.day import Simulation
from races.day_card import forget_import, is_imported
from races.models import Entrant, PollMark, Race
from tests.support.tab import control, tab_at_the_door

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def tab(settings: Settings, clock_goes_on_from: Callable[[datetime], None]) -> Iterator[str]:
    noon = nz_instant(racing_day(clock.now()), time(12))
    settings.FEED_TIMEOUT_SECONDS = 60.0  # the simulator is in this process, which is measured and slow
    clock_goes_on_from(noon)  # of a day that begins: its last races have ended by the evening
    with tab_at_the_door(Simulation(seed="commands", first_start=noon), clock.now, settings) as url:
        yield url


def said(*command: str) -> str:
    call_command(*command, stdout=(out := StringIO()), stderr=out)
    return out.getvalue()


def test_import_day_brings_meetings_races_and_entrants(tab: str) -> None:
    told = said("import_day")
    live = Race.objects.live().count()
    assert f"{live} live races polled, 0 without success" in told
    assert Entrant.objects.values("race").distinct().count() == live
    assert MoneyFlowHistory.objects.exists()


def test_on_a_terminal_import_day_shows_how_far_it_is(tab: str) -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    call_command("import_day", stdout=(out := Terminal()))
    count = Race.objects.live().count()
    assert f"\rentrants of 1 of {count} races\rentrants of 2 of {count} races\r" in out.getvalue()
    assert f"\rentrants of {count} of {count} races\n" in out.getvalue()


def test_import_day_says_when_the_feed_gives_no_card(tab: str) -> None:
    control(tab, "503")
    with pytest.raises(CommandError, match="HTTP 503"):
        said("import_day")


def test_a_days_work_is_done_only_when_the_whole_card_came(tab: str) -> None:
    today = racing_day(clock.now())
    forget_import(today)
    control(tab, "503", times=1)
    with pytest.raises(NoCardError):
        daily()
    assert not is_imported(today)
    daily()
    assert is_imported(today)


def test_poll_race_prints_what_each_room_saw(tab: str) -> None:
    said("import_day")
    told = said("poll_race", Race.objects.live()[0].pk)
    for room in ("fetch ", "parse ", "transform ", "write ", "publish "):
        assert room in told
    assert "Win pool $" in told


def test_poll_race_says_when_a_race_is_not_known(tab: str) -> None:
    with pytest.raises(CommandError, match="feed_error: HTTP 404"):
        said("poll_race", "nobody")


def test_poll_status_shows_races_and_faults(tab: str) -> None:
    said("import_day")
    PollRun.objects.create(race_id="r9", polled_at=clock.now(), outcome="parse_error", reason="$.data: gone")
    day = racing_day(clock.now()) - timedelta(days=1)
    counted = {"races": 7, "repaired": 2, "unread": 1}
    Reconciliation.objects.create(race_date_nz=day, since=clock.now(), read_at=clock.now(), **counted)
    told = said("poll_status")
    assert f"reconciled {day}: 7 races, 2 repaired, 1 unread" in told
    assert "parse_error       1 in 15 min" in told
    assert "r9: parse_error $.data: gone" in told
    assert f"live races {Race.objects.live().count()}" in told


def test_a_day_far_from_today_must_be_asked_for_twice(tab: str) -> None:
    far = racing_day(clock.now()) + timedelta(days=8)
    with pytest.raises(CommandError, match=f"{far} is 8 days from today: add --far if you mean it."):
        said("import_day", "--date", str(far))
    assert not Race.objects.exists()
    assert f"{far}: 6 meetings" in said("import_day", "--date", str(far), "--far")


def test_a_day_that_is_none_is_told_in_a_sentence(tab: str) -> None:
    with pytest.raises(CommandError, match="a day is written 2026-11-21, not 'nonsense'"):
        said("import_day", "--date", "nonsense")


def test_poll_status_says_that_the_feed_stands_still(tab: str) -> None:
    said("import_day")
    assert "FROZEN" not in said("poll_status")
    PollMark.objects.update(generated_at=F("polled_at") - timedelta(minutes=5))
    assert "FROZEN since" in said("poll_status")
