"""Staff find and read races by their names, in rows that have only a race's id, too."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from raceday.models import FeedPayload, PollRun
from races.models import Race
from races.names import race_names, races_called
from tests.support.card import POLLED, START, make_entrant, make_meeting, make_race
from tests.support.staff import RACES, act

pytestmark = pytest.mark.django_db
NAME = "R5 Ellerslie 15:30 · Kowhai Stakes"


@pytest.fixture
def kowhai() -> Race:
    ellerslie = make_meeting(meeting_id="m1", meeting_name="Ellerslie")
    make_race(ellerslie, race_id="other", name="Rimu Sprint", race_number=6, start_time=START + timedelta(hours=1))
    return make_race(ellerslie, race_id="r5", name="Kowhai Stakes", race_number=5)


def found(client: Client, page: str, words: str) -> list[Any]:
    return list(client.get(reverse(f"admin:{page}_changelist"), {"q": words}).context["cl"].result_list)


def test_a_race_is_named_by_number_meeting_start_and_name(kowhai: Race) -> None:
    assert race_names(["r5", None, "nobody"]) == {"r5": NAME}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("kowhai", ["r5"]),
        ("ellerslie kowhai", ["r5"]),
        ("R5 Ellerslie", ["r5"]),
        ("r6", ["other"]),
        ("Ellerslie", ["other", "r5"]),
        ("Kowhai Riccarton", []),
        ("R50", []),
    ],
)
def test_each_word_narrows_what_is_found(kowhai: Race, words: str, expected: list[str]) -> None:
    assert sorted(races_called(words).values_list("pk", flat=True)) == expected


def test_a_search_by_name_finds_races_their_entrants_polls_and_unreadable_answers(reader: Client, kowhai: Race) -> None:
    entrant = make_entrant(kowhai, 1)
    run = PollRun.objects.create(race_id="r5", polled_at=POLLED, outcome="parse_error")
    PollRun.objects.create(race_id="other", polled_at=POLLED, outcome="changed")
    PollRun.objects.create(race_id=None, polled_at=POLLED, outcome="feed_error", reason="no answer")
    answer = FeedPayload.objects.create(poll_run=run, body=b"{", encoding="identity")
    for words in ("Kowhai", "R5 Ellerslie"):
        assert found(reader, "races_race", words) == [kowhai]
        assert found(reader, "races_entrant", words) == [entrant]
        assert found(reader, "raceday_pollrun", words) == [run]
        assert found(reader, "raceday_feedpayload", words) == [answer]
    assert [row.pk for row in found(reader, "meetings_meeting", "Kowhai")] == ["m1"]


def test_a_search_by_name_finds_what_staff_did(admin_client: Client, kowhai: Race) -> None:
    LogEntry.objects.log_actions(admin_client.session["_auth_user_id"], [kowhai], 2, "Asked for a poll.")
    page = admin_client.get(reverse("admin:admin_logentry_changelist"), {"q": "Kowhai"})
    assert page.context["cl"].result_count == 1
    assert reverse("admin:races_race_change", args=["r5"]) in page.content.decode()


@pytest.mark.parametrize("page", ["raceday_pollrun", "raceday_feedpayload"])
def test_lists_and_titles_name_the_race(reader: Client, kowhai: Race, page: str) -> None:
    run = PollRun.objects.create(race_id="r5", polled_at=POLLED, outcome="parse_error")
    FeedPayload.objects.create(poll_run=run, body=b"{", encoding="identity")
    link = f'href="{reverse("admin:races_race_change", args=["r5"])}">{NAME}</a>'
    assert link in reader.get(reverse(f"admin:{page}_changelist")).content.decode()
    shown = reader.get(reverse(f"admin:{page}_change", args=[run.pk])).content.decode()
    assert link in shown
    assert f"{NAME}, polled 15:29:00: parse_error" in shown


def test_a_race_that_is_not_known_keeps_its_id(reader: Client) -> None:
    run = PollRun.objects.create(race_id="gone", polled_at=POLLED, outcome="changed")
    assert (
        "gone, polled 15:29:00: changed"
        in reader.get(reverse("admin:raceday_pollrun_change", args=[run.pk])).content.decode()
    )


def test_a_page_of_poll_runs_asks_for_all_names_at_once(
    reader: Client, kowhai: Race, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(20):
        PollRun.objects.create(
            race_id=["r5", "other"][number % 2], polled_at=POLLED + timedelta(seconds=number), outcome="changed"
        )
    with django_assert_max_num_queries(8):
        reader.get(reverse("admin:raceday_pollrun_changelist"))


def test_a_meeting_shows_its_races(
    reader: Client, kowhai: Race, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(8):
        page = reader.get(reverse("admin:meetings_meeting_change", args=["m1"])).content.decode()
    for race in Race.objects.select_related("meeting"):
        assert f'href="{reverse("admin:races_race_change", args=[race.pk])}">{race}</a>' in page


def test_a_search_looks_at_every_day_unless_one_is_chosen(reader: Client, kowhai: Race) -> None:
    assert found(reader, "races_race", "") == []  # its day is not today
    assert found(reader, "races_race", "Kowhai") == [kowhai]
    page = reader.get(reverse(RACES), {"q": "Kowhai", "day": "tomorrow"})
    assert page.context["cl"].result_count == 0


def test_an_action_on_several_races_leaves_a_record_of_each(admin_client: Client, kowhai: Race, queued: Any) -> None:
    act(admin_client, f"{reverse(RACES)}?day=any", "poll_now", "r5", "other")
    assert sorted(LogEntry.objects.values_list("object_repr", flat=True)) == [NAME, "R6 Ellerslie 16:30 · Rimu Sprint"]
    assert queued("r5") and queued("other")
